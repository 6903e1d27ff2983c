import type { ReadOptions } from "../memory/physical_memory.ts";
import type { Kernel } from "./kernel.ts";
import type { MemoryArea } from "./memory_area.ts";
import { readU64 } from "./reader.ts";
import type { StructOffsets } from "./struct_reader.ts";
import { VM } from "./vm_flags.ts";

// The first two of the enum in arch/x86/entry/vsyscall/vsyscall_64.c; the third is no page at all.
const EMULATE = 0;
const EXECUTE_ONLY = 1;

/** MM_CONTEXT_HAS_VSYSCALL (arch/x86/include/asm/mmu.h). */
const HAS_VSYSCALL = 1n << 1n;

/**
 * The vsyscall page, which no process's areas hold and `/proc/PID/maps` lists nevertheless, as that of
 * every 64-bit process (get_gate_vma); null where the kernel has none.
 */
export async function readGateArea(
  kernel: Kernel,
  mm: bigint,
  offsets: StructOffsets,
  options: ReadOptions,
): Promise<MemoryArea | null> {
  const { userPage } = kernel.context.rules.kernel;
  if (userPage === undefined) return null;
  const mode = await kernel.variable32(`${userPage.name}_mode`);
  if (mode !== EMULATE && mode !== EXECUTE_ONLY) return null;
  const member = (name: string) => {
    const [context, at] = [offsets.get("mm_struct.context"), offsets.get(`mm_context_t.${name}`)];
    return context === undefined || at === undefined
      ? null
      : readU64(kernel.live, mm + BigInt(context + at), options);
  };
  // A flag of 64-bit processes since 5.11, before it one of the others (ff170cd05953 "x86/mm: Convert
  // mmu context ia32_compat into a proper flags field").
  const [flags, compat] = [await member("flags"), await member("ia32_compat")];
  if (flags !== null && !(flags & HAS_VSYSCALL)) return null;
  if (compat !== null && BigInt.asUintN(16, compat) !== 0n) return null;
  return {
    start: userPage.address,
    end: userPage.address + 0x1000n,
    permissions: mode === EMULATE ? "r-xp" : "--xp",
    offset: 0n,
    kind: "special",
    name: `[${userPage.name}]`,
    flags: mode === EMULATE ? VM.READ | VM.EXEC : VM.EXEC,
  };
}

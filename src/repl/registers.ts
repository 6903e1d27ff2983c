import type { GuestRegisters } from "../arch/registers.ts";
import { isRiscv } from "./is_riscv.ts";
import type { HelperContext } from "./helper.ts";

/** What gdb calls otherwise than `info registers`. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  pc: "RIP",
  sp: "RSP",
  fp: "RBP",
  rflags: "RFL",
  eflags: "RFL",
  fs_base: "FS_BASE",
  gs_base: "GS_BASE",
  gdtr: "GDT",
  idtr: "IDT",
};

/** The names that a register may have after its `$`, for completion. */
export const REGISTER_NAMES: readonly string[] = [
  ...["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "rip"],
  ...Array.from({ length: 8 }, (_, i) => `r${i + 8}`),
  ...["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4", "efer"],
  ...["satp", "vsatp", "hgatp", "mstatus", "menvcfg"],
  ...Object.keys(OTHER_NAMES),
].map((name) => `$${name}`);

/**
 * Reads registers of the vCPU at hand by gdb's names. Those that it does not have are left out.
 *
 * @param names `$rip`, `$cr3`, `$gs_base`
 */
export async function readRegisters(
  { guest, signal }: HelperContext,
  names: readonly string[],
): Promise<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  if (!names.some((name) => REGISTER_NAMES.includes(name))) return found;
  const all = await guest.use(async (session, { cpu }) => {
    const known = await session.registers<GuestRegisters>(cpu);
    if (isRiscv(known)) {
      const named = ["pc", "satp", "mstatus", "vsatp", "hgatp", "menvcfg"] as const;
      const told = named.flatMap((name) => known[name] === undefined ? [] : [[name, known[name]]]);
      return new Map(told as [string, bigint][]);
    }
    const { rip, rflags, cr0, cr2, cr3, cr4, efer } = known;
    const few = { RIP: rip, RFL: rflags, CR0: cr0, CR2: cr2, CR3: cr3, CR4: cr4, EFER: efer };
    return new Map([...Object.entries(few), ...await printedRegisters(session, cpu, signal)]);
  });
  for (const name of names) {
    const bare = name.slice(1);
    const value = all.get(bare) ?? all.get(OTHER_NAMES[bare] ?? bare.toUpperCase());
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** What a session's monitor is asked with. */
interface Asked {
  readonly monitor: { command(line: string, options: { signal: AbortSignal }): Promise<string> };
}

/** Everything that `info registers` prints of a vCPU (QEMU 7.2, target/i386/cpu-dump.c). */
async function printedRegisters(
  { monitor }: Asked,
  cpu: number | undefined,
  signal: AbortSignal,
): Promise<[string, bigint][]> {
  const command = cpu === undefined ? "info registers" : "info registers -a";
  const text = await monitor.command(command, { signal });
  const block = cpu === undefined
    ? text
    : text.split(/^CPU#(?=\d+)/m).find((each) => new RegExp(`^${cpu}\\b`).test(each));
  const general = (block ?? "").matchAll(/\b([A-Z][A-Z0-9]{1,4}) ?=([0-9a-f]{4,16})\b/g);
  const bases = (block ?? "").matchAll(/^([FG]S) =[0-9a-f]{4} ([0-9a-f]{8,16})/gm);
  const tables = (block ?? "").matchAll(/^([GI]DT)= +([0-9a-f]{8,16})/gm);
  return [
    ...Array.from(general, ([, name, digits]): [string, bigint] => [name!, BigInt(`0x${digits}`)]),
    ...Array.from(bases, ([, name, digits]): [string, bigint] => [
      `${name}_BASE`,
      BigInt(`0x${digits}`),
    ]),
    ...Array.from(tables, ([, name, digits]): [string, bigint] => [name!, BigInt(`0x${digits}`)]),
  ];
}

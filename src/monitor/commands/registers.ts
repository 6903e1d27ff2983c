import { ARCHITECTURES } from "../../arch/architectures.ts";
import type { CpuRegisters } from "../../arch/default_types.ts";
import { DamagedRegistersError } from "../../arch/errors.ts";
import type { Printed } from "../../arch/register_formats.ts";
import type { GuestRegisters } from "../../arch/registers.ts";
import { NoSuchCpuError, NotX86Error, ReplyParseError } from "../errors.ts";
import type { CommandOptions, Monitor } from "../monitor.ts";

/**
 * How `info registers` begins on other architectures (`cpu_dump_state`). Seen with QEMU 7.2, except MIPS,
 * PowerPC and SPARC: those were not run.
 */
const FOREIGN: readonly [registers: RegExp, architecture: string | null][] = [
  [/^ ?PC=[0-9a-f]{16} +X00=/m, "AArch64"],
  // Like Arm's from its second line on.
  [/^PC=[0-9a-f]{8}\r?\nR00=/m, "OpenRISC"],
  [/^R00=[0-9a-f]{8} R01=[0-9a-f]{8}/m, "Arm"],
  [/^PSW=mask [0-9a-f]+ addr /m, "s390x"],
  [/^ GPR00: r0 /m, "LoongArch"],
  [/^NIP [0-9a-f]+ +LR /m, "PowerPC"],
  [/^pc=0x[0-9a-f]+ HI=0x/m, "MIPS"],
  [/^pc: [0-9a-f]+ +npc: /m, "SPARC"],
  [/^D0 = [0-9a-f]+ +A0 = /m, "m68k"],
  [/^PC +[0-9a-f]{16} PS +[0-9a-f]{2}\b/m, "Alpha"],
  [/^IA_F [0-9a-f]+ IA_B /m, "PA-RISC"],
  [/^pc=0x[0-9a-f]+ msr=0x/m, "MicroBlaze"],
  [/^pc=0x[0-9a-f]+ sr=0x/m, "SuperH"],
  [/^pc=0x[0-9a-f]+ psw=0x/m, "RX"],
  [/^PC: [0-9a-f]{8} PSW: /m, "TriCore"],
  [/^PC: {4}[0-9a-f]{6}\r?\nSP: /m, "AVR"],
  [/^PC=[0-9a-f]{8} CCS=/m, "CRIS"],
  [/^ *LBEG=[0-9a-f]{8} +LEND=/m, "Xtensa"],
  [/^IN: PC=[0-9a-f]+ *\r?$/m, "Nios II"],
  [/^(?: ?PC|PSW) *[=: ] *[0-9a-f]{6}/im, null],
];

/**
 * The architecture whose registers these are, if pagewalk does not read them: its name, or null if it has
 * none here; undefined if they look like no architecture's.
 */
function foreignArchitecture(reply: string): string | null | undefined {
  return FOREIGN.find(([registers]) => registers.test(reply))?.[1];
}

/** How one vCPU's registers are read; without `cpu`, those of the monitor's current one. */
export type ReadRegistersOptions = CommandOptions;

/**
 * Reads the registers of one vCPU that paging depends on.
 *
 * @throws {NoSuchCpuError} if the guest has no such vCPU
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, readRegisters } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const { cpu, halted } = await readRegisters(guest.monitor, { cpu: 0 });
 * assertEquals([cpu, halted], [0, false]);
 * ```
 */
export async function readRegisters<R extends GuestRegisters = CpuRegisters>(
  monitor: Monitor,
  options: ReadRegistersOptions = {},
): Promise<R> {
  const { cpu, ...bounds } = options;
  if (cpu !== undefined) {
    // `info registers 1` would do since 7.2; 5.2 refuses it and knows `-a` only.
    const all = await readAllRegisters<R>(monitor, bounds);
    return all.find((registers) => registers.cpu === cpu) ?? noSuchCpu(monitor, cpu, all);
  }
  const [current] = parseRegisters<GuestRegisters>(
    await monitor.command("info registers", bounds),
  );
  if (current!.cpu !== null) return current as R;
  // 5.2 does not say whose registers they are.
  const { readCurrentCpu } = await import("./cpus.ts");
  return { ...current!, cpu: await readCurrentCpu(monitor, bounds) } as R;
}

/**
 * Reads the registers of all vCPUs, taken in one command: while the guest runs they differ by
 * microseconds only. A vCPU that was never started has no root.
 *
 * @throws {MonitorError} if the command fails
 *
 * @example Usage
 * ```ts
 * import { connect, readAllRegisters } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const [first] = await readAllRegisters(guest.monitor);
 * assertEquals(first?.cpu, 0);
 * ```
 */
export async function readAllRegisters<R extends GuestRegisters = CpuRegisters>(
  monitor: Monitor,
  options: CommandOptions = {},
): Promise<R[]> {
  const printed = parseRegisters<GuestRegisters>(
    await monitor.command("info registers -a", options),
  );
  return printed.map((registers, i) => ({ ...registers, cpu: registers.cpu ?? i }) as R);
}

/**
 * Reads what `info registers` or `info registers -a` prints.
 *
 * @throws {NotX86Error} if they are of an architecture that is not known
 * @throws {ReplyParseError} if a register is missing
 */
export function parseRegisters<R extends GuestRegisters = CpuRegisters>(
  reply: string,
): Printed<R>[] {
  const architecture = ARCHITECTURES.find(({ registers }) => registers.recognizes(reply));
  if (architecture === undefined) {
    const foreign = foreignArchitecture(reply);
    if (foreign !== undefined) throw new NotX86Error(foreign);
  }
  try {
    return (architecture ?? ARCHITECTURES[0]).registers.printed(reply) as Printed<R>[];
  } catch (error) {
    if (!(error instanceof DamagedRegistersError)) throw error;
    throw new ReplyParseError("info registers", error.text, error.missing, { cause: error });
  }
}

function noSuchCpu(monitor: Monitor, cpu: number, all: GuestRegisters[]): never {
  const known = all.map((registers) => registers.cpu).join(", ");
  throw new NoSuchCpuError(
    cpu,
    `The guest at ${monitor.endpoint} has no vCPU ${cpu}, only ${known}`,
    {
      endpoint: monitor.endpoint,
      command: "info registers -a",
    },
  );
}

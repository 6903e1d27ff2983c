import { architectureOf, ARCHITECTURES } from "../arch/architectures.ts";
import type { GuestRegisters } from "../arch/registers.ts";
import type { HelperContext } from "./helper.ts";

/** The names that a register may have after its `$`, for completion. */
export const REGISTER_NAMES: readonly string[] = ARCHITECTURES.flatMap(({ names }) =>
  [...names.known, ...Object.keys(names.otherwise)].map((name) => `$${name}`)
);

/**
 * Reads registers of the vCPU at hand by gdb's names. Those that it does not have are left out.
 *
 * @param names `$pc`, `$gs_base`
 */
export async function readRegisters(
  { guest, signal }: HelperContext,
  names: readonly string[],
): Promise<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  if (!names.some((name) => REGISTER_NAMES.includes(name))) return found;
  const { told, otherwise } = await guest.use(async (session, { cpu }) => {
    const registers = await session.registers<GuestRegisters>(cpu);
    const { names } = architectureOf(registers);
    const rest = names.printed?.(await printedBlock(session, cpu, signal)) ?? [];
    const told = new Map<string, bigint | undefined>([
      ...Object.entries(names.told(registers)),
      ...rest,
    ]);
    return { told, otherwise: names.otherwise };
  });
  for (const name of names) {
    const bare = name.slice(1);
    const value = told.get(bare) ?? told.get(otherwise[bare] ?? bare.toUpperCase());
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** What a session's monitor is asked with. */
interface Asked {
  readonly monitor: { command(line: string, options: { signal: AbortSignal }): Promise<string> };
}

/** All that `info registers` prints of a vCPU. */
async function printedBlock(
  { monitor }: Asked,
  cpu: number | undefined,
  signal: AbortSignal,
): Promise<string> {
  if (cpu === undefined) return await monitor.command("info registers", { signal });
  const text = await monitor.command("info registers -a", { signal });
  const block = text.split(/^CPU#(?=\d+)/m).find((each) => new RegExp(`^${cpu}\\b`).test(each));
  return block ?? "";
}

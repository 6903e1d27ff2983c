import { CONNECTORS } from "../conformance/_connectors.ts";
import type { TestOutcome } from "./junit.ts";

/** What the other live tests are about, by their file and name; the first that fits. */
const AREAS: readonly [area: string, pattern: RegExp][] = [
  ["RISC-V", /^tests\/(?:riscv|elf)\//],
  ["IOMMUs", /^tests\/iommu\//],
  ["bare guests", /^tests\/bare_guest\//],
  ["dumps", /^tests\/dump\/|\bdump\b/],
  ["recordings", /^tests\/recording\/|\brecording\b/],
  ["RAM files", /ram_file|RAM file/],
  ["gdbstub, alone", /\/gdbstub\/|gdb(stub)?:|over gdb/i],
  ["listings", /^tests\/mappings\//],
  ["monitors", /./],
];

/**
 * The row that a test is counted in: a connector of the conformance suite has its own, where each guest is a
 * step; null for a test that is nothing but its steps.
 */
export function rowOf({ file, name, step }: TestOutcome): string | null {
  if (step !== undefined) {
    return CONNECTORS.find((connector) => connector.name === step)?.name ?? null;
  }
  if (/^every connector to/.test(name)) return null;
  return AREAS.find(([, pattern]) => pattern.test(`${file} ${name}`))![0];
}

/** All rows, in the order of the table. */
export const ROWS: readonly string[] = [
  ...CONNECTORS.map(({ name }) => name),
  ...AREAS.map(([area]) => area).reverse(),
];

/** Tables to audit, as the independent builder makes them. */
import { assertEquals } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { audit, type AuditOptions } from "../../src/audit/audit.ts";
import type { Finding } from "../../src/audit/finding.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import type { EntryRights } from "../../src/testing/expected_translation.ts";
import {
  PageTableBuilder,
  type PageTableMode,
  registersFor,
} from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";

export const USER = 0x7f12_3456_7000n;
export const KERNEL = 0xffff_8880_0000_0000n;
export const RAM = [ramRange(0n, 0xa_0000n), ramRange(0x10_0000n, 0x800_0000n)];
export const SAFE: EntryRights = { writable: true, noExecute: true };
export const SAFE_USER: EntryRights = { ...SAFE, user: true };

/** An empty space in RAM of two pieces. */
export function tables(mode: PageTableMode = "4-level"): PageTableBuilder {
  const memory = new SparseMemory({ ranges: RAM });
  return new PageTableBuilder(mode, memory, { tablesAt: 0x10_0000n });
}

/** How to audit, and by whose view. */
export type FoundOptions = AuditOptions & { userView?: bigint };

/** What an audit finds, of the tables and of a snapshot of them. */
export async function found(builder: PageTableBuilder, how: FoundOptions = {}): Promise<Finding[]> {
  const { userView, ...options } = how;
  const context = {
    ...pagingContext(registersFor(builder), { physicalAddressBits: 40 }),
    ...userView !== undefined && { userView },
  };
  const source = { memory: builder.memory, context };
  const findings = await Array.fromAsync(audit(source, { ranges: RAM, ...options }));
  // An audit of a snapshot finds the same.
  const taken = await snapshot(builder.memory, context);
  assertEquals(await Array.fromAsync(audit(taken, { ranges: RAM, ...options })), findings);
  return findings;
}

/** The same in two words each. */
export async function rules(builder: PageTableBuilder, options?: FoundOptions): Promise<string[]> {
  return (await found(builder, options)).map(({ rule, severity }) => `${severity} ${rule}`);
}

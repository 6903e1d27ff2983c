/** What a guest says of itself through a connector, in lines: two connectors to one guest must say the same. */
import { assertEquals } from "@std/assert";
import { NoTablesError, type Session, type TableChoice, type Walk } from "../../mod.ts";
import { mappingRecord, toJson, walkRecord } from "../../src/report/mod.ts";
import { cachedSpace } from "./_compare.ts";

/** Lines by what they are about. A connector that does not hold a part leaves it out. */
export type Answers = Readonly<Record<string, readonly string[]>>;

/** The registers of every vCPU that decide on paging; of EFER what a dump holds, LMA. */
export async function registerAnswers(session: Session): Promise<string[]> {
  const all = await session.allRegisters();
  return all.map(({ cpu, cr0, cr3, cr4, efer }) =>
    toJson({ cpu, cr0, cr3, cr4, longMode: (efer >> 10n) & 1n })
  );
}

/** Where each address leads by the tables, entry by entry: what memory alone tells. */
export function tableAnswers(
  session: Session,
  choice: TableChoice,
  addresses: readonly bigint[],
): Promise<string[]> {
  return walkEach(session, choice, addresses, (found, address) => {
    const { outcome, steps, mode } = found;
    const entries = steps.map(({ level, address, raw }) => ({ level, address, raw }));
    const physical = found.outcome === "mapped" ? found.physicalAddress : null;
    return { address, mode, outcome, physical, entries };
  });
}

/** What each address's page allows, and who decides: that takes registers too. */
export function rightsAnswers(
  session: Session,
  choice: TableChoice,
  addresses: readonly bigint[],
): Promise<string[]> {
  return walkEach(session, choice, addresses, (found) => {
    // Whether a vCPU without paging waits to be started is told by HLT, which a dump does not hold.
    const { why: _, ...record } = walkRecord(found);
    return record;
  });
}

async function walkEach(
  session: Session,
  choice: TableChoice,
  addresses: readonly bigint[],
  tell: (found: Walk, address: bigint) => unknown,
): Promise<string[]> {
  const space = await cachedSpace(session, choice);
  const lines: string[] = [];
  for (const address of addresses) {
    lines.push(toJson(tell(await space.walk(address, { recheck: false }), address)));
  }
  return lines;
}

/** Everything that the tables map; with paging off, that there are none. */
export async function mappingAnswers(session: Session, choice: TableChoice): Promise<string[]> {
  try {
    const records = await Array.fromAsync(session.mappings({}, choice));
    return records.map((record) => toJson(mappingRecord(record)));
  } catch (error) {
    if (error instanceof NoTablesError) {
      // A dump does not tell a vCPU that was never started: that takes HLT.
      const { kind } = error.why;
      return [`no tables: ${kind === "notStarted" ? "pagingOff" : kind}`];
    }
    throw error;
  }
}

/** Requires that each part that a connector tells is what the reference tells. Returns how many lines. */
export function compareAnswers(found: Answers, reference: Answers): number {
  let compared = 0;
  for (const [part, lines] of Object.entries(found)) {
    const expected = reference[part];
    // The first difference is enough, and comparing thousands of lines at once takes minutes.
    const at = lines.findIndex((line, i) => line !== expected?.[i]);
    if (at >= 0) assertEquals(lines[at], expected?.[at], `${part}, line ${at}`);
    assertEquals(lines.length, expected?.length, part);
    compared += lines.length;
  }
  return compared;
}

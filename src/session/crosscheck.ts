import type { AddressLike } from "../core/address.ts";
import { parseAddress } from "../core/address.ts";
import { NoTablesError } from "../translate/no_tables.ts";
import { checkOptions, given, SIGNAL } from "../core/options.ts";
import { addressDigits, type Regime, withRoot } from "../translate/regime.ts";
import { translateByQemu } from "../monitor/commands/translate_by_qemu.ts";
import type { ReadOptions } from "../memory/physical_memory.ts";
import { type Walk, walk } from "../translate/walk.ts";
import { NoMonitorError } from "../connectors/connector.ts";
import type { Session } from "./session.ts";
import { CHOICE_INSTEAD, CHOICE_SHAPE, type TableChoice } from "./table_choice.ts";

/** What came of one address. */
export interface CrosscheckResult {
  /** The linear address. */
  readonly address: bigint;
  /** The walk by the first connection. */
  readonly first: Walk;
  /** The walk by the second connection. */
  readonly second: Walk;
  /**
   * What QEMU's own `gva2gpa` says: a physical address, null for no mapping; undefined if it was not
   * asked, as it is not a measure there: it looks at a vCPU's own tables only, and not at reserved bits.
   */
  readonly qemu?: bigint | null;
  /** Whether all that were asked agree. */
  readonly agree: boolean;
}

/** Two connections to a guest do not even agree on the kind of page tables. */
export interface CrosscheckTables {
  /** The tables by the first connection. */
  readonly first: Regime;
  /** The tables by the second connection, at the first one's root. */
  readonly second: Regime;
  /** The second connection's own root: on a running guest another process's may have come in between. */
  readonly secondRoot: bigint;
  /** Whether `gva2gpa` can be asked about these tables. */
  readonly askQemu: boolean;
}

/** Which tables are compared. */
export interface CrosscheckOptions extends TableChoice, ReadOptions {}

/** A difference is looked at so often before it counts: a running guest may have changed the tables. */
const LOOKS = 3;

/**
 * Finds the tables to compare by two connections to one guest.
 *
 * @throws {InvalidArgumentError} if the choice cannot be used
 * @throws {NoTablesError} if the vCPU does not translate by the guest's tables
 *
 * @example Usage
 * ```ts
 * import { connect, crosscheckTables } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * await using first = await connect("sim:");
 * await using second = await connect("sim:");
 * const tables = await crosscheckTables([first, second]);
 * assertEquals(tables.first.root, tables.secondRoot);
 * ```
 */
export async function crosscheckTables(
  [first, second]: readonly [Session, Session],
  options: CrosscheckOptions = {},
): Promise<CrosscheckTables> {
  const shape = { ...CHOICE_SHAPE, signal: SIGNAL };
  checkOptions(options, "the options of a cross-check", shape, CHOICE_INSTEAD);
  const { signal: _, ...choice } = options;
  const here = await first.pageTable(choice);
  const there = await second.pageTable(choice);
  for (const { context: { noTables } } of [here, there]) {
    if (noTables !== undefined) throw new NoTablesError(noTables);
  }
  const { mode, root } = here.context;
  return {
    first: here.context,
    second: there.context.mode === mode ? withRoot(there.context, root) : there.context,
    secondRoot: there.context.root,
    askQemu: here.source.kind === "cpu" && monitorOf(first, second) !== null,
  };
}

/**
 * Walks addresses by two connections to one guest, and asks QEMU itself where it can be asked.
 *
 * @throws {MonitorError} if the guest cannot be asked
 *
 * @example Usage
 * ```ts
 * import { connect, crosscheck, crosscheckTables } from "@pagewalk/pagewalk";
 * import { assert } from "@std/assert";
 *
 * await using first = await connect("sim:");
 * await using second = await connect("sim:");
 * const tables = await crosscheckTables([first, second]);
 * for await (const { agree } of crosscheck([first, second], tables, [0x7f1234567000n])) {
 *   assert(agree);
 * }
 * ```
 */
export async function* crosscheck(
  sessions: readonly [Session, Session],
  tables: CrosscheckTables,
  addresses: Iterable<AddressLike> | AsyncIterable<AddressLike>,
  options: CrosscheckOptions = {},
): AsyncGenerator<CrosscheckResult, void> {
  for await (const input of addresses) {
    const address = parseAddress(input);
    let result = await look(sessions, tables, address, options);
    for (let looks = 1; !result.agree && looks < LOOKS; looks++) {
      result = await look(sessions, tables, address, options);
    }
    yield result;
  }
}

async function look(
  sessions: readonly [Session, Session],
  tables: CrosscheckTables,
  address: bigint,
  { cpu, signal }: CrosscheckOptions,
): Promise<CrosscheckResult> {
  const options = given({ signal });
  const [first, second] = await Promise.all([
    walk(sessions[0].memory, tables.first, address, options),
    walk(sessions[1].memory, tables.second, address, options),
  ]);
  const same = isSame(first, second);
  const monitor = monitorOf(...sessions);
  const comparable = first.outcome === "mapped" || first.outcome === "notPresent";
  if (!tables.askQemu || monitor === null || !comparable) {
    return { address, first, second, agree: same };
  }
  const digits = addressDigits(first.regime);
  const at = BigInt.asUintN(digits * 4, address);
  const command = { ...cpu !== undefined && { cpu }, ...options };
  const qemu = await translateByQemu(monitor.monitor, at, command);
  const own = first.outcome === "mapped" ? first.physicalAddress : null;
  if (qemu === own) return { address, first, second, qemu, agree: same };
  // On a running guest the vCPU may be on other tables by now, and then QEMU speaks of those.
  const { root } = (await monitor.pageTable(cpu === undefined ? {} : { cpu })).context;
  if (root !== tables.first.root) return { address, first, second, agree: same };
  return { address, first, second, qemu, agree: false };
}

function isSame(first: Walk, second: Walk): boolean {
  if (first.mode !== second.mode || first.outcome !== second.outcome) return false;
  const raws = [first, second].map(({ steps }) => steps.map(({ raw }) => raw).join());
  if (raws[0] !== raws[1]) return false;
  return first.outcome !== "mapped" || second.outcome !== "mapped" ||
    (first.physicalAddress === second.physicalAddress &&
      first.pageSizeBytes === second.pageSizeBytes);
}

/** The session that has a monitor, the first one before the second. */
function monitorOf(...sessions: readonly Session[]): Session | null {
  return sessions.find(hasMonitor) ?? null;
}

function hasMonitor(session: Session): boolean {
  try {
    return session.monitor !== undefined;
  } catch (error) {
    if (error instanceof NoMonitorError) return false;
    throw error;
  }
}

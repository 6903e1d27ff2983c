/**
 * What every way into a guest must give: the same registers, and a walk that agrees with QEMU about
 * every page and about the addresses around it. Nothing here knows how the guest is reached.
 */
import { assert, assertEquals } from "@std/assert";
import {
  AddressSpace,
  CachingMemory,
  canonicalize,
  isCanonical,
  type MappedWalk,
  PAGING_MODES,
  type PagingContext,
  readTlb,
  type Session,
  type TableChoice,
  type TlbRow,
  translateByQemu,
} from "../../mod.ts";
import type { PageTableBuilder } from "../../src/testing/page_table_builder.ts";

/** One vCPU and what must be found on it. */
export interface ExpectedVcpu {
  tables: PageTableBuilder | null;
  registers: { cr0: bigint; cr3: bigint; cr4: bigint; efer: bigint };
}

/** Rows under way at once: a monitor takes commands together, and round trips are what takes time. */
const AT_ONCE = 32;

/** How much was compared. */
export interface Compared {
  rows: number;
  between: number;
  translations: number;
}

/** Compares the registers of every vCPU with what the guest was made to have. */
export async function compareRegisters(session: Session, expected: ExpectedVcpu[]): Promise<void> {
  const all = await session.allRegisters();
  assertEquals(all.map(({ cpu }) => cpu), expected.map((_, cpu) => cpu));
  for (const [cpu, { registers }] of expected.entries()) {
    for (const name of ["cr0", "cr3", "cr4", "efer"] as const) {
      assertEquals(all[cpu]![name], registers[name], `${name} of vCPU ${cpu}`);
    }
    assertEquals((await session.registers(cpu)).cr3, registers.cr3);
  }
}

/**
 * Compares the walk with QEMU's own `info tlb` and `gva2gpa` for one vCPU: each row is found with the
 * same frame and flags, and the first address after each run of rows is not mapped. Tables are read as a
 * whole, and now and then entry by entry: what a walk costs is not what is compared here.
 *
 * @param every QEMU is asked to translate for one in so many rows: what it says does not depend on how it
 *   is asked, so that one connector a guest has to ask it about all
 */
export async function compareWithQemu(
  session: Session,
  cpu: number,
  tables: PageTableBuilder | null,
  every = 1,
): Promise<Compared> {
  const compared = { rows: 0, between: 0, translations: 0 };
  const rows = await readTlb(session.monitor, { cpu, allowUnsafe: ["info tlb"] });
  if (rows === null) {
    const found = await session.walk(0x1234n, { cpu });
    assertEquals([found.mode, found.outcome], ["none", "noTables"]);
    return compared;
  }
  const starts = new Set(rows.map(({ virtualAddress }) => virtualAddress));
  const entryByEntry = await session.addressSpace({ cpu });
  const byTables = await cachedSpace(session, { cpu });
  for (let first = 0; first < rows.length; first += AT_ONCE) {
    const [row, ...others] = rows.slice(first, first + AT_ONCE);
    await Promise.all([
      compareOne(row!, entryByEntry, true),
      ...others.map((other, i) => compareOne(other, byTables, (i + 1) % every === 0)),
    ]);
  }
  return compared;

  async function compareOne(
    row: TlbRow,
    space: AddressSpace<PagingContext>,
    asksQemu: boolean,
  ): Promise<void> {
    const found = await space.walk(row.virtualAddress, { recheck: space === entryByEntry });
    if (found.outcome === "reservedBits") {
      // QEMU's list and gva2gpa do not look at reserved bits; the builder's account decides.
      assertEquals(tables?.expect(row.virtualAddress).outcome, "reservedBits");
      return;
    }
    assert(found.outcome === "mapped", `0x${row.virtualAddress.toString(16)}: ${found.outcome}`);
    compareRow(row, found);
    compared.rows++;
    const { linearAddressBits } = PAGING_MODES[space.context.mode];
    const last = row.virtualAddress + BigInt(found.pageSizeBytes) - 1n;
    if (asksQemu) {
      const byQemu = await translateByQemu(session.monitor, last, { cpu });
      assertEquals(byQemu, await space.translate(last));
      compared.translations++;
    }
    const next = last + 1n;
    if (starts.has(next) || next !== canonicalize(next, linearAddressBits)) return;
    if (!isCanonical(next, linearAddressBits)) return;
    const beyond = await space.walk(next, { recheck: false });
    assert(beyond.outcome !== "mapped", `0x${next.toString(16)} is mapped, but not in info tlb`);
    if (asksQemu) assertEquals(await translateByQemu(session.monitor, next, { cpu }), null);
    compared.between++;
  }
}

function compareRow(row: TlbRow, found: MappedWalk): void {
  const leaf = found.steps.at(-1)!;
  const at = `0x${row.virtualAddress.toString(16)}`;
  // PSE-36's upper bits are missing in QEMU's column, and PAE leaves NX in it.
  const frame = found.mode === "32-bit" ? leaf.frame & 0xffff_ffffn : leaf.frame;
  assertEquals(row.physicalAddress & ~(1n << 63n), frame, at);
  assertEquals(row.large, found.pageSizeBytes > 4096, at);
  const { flags } = leaf;
  // 32-bit entries have no NX; PAE shows it in the frame's column.
  const noExecute = row.noExecute || Boolean(row.physicalAddress >> 63n);
  assertEquals(noExecute, flags.executeDisable ?? false, at);
  for (
    const [theirs, ours] of [
      [row.user, flags.user],
      [row.writable, flags.writable],
      [row.global, flags.global],
      [row.dirty, flags.dirty],
      [row.accessed, flags.accessed],
      [row.cacheDisable, flags.cacheDisable],
      [row.writeThrough, flags.writeThrough],
    ] as const
  ) {
    assertEquals(theirs, ours, at);
  }
}

/** The chosen tables, each read once as a whole; for a guest in which nothing changes. */
export async function cachedSpace(
  session: Session,
  choice: TableChoice,
): Promise<AddressSpace<PagingContext>> {
  const { context } = await session.pageTable(choice);
  return new AddressSpace(new CachingMemory(session.memory, { granuleBytes: 4096 }), context);
}

/** Compares walks with the builder's independent account: effective rights, deciding levels. */
export async function compareWithBuilder(
  session: Session,
  cpu: number,
  tables: PageTableBuilder,
): Promise<number> {
  const leaves = tables.leaves();
  const space = await cachedSpace(session, { cpu });
  for (const leaf of leaves) {
    const found = await space.walk(leaf.va, { recheck: false });
    const at = `0x${leaf.va.toString(16)}`;
    assert(found.outcome === "mapped", at);
    assertEquals(found.physicalAddress, leaf.pa, at);
    assertEquals(found.pageSizeBytes, leaf.sizeBytes, at);
    assertEquals(found.effective, leaf.effective, at);
    const { present: _, ...decidedBy } = found.decidedBy;
    assertEquals({ ...decidedBy }, { ...leaf.decidedBy } as Record<string, number>, at);
    if (space.context.userKeys) assertEquals(found.leaf.protectionKey, leaf.leaf.protectionKey, at);
  }
  return leaves.length;
}

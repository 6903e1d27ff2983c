/** What a Linux guest says of its own page tables, held against what pagewalk reads from outside. */
import { assert, assertEquals } from "@std/assert";
import { AddressSpace, CachingMemory, type PageTable, readTlb, type Session } from "../../mod.ts";
import type { LabFact, LabGuest, LabProcess, PagemapEntry, PteDump } from "../lab/mod.ts";

/** The module's buffer holds no more entries than these many pages have. */
const PAGES_PER_REQUEST = 32;

/** The chosen process's tables as an address space. */
export async function spaceOf(session: Session, process: LabProcess): Promise<AddressSpace> {
  const table: PageTable = await session.pageTable({ root: process.root });
  return new AddressSpace(session.memory, table.context);
}

/**
 * Compares every page of a mapping: each entry on the way with the guest's own module, the frame with
 * /proc/PID/pagemap. Returns how many entries were compared.
 */
export async function compareMapping(
  guest: LabGuest,
  space: AddressSpace,
  fact: LabFact,
): Promise<number> {
  const pages = Math.min(fact.lengthBytes / fact.pageBytes, 256);
  const [entries, pagemap]: [PteDump[], PagemapEntry[]] = [[], []];
  for (let page = 0; page < pages; page += PAGES_PER_REQUEST) {
    const at = fact.address + BigInt(page * fact.pageBytes);
    const count = Math.min(PAGES_PER_REQUEST, pages - page);
    entries.push(...await guest.dump(at, count));
    pagemap.push(...await guest.pagemap(at, count));
  }
  const dumps = Map.groupBy(entries, ({ address }) => address);
  assert(dumps.size > 0, fact.name);
  let compared = 0;
  for (const [address, entries] of dumps) {
    const walk = await space.walk(address, { recheck: false });
    const at = `${fact.name} at 0x${address.toString(16)}`;
    assertEquals(
      walk.steps.map(({ level, address, raw }) => ({ level, entryAddress: address, raw })),
      entries.map(({ level, entryAddress, raw }) => ({ level, entryAddress, raw })),
      at,
    );
    compared += entries.length;
    const frame = pagemap.find((entry) => entry.address === address);
    // Linux tells no frame for a device's memory, nor for what is not present.
    if (walk.outcome !== "mapped" || fact.name === "device" || !frame) continue;
    assertEquals(walk.physicalAddress >> 12n, frame.raw & ((1n << 55n) - 1n), at);
  }
  return compared;
}

/**
 * Compares every leaf that QEMU lists for a vCPU with the walk to it, and with the listing of all
 * mappings. Returns how many.
 */
export async function compareTlb(session: Session, cpu: number): Promise<number> {
  return await session.frozen(async () => {
    const rows = await readTlb(session.monitor, { cpu, allowUnsafe: ["info tlb"] });
    // The guest stands still, so what was read stays true.
    const { context } = await session.pageTable({ cpu });
    const memory = new CachingMemory(session.memory, { granuleBytes: 4096 });
    const space = new AddressSpace(memory, context);
    for (const row of rows!) {
      const at = `0x${row.virtualAddress.toString(16)}`;
      const walk = await space.walk(row.virtualAddress, { recheck: false });
      assert(walk.outcome === "mapped", `${at}: ${walk.outcome}`);
      const { frame, flags } = walk.steps.at(-1)!;
      // QEMU leaves NX in PAE's frame column.
      assertEquals(row.physicalAddress & ~(1n << 63n), frame, at);
      assertEquals([row.user, row.writable, row.large], [
        flags.user,
        flags.writable,
        walk.pageSizeBytes > 4096,
      ], at);
    }
    const listed: bigint[] = [];
    for await (const record of session.mappings({}, { cpu, pages: true, expandShared: true })) {
      if (record.kind === "mapping") listed.push(record.address);
    }
    assertEquals(listed, rows!.map(({ virtualAddress }) => virtualAddress));
    return rows!.length;
  });
}

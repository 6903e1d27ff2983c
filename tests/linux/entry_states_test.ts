/** Every state of a page that Linux keeps in an entry that is not present, as memory has it. */
import { assertEquals } from "@std/assert";
import { pagingContext } from "../../mod.ts";
import { type AreaPages, readAreaPages } from "../../src/linux/area_pages.ts";
import type { MemoryArea } from "../../src/linux/memory_area.ts";
import { SwapTypes } from "../../src/linux/swap_types.ts";
import { areaLine } from "../../src/report/mod.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { describeNotPresent } from "../../src/translate/describe_not_present.ts";
import { listTables } from "../../src/translate/listing.ts";

const START = 0x40_0000n;
const TABLES = 0x10_0000n;

/** __swp_entry() in arch/x86/include/asm/pgtable_64.h, for an offset or a frame's number. */
const swapEntry = (type: bigint, offset: bigint) =>
  type << 59n | BigInt.asUintN(64, BigInt.asUintN(64, ~offset) << 14n) >> 5n;
/** pte_modify() to _PAGE_PROTNONE of a page that was dirty: the frame inverted, bit 8 set. */
const protNone = (frame: bigint) => ~frame & 0x000f_ffff_ffff_f000n | 0x160n;

/** Types as Linux 6.12 has them with all that may be built in (include/linux/swap.h). */
const STATES: readonly [raw: bigint, counted: keyof AreaPages, text: string][] = [
  [swapEntry(0n, 0x1234n), "swappedBytes", "swapped out: type 0, offset 0x1234"],
  [
    swapEntry(22n, 5n) | 0b1110n,
    "swappedBytes",
    "swapped out: type 22, offset 0x5 (soft-dirty, uffd-wp, exclusive)",
  ],
  [swapEntry(23n, 0x777n), "hwpoisonBytes", "a poisoned frame (hwpoison), frame 0x777000"],
  [swapEntry(24n, 0x777n), "migrationBytes", "a page being moved (migration), frame 0x777000"],
  // Above the frame's number whether it was young and dirty.
  [
    swapEntry(26n, 3n << 40n | 0x777n),
    "migrationBytes",
    "a page being moved (migration), frame 0x777000",
  ],
  [
    swapEntry(27n, 0x777n),
    "deviceBytes",
    "a page in a device's memory (device-private), frame 0x777000",
  ],
  [
    swapEntry(30n, 0x777n),
    "deviceBytes",
    "a page lent to a device (device-exclusive), frame 0x777000",
  ],
  [swapEntry(31n, 1n), "uffdWriteProtectedBytes", "no page, a marker: uffd-wp"],
  [swapEntry(31n, 2n), "poisonedBytes", "no page, a marker: poisoned"],
  [swapEntry(31n, 4n), "guardBytes", "no page, a marker: guard"],
  [
    protNone(0x777_000n),
    "numaHintingBytes",
    "PROT_NONE or marked for NUMA balancing, keeps frame 0x777000",
  ],
];

const types = await SwapTypes.of({
  release: "6.12.1",
  address: (name) =>
    Promise.resolve(
      ["memory_failure", "migration_entry_wait", "make_device_exclusive_range", "swap_info"]
          .includes(name)
        ? 0x1000n
        : null,
    ),
  symbolAt: (address) =>
    Promise.resolve({ name: "", type: "b", address: address < 0x1000n + 23n * 8n ? 0x1000n : 0n }),
});

function area(permissions: string): MemoryArea {
  const about = { offset: 0n, kind: "anonymous", name: "", flags: 3n } as const;
  return { ...about, permissions, start: START, end: START + BigInt(STATES.length) * 4096n };
}

/** Tables whose last has an entry for each state. */
function built() {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x100_0000n)] });
  const tables = new PageTableBuilder("5-level", memory, { tablesAt: TABLES });
  // The tables on the way, and one entry that the states then replace.
  tables.map(START, 0x20_0000n, "4K", { user: true });
  const context = pagingContext(registersFor(tables));
  return { memory, context };
}

Deno.test("a swap device's name is the guest's word, and printed as text", () => {
  const content = { kind: "swap", type: 1, offset: 5n, device: "/a\x1b[2J\nb" } as const;
  assertEquals(
    describeNotPresent(content),
    "swapped out: type 1 (/a\\x1b[2J\\nb), offset 0x5",
  );
});

Deno.test("each state of a page that is not present is named and counted as what it is", async () => {
  const { memory, context } = built();
  let last = 0n;
  for await (const batch of listTables(memory, context, {})) {
    for (const record of batch) if (record.kind === "page") last = record.entry.address;
  }
  STATES.forEach(([raw], i) => memory.writeU64(last + BigInt(i) * 8n, raw));
  const told: string[] = [];
  for await (const batch of listTables(memory, context, {}, { notPresent: true })) {
    for (const record of batch) {
      if (record.kind === "notPresent") {
        told.push(describeNotPresent(types.named(record.content)));
      }
    }
  }
  assertEquals(told, STATES.map(([, , text]) => text));

  const kernel = {
    nameAbsent: <T>(content: T) => Promise.resolve(types.named(content as never) as T),
    hugeZeroFrame: () => Promise.resolve(null),
  };
  const areas = [area("rw-p"), area("---p")];
  const [open, closed] = await Array.fromAsync(readAreaPages(memory, context, areas, kernel));
  const wanted = new Map<string, number>();
  for (const [, counted] of STATES) wanted.set(counted, (wanted.get(counted) ?? 0) + 4096);
  for (const [counted, bytes] of wanted) {
    assertEquals(open![counted as keyof AreaPages], bytes, counted);
  }
  assertEquals([closed!.protNoneBytes, closed!.numaHintingBytes], [4096, 0]);
  assertEquals(
    areaLine({ ...areas[0]!, pages: open! }).replace(/ +/g, " "),
    "00400000-0040b000 rw-p swapped 8 KiB, marked for NUMA balancing 4 KiB, guard 4 KiB, " +
      "userfaultfd's marks 4 KiB, poisoned 4 KiB, being moved 8 KiB, poisoned frames (hwpoison) 4 KiB, " +
      "in a device's memory 8 KiB",
  );
});

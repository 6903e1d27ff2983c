/** Every rule of audit(), hit and not hit. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { audit, type AuditOptions } from "../../src/audit/audit.ts";
import { DMA_RULES } from "../../src/audit/dma_rules.ts";
import type { Finding } from "../../src/audit/finding.ts";
import { AUDIT_RULES, type AuditRuleName } from "../../src/audit/rules.ts";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import type { EntryRights } from "../../src/testing/expected_translation.ts";
import {
  type PageSize,
  PageTableBuilder,
  type PageTableMode,
  registersFor,
} from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

const USER = 0x7f12_3456_7000n;
const KERNEL = 0xffff_8880_0000_0000n;
const RAM = [ramRange(0n, 0xa_0000n), ramRange(0x10_0000n, 0x800_0000n)];
const SAFE: EntryRights = { writable: true, noExecute: true };
const SAFE_USER: EntryRights = { ...SAFE, user: true };

function tables(mode: PageTableMode = "4-level"): PageTableBuilder {
  const memory = new SparseMemory({ ranges: RAM });
  return new PageTableBuilder(mode, memory, { tablesAt: 0x10_0000n });
}

type FoundOptions = AuditOptions & { userView?: bigint };

async function found(builder: PageTableBuilder, how: FoundOptions = {}): Promise<Finding[]> {
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

async function rules(builder: PageTableBuilder, options?: FoundOptions): Promise<string[]> {
  return (await found(builder, options)).map(({ rule, severity }) => `${severity} ${rule}`);
}

type Layout = (builder: PageTableBuilder) => unknown;
const page =
  (va: bigint, pa: bigint, rights: EntryRights, size: PageSize = "4K"): Layout => (builder) =>
    builder.map(va, pa, size, rights);
const both = (...layouts: Layout[]): Layout => (builder) => layouts.forEach((l) => l(builder));

/** What each layout leads to, and nothing else. */
const CASES: [name: string, layout: Layout, expected: string[], options?: AuditOptions][] = [
  ["nothing", () => {}, []],
  ["a user page", page(USER, 0x20_0000n, SAFE_USER), []],
  ["a kernel page", page(KERNEL, 0x20_0000n, SAFE), []],
  ["user code", page(USER, 0x20_0000n, { user: true }), []],
  ["kernel code", page(KERNEL, 0x20_0000n, {}), []],
  ["a large page", page(KERNEL, 0x20_0000n, SAFE, "2M"), []],

  ["W+X, kernel", page(KERNEL, 0x20_0000n, { writable: true }), ["high writable-executable"]],
  ["W+X, user", page(USER, 0x20_0000n, { user: true, writable: true }), [
    "medium writable-executable",
  ]],
  [
    "W+X but for a parent's XD",
    (b) =>
      b.map(KERNEL, 0x20_0000n, "4K", { writable: true }).setRights(KERNEL, 3, { noExecute: true }),
    [],
  ],
  [
    "W+X but for a parent's R/W",
    (b) =>
      b.map(KERNEL, 0x20_0000n, "4K", { writable: true }).setRights(KERNEL, 3, { writable: false }),
    [],
  ],

  ["a user page in the kernel's range", page(KERNEL, 0x20_0000n, SAFE_USER), [
    "high user-accessible-kernel-range",
  ]],
  ["the vsyscall page", page(0xffff_ffff_ff60_0000n, 0x20_0000n, { user: true }), [
    "low user-accessible-kernel-range",
  ]],
  ["a writable vsyscall page", page(0xffff_ffff_ff60_0000n, 0x20_0000n, SAFE_USER), [
    "high user-accessible-kernel-range",
  ]],
  ["a kernel's range given", page(USER, 0x20_0000n, SAFE_USER), [
    "high user-accessible-kernel-range",
  ], {
    kernelStart: USER,
  }],

  ["a table that user mode can write", page(USER, 0x10_0000n, SAFE_USER), [
    "high user-writable-table",
  ]],
  ["tables in a large page of user mode", page(0x7f12_4000_0000n, 0n, SAFE_USER, "2M"), [
    "high user-writable-table",
  ]],
  ["a table that user mode can read", page(USER, 0x10_0000n, { user: true, noExecute: true }), []],
  ["a table that the kernel can write", page(KERNEL, 0x10_0000n, SAFE), []],

  [
    "reserved bits",
    (b) => b.map(KERNEL, 0x20_0000n, "2M", SAFE).change(KERNEL, 2, (raw) => raw | 1n << 13n),
    [
      "medium reserved-bits",
    ],
  ],
  [
    "a frame beyond MAXPHYADDR",
    (b) => b.map(KERNEL, 0x20_0000n, "4K", SAFE).change(KERNEL, 1, (raw) => raw | 1n << 45n),
    [
      "medium beyond-physical-addresses",
    ],
  ],
  ["a table outside RAM", (b) => b.change(KERNEL, 2, () => 0xff_0000_0007n), [
    "high table-outside-ram",
  ]],

  ["a frame outside RAM", page(KERNEL, 0x5000_0000n, SAFE), ["medium frame-outside-ram"]],
  ["a device, uncached", page(KERNEL, 0x5000_0000n, { ...SAFE, pcd: true, pwt: true }), []],
  ["a device, uncached minus", page(KERNEL, 0x5000_0000n, { ...SAFE, pcd: true }), []],
  ["a frame outside RAM, write-combining", page(KERNEL, 0x5000_0000n, { ...SAFE, pwt: true }), []],
  ["a large page over the ISA hole", page(KERNEL, 0n, SAFE, "2M"), []],
  ["video memory", page(KERNEL, 0xb_8000n, SAFE), []],
  ["a large page that starts in RAM and ends outside", page(KERNEL, 0n, SAFE, "1G"), []],

  [
    "kernel code that can be written elsewhere",
    both(
      page(KERNEL, 0x20_0000n, SAFE),
      page(0xffff_ffff_8100_0000n, 0x20_0000n, {}),
    ),
    ["high frame-writable-and-executable"],
  ],
  [
    "kernel code that user mode can write",
    both(
      page(USER, 0x20_0000n, SAFE_USER),
      page(0xffff_ffff_8100_0000n, 0x20_0000n, {}),
    ),
    ["high frame-writable-and-executable"],
  ],
  [
    "user code that can be written elsewhere",
    both(
      page(USER, 0x20_0000n, SAFE_USER),
      page(USER + 0x1000n, 0x20_0000n, { user: true }),
    ),
    ["medium frame-writable-and-executable"],
  ],
  [
    "user code in the kernel's map of memory",
    both(
      page(USER, 0x20_0000n, { user: true }),
      page(KERNEL, 0x20_0000n, SAFE),
    ),
    [],
  ],
  [
    "user data in the kernel's map of memory",
    both(
      page(USER, 0x20_0000n, SAFE_USER),
      page(KERNEL, 0x20_0000n, SAFE, "2M"),
    ),
    [],
  ],
  [
    "a frame writable and read-only",
    both(
      page(KERNEL, 0x20_0000n, SAFE),
      page(KERNEL + 0x1000n, 0x20_0000n, { noExecute: true }),
    ),
    ["low frame-rights-differ"],
  ],
  [
    "a frame twice with the same rights",
    both(
      page(KERNEL, 0x20_0000n, SAFE),
      page(KERNEL + 0x1000n, 0x20_0000n, SAFE),
    ),
    [],
  ],
  [
    "a frame cached and uncached",
    both(
      page(KERNEL, 0x20_0000n, SAFE),
      page(KERNEL + 0x1000n, 0x20_0000n, { ...SAFE, pcd: true }),
    ),
    ["medium frame-cache-types-differ"],
  ],
  [
    "two cache indexes of one type",
    both(
      page(KERNEL, 0x20_0000n, SAFE),
      page(KERNEL + 0x1000n, 0x20_0000n, { ...SAFE, pat: true }),
    ),
    [],
  ],

  [
    "U/S below a parent that clears it",
    (b) => b.map(USER, 0x20_0000n, "4K", SAFE_USER).setRights(USER, 3, { user: false }),
    [
      "low user-leaf-below-supervisor",
    ],
  ],
  ["U/S cleared in a leaf of the user's range", page(USER, 0x20_0000n, SAFE), [
    "low supervisor-leaf-in-user-range",
  ]],
  [
    "U/S cleared by a parent and the leaf",
    (b) => b.map(USER, 0x20_0000n, "4K", SAFE).setRights(USER, 3, { user: false }),
    [],
  ],
];

for (const [name, layout, expected, options] of CASES) {
  Deno.test(`audit(): ${name}`, async () => {
    const builder = tables();
    layout(builder);
    assertEquals(await rules(builder, options), expected);
  });
}

Deno.test("audit(): every rule is hit by some test, and only known ones are", () => {
  const hit = new Set(CASES.flatMap(([, , expected]) => expected.map((e) => e.split(" ")[1])));
  // Those of DMA are in dma_test.ts.
  const dma = Object.keys(DMA_RULES) as AuditRuleName[];
  const elsewhere: AuditRuleName[] = ["kpti-exposes-kernel", "not-audited", ...dma];
  assertEquals([...hit, ...elsewhere].sort(), Object.keys(AUDIT_RULES).sort());
});

Deno.test("audit() joins what follows without a gap, and gives evidence", async () => {
  const builder = tables();
  for (let i = 0n; i < 8n; i++) {
    // Scattered frames, one page left out.
    if (i === 5n) continue;
    builder.map(KERNEL + i * 0x1000n, 0x20_0000n + (i * 5n % 8n) * 0x2000n, "4K", {
      writable: true,
    });
  }
  const findings = await found(builder);
  assertEquals(findings.map((f) => [f.address, f.lengthBytes, f.message]), [
    [KERNEL, 0x5000, "Kernel pages may be written and executed"],
    [KERNEL + 0x6000n, 0x2000, "Kernel pages may be written and executed"],
  ]);
  const { evidence } = findings[0]!;
  assertEquals(evidence.physicalAddress, 0x20_0000n);
  assertEquals(evidence.effective, { user: false, writable: true, executable: true });
  assertEquals(evidence.entry?.raw, builder.entry(KERNEL, 1));
});

Deno.test("audit() names where a table is mapped in a large page, and each way to map a frame", async () => {
  const builder = tables();
  builder.map(0x7f12_4000_0000n, 0n, "2M", SAFE_USER);
  const [table, ...more] = await found(builder);
  // Root, PDPT and PD lie one after the other from 1 MiB on.
  assertEquals([table!.address, table!.lengthBytes, more], [0x7f12_4010_0000n, 0x3000, []]);

  const other = tables();
  for (let i = 0n; i < 4n; i++) {
    other.map(KERNEL + i * 0x1000n, 0x20_0000n + i * 0x1000n, "4K", SAFE);
    other.map(0xffff_ffff_8100_0000n + i * 0x1000n, 0x20_0000n + i * 0x1000n, "4K", {});
  }
  const [split] = await found(other);
  assertEquals([split!.lengthBytes, split!.evidence.physicalAddress], [0x4000, 0x20_0000n]);
  assertEquals(
    split!.evidence.mappings!.map(({ address, effective }) => [address, effective.writable]),
    [[KERNEL, true], [0xffff_ffff_8100_0000n, false]],
  );
});

Deno.test("audit() under KPTI looks into the user's root", async () => {
  const builder = tables();
  builder.map(USER, 0x20_0000n, "4K", { user: true });
  builder.map(0xffff_fe00_0000_0000n, 0x30_0000n, "4K", SAFE);
  builder.map(0xffff_ffff_8100_0000n, 0x40_0000n, "2M", {});
  builder.map(KERNEL, 0x60_0000n, "4K", SAFE);
  const { memory, root } = builder;
  const userRoot = 0x70_0000n;
  const copy = (index: number) =>
    memory.writeU64(userRoot + BigInt(index * 8), memory.readU64(root + BigInt(index * 8)));
  // The kernel's copy of the user's entry forbids execution.
  copy(254);
  builder.setRights(USER, 4, { noExecute: true });
  for (const index of [508, 511]) copy(index);
  assertEquals(await rules(builder, { userView: userRoot }), []);
  // Each CPU's TSS stays where it is in the map of all memory.
  builder.map(KERNEL + (1n << 39n), 0x30_0000n, "4K", SAFE);
  copy(274);
  assertEquals(await rules(builder, { userView: userRoot }), []);
  copy(273);
  const [exposed, ...more] = await found(builder, { userView: userRoot });
  assertEquals([exposed!.rule, exposed!.address, more], ["kpti-exposes-kernel", KERNEL, []]);
  builder.setRights(0xffff_ffff_8100_0000n, 2, { writable: true, noExecute: true });
  assertEquals((await rules(builder, { userView: userRoot })).length, 2);
});

Deno.test("audit() looks only where it is told to, but knows all tables", async () => {
  const builder = tables();
  builder.map(KERNEL, 0x20_0000n, "4K", { writable: true });
  const context = pagingContext(registersFor(builder));
  const table = builder.entry(KERNEL, 2) & ~0xfffn;
  builder.map(USER, table, "4K", SAFE_USER);
  const range = { start: 0n, lengthBytes: 2 ** 47 };
  const findings = await Array.fromAsync(audit({ memory: builder.memory, context }, { range }));
  assertEquals(findings.map((f) => f.rule), ["user-writable-table"]);
});

Deno.test("audit() in the other modes", async () => {
  for (const mode of ["32-bit", "pae"] as const) {
    const builder = tables(mode);
    builder.map(0xc000_0000n, 0x20_0000n, "4K", { user: true });
    builder.map(0x1000n, 0x20_1000n, "4K", {});
    assertEquals(await rules(builder), [
      "low supervisor-leaf-in-user-range",
      "high user-accessible-kernel-range",
    ], mode);
  }
  const builder = tables("5-level");
  builder.map(0xff11_0000_0000_0000n, 0x20_0000n, "4K", SAFE_USER);
  assertEquals(await rules(builder), ["high user-accessible-kernel-range"]);
});

Deno.test("audit() says what it did not audit", async () => {
  const builder = tables();
  for (let i = 0n; i < 10n; i++) {
    builder.map(KERNEL + (i << 30n), 0x20_0000n + (i << 12n), "4K", SAFE);
  }
  const findings = await found(builder, { maxTables: 5 });
  assertEquals(findings.map((f) => [f.rule, f.message]), [
    ["not-audited", "The audit ended here after 5 tables"],
  ]);
  assertEquals(await rules(builder, { maxFrameRuns: 3 }), ["medium not-audited"]);
});

Deno.test("audit() of malicious tables ends quickly, in little memory, and reads RAM only", async () => {
  // RAM of 64 MiB, every word of which is an entry: to other RAM, to devices, with reserved bits.
  let outside = 0;
  let reads = 0;
  const memory: PhysicalMemory = {
    read(address, lengthBytes) {
      reads++;
      if (address + BigInt(lengthBytes) > 0x400_0000n) outside++;
      const entries = new BigUint64Array(lengthBytes / 8);
      for (let i = 0; i < entries.length; i++) {
        const mix = BigInt.asUintN(64, (address / 8n + BigInt(i) + 1n) * 0x9e37_79b9_7f4a_7c15n);
        entries[i] = (mix & 0x8000_0000_03ff_f000n) | (mix >> 58n & 6n) | 1n |
          (i % 64 === 0 ? mix & 0xff_c000_0000n : 0n);
      }
      return Promise.resolve(new Uint8Array(entries.buffer));
    },
  };
  const ram = [ramRange(0n, 0x400_0000n)];
  const bounded: PhysicalMemory = {
    async read(address, lengthBytes, options) {
      return await (address < 0x400_0000n ? memory : new SparseMemory({ ranges: ram }))
        .read(address, lengthBytes, options);
    },
  };
  const context = pagingContext({ cr0: 0x8005_0033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
  const before = Deno.memoryUsage().rss;
  const started = cpuTimeMs();
  const kinds = new Map<string, number>();
  for await (
    const { rule } of audit({ memory: bounded, context }, { ranges: ram, maxTables: 2000 })
  ) {
    kinds.set(rule, (kinds.get(rule) ?? 0) + 1);
  }
  const tookMs = cpuTimeMs() - started;
  const grownMib = (Deno.memoryUsage().rss - before) / 2 ** 20;
  console.log(
    `  ${reads} reads, ${tookMs.toFixed(0)} ms, ${grownMib.toFixed(0)} MiB,`,
    Object.fromEntries(kinds),
  );
  assertEquals(outside, 0);
  // The joined runs of each rule are many more: 2000 of each are listed, and a word on the others.
  assertLess(Math.max(...kinds.values()), 2500);
  assert(kinds.has("table-outside-ram") && kinds.has("not-audited"), [...kinds.keys()].join());
  assertLess(grownMib, 1024);
  assertLess(tookMs, 30_000);
});

Deno.test("audit() lists so many findings of each rule, counts the others, and hides no other rule", async () => {
  const builder = tables();
  for (let i = 0n; i < 20n; i++) { // Gaps keep them apart.
    builder.map(KERNEL + (i << 13n), 0x20_0000n + (i << 13n), "4K", { writable: true });
  }
  builder.map(KERNEL + (1n << 30n), 0x80_0000n, "4K", { ...SAFE, user: true });
  const findings = await found(builder, { maxFindings: 5 });
  const counts = Map.groupBy(findings, ({ rule }) => rule);
  assertEquals(counts.get("writable-executable")!.length, 5);
  assertEquals(counts.get("user-accessible-kernel-range")!.length, 1);
  const [partial] = counts.get("not-audited")!;
  assertEquals([partial!.severity, partial!.message.slice(0, 61)], [
    "high",
    "Only the first 5 of 20 findings of writable-executable are li",
  ]);
  assertEquals((await rules(builder)).includes("medium not-audited"), false);
});

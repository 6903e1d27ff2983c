/** Every rule of audit(), hit and not hit. */
import { assertEquals } from "@std/assert";
import type { AuditOptions } from "../../src/audit/audit.ts";
import { DMA_RULES } from "../../src/audit/dma_rules.ts";
import { AUDIT_RULES, type AuditRuleName } from "../../src/audit/rules.ts";
import type { EntryRights } from "../../src/testing/expected_translation.ts";
import type { PageSize, PageTableBuilder } from "../../src/testing/page_table_builder.ts";
import { KERNEL, rules, SAFE, SAFE_USER, tables, USER } from "./_tables.ts";

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

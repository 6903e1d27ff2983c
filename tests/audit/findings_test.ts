/** How audit() tells what it finds, and what it did not look at. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { audit } from "../../src/audit/audit.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { cpuTimeMs } from "../_cpu_time.ts";
import { found, KERNEL, rules, SAFE, SAFE_USER, tables, USER } from "./_tables.ts";

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

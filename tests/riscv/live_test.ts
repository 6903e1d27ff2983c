/**
 * Random tables on bare RISC-V guests of a real QEMU: the walk must agree with `gva2gpa`, and the listing
 * with `info mem`, in every mode.
 */
import { assert, assertEquals } from "@std/assert";
import { parseRiscvRegisters } from "../../src/arch/riscv/parse_registers.ts";
import { riscvRegimeOf, riscvStagesOf } from "../../src/arch/riscv/hart_regime.ts";
import { connectMonitor } from "../../src/monitor/connect_monitor.ts";
import type { Monitor } from "../../src/monitor/monitor.ts";
import { parseSocket } from "../../src/monitor/endpoint.ts";
import { MonitorMemory } from "../../src/memory/monitor_memory.ts";
import type { PhysicalMemory } from "../../src/memory/physical_memory.ts";
import { type RiscvBareHart, startRiscvBareGuest } from "../../src/testing/riscv_bare_guest.ts";
import type { RiscvPageTables } from "../../src/testing/riscv_page_tables.ts";
import { listTables } from "../../src/translate/listing.ts";
import type { Regime } from "../../src/translate/regime.ts";
import { secondStage } from "../../src/translate/second_stage.ts";
import { walk } from "../../src/translate/walk.ts";
import { freePort, QEMU_32, QEMU_64, riscvLiveTest } from "./_qemu.ts";
import { fillRandomly, Numbers } from "./_random_layout.ts";

const CPU_64 = "rv64,svnapot=on,svpbmt=on";
const ADUE_AND_PBMTE = 3n << 61n;

/** The registers of a hart, once it spins in its loop. */
async function hartAt(monitor: Monitor, cpu: number, loopAddress: bigint) {
  for (let tries = 0; tries < 30_000; tries++) {
    const all = parseRiscvRegisters(await monitor.command("info registers -a"));
    assert(Array.isArray(all), Deno.inspect(all));
    const hart = all[cpu]!;
    if (BigInt.asUintN(32, hart.pc) === loopAddress) return { ...hart, cpu };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Hart ${cpu} does not come to its loop`);
}

async function byQemu(monitor: Monitor, va: bigint): Promise<bigint | null> {
  const text = await monitor.command(`gva2gpa 0x${va.toString(16)}`);
  const digits = /^gpa: (?:0x)?([0-9a-f]+)/.exec(text.trim())?.[1];
  assert(digits !== undefined || /^Unmapped/.test(text.trim()), text);
  return digits === undefined ? null : BigInt(`0x${digits}`);
}

/** QEMU 7.2 does not look at reserved bits 60 to 54, nor at memory type 3: there the builder is the measure. */
function isUnchecked(raw: bigint): boolean {
  return (raw >> 54n & 0x7fn) !== 0n || (raw >> 61n & 3n) === 3n;
}

/** Holds the walk against `gva2gpa` and the builder; returns how many were mapped. */
async function compare(
  monitor: Monitor,
  regime: Regime,
  asked: readonly bigint[],
  { tables, memory }: { tables?: RiscvPageTables; memory: PhysicalMemory },
): Promise<{ probes: number; mapped: number }> {
  let mapped = 0;
  const differences: string[] = [];
  const probe = async (va: bigint) => {
    const found = await walk(memory, regime, va, { recheck: false });
    const ours = found.outcome === "mapped" ? found.physicalAddress : null;
    const last = found.steps.at(-1);
    const qemus = last && isUnchecked(last.raw) ? ours : await byQemu(monitor, va);
    if (ours !== null) mapped++;
    const expected = tables?.expect(va);
    const builders = expected?.outcome === "mapped" ? expected.physicalAddress : null;
    if (ours === qemus && (tables === undefined || ours === builders)) return;
    const [a, b, c, raw] = [ours, qemus, builders, last?.raw].map((each) => each?.toString(16));
    differences.push(`${va.toString(16)}: ${found.outcome} ${a}, QEMU ${b}, builder ${c}, ${raw}`);
  };
  for (let i = 0; i < asked.length; i += 64) {
    await Promise.all(asked.slice(i, i + 64).map(probe));
  }
  assertEquals(differences, []);
  return { probes: asked.length, mapped };
}

/** The rows that QEMU's `info mem` must have by its rule, from the listing. */
async function rowsByListing(memory: MonitorMemory, regime: Regime): Promise<string[]> {
  const rows: { va: bigint; pa: bigint; size: bigint; bits: bigint }[] = [];
  let isBroken = true;
  let lastTable = -1n;
  for await (const batch of listTables(memory, regime, {}, { tables: true, expandShared: true })) {
    for (const record of batch) {
      if (record.kind === "table") isBroken = true;
      if (record.kind !== "page") continue;
      const { address: va, physicalAddress: pa, entry } = record;
      const size = BigInt(record.lengthBytes);
      const bits = entry.raw & 0xffn;
      const table = entry.address - BigInt(entry.index * (regime.spans[0]!.entryBytes));
      const last = rows.at(-1);
      const goesOn = !isBroken && table === lastTable && last !== undefined &&
        last.va + last.size === va && last.pa + last.size === pa && last.bits === bits;
      if (goesOn) last.size += size;
      else rows.push({ va, pa, size, bits });
      isBroken = false;
      lastTable = table;
    }
  }
  const digits = regime.spans[0]!.entryBytes === 4 ? 8 : 16;
  const hex = (value: bigint, width: number) => value.toString(16).padStart(width, "0");
  return rows.map(({ va, pa, size, bits }) => {
    const attributes = [...["r", "w", "x", "u", "g", "a", "d"]].map((letter, i) =>
      bits >> BigInt(i + 1) & 1n ? letter : "-"
    );
    return `${hex(va, digits)} ${hex(pa, 16)} ${hex(size, digits)} ${attributes.join("")}`;
  });
}

for (const [seed, mode] of (["Sv32", "Sv39", "Sv48", "Sv57"] as const).entries()) {
  riscvLiveTest(`${mode}: walks agree with gva2gpa, listings with info mem`, async () => {
    const port = freePort();
    const asked: bigint[][] = [];
    await using guest = await startRiscvBareGuest({
      // The first hart has all that a table can hold, the second what `info mem` shows rightly.
      harts: [{ mode }, { mode }],
      fill({ tables }, number) {
        asked.push(fillRandomly(tables, new Numbers(7 * seed + number), { isWild: number === 0 }));
      },
      ...mode === "Sv32"
        ? { binary: QEMU_32 }
        : { binary: QEMU_64, cpu: CPU_64, menvcfg: ADUE_AND_PBMTE },
      args: ["-monitor", `tcp:127.0.0.1:${port},server=on,wait=off`],
    });
    await using monitor = await connectMonitor(parseSocket(`127.0.0.1:${port}`, String(port)), {
      allowUnsafe: ["info mem", "cpu"],
    });
    for (const [number, { tables }] of guest.harts.entries()) {
      const hart = await hartAt(monitor, number, guest.loopAddress);
      const regime = riscvRegimeOf(hart);
      assertEquals([regime.mode, regime.root, regime.noTables], [mode, tables.root, undefined]);
      await monitor.command(`cpu ${number}`);
      const { probes, mapped } = await compare(monitor, regime, asked[number]!, {
        tables,
        // What was loaded is what is there: one hart's tables are read through the monitor all the same.
        memory: number === 0 ? new MonitorMemory(monitor) : guest.memory,
      });
      assert(probes >= 300 && mapped >= 150, `${probes} ${mapped}`);
      console.log(`${mode}, hart ${number}: ${probes} probes, ${mapped} mapped, 0 differ`);
      if (number === 0) continue;
      const text = await monitor.command("info mem");
      const rows = text.split(/\r?\n/).filter((line) => /^[0-9a-f]{8}/.test(line));
      assertEquals(
        rows.map((row) => row.trim()),
        await rowsByListing(new MonitorMemory(monitor), regime),
      );
      assert(rows.length >= 60, String(rows.length));
      console.log(`${mode}: ${rows.length} rows of info mem, 0 differ`);
    }
  });
}

for (
  const [seed, [mode, second]] of ([
    ["Sv32", "Sv32x4"],
    ["Sv39", "Sv39x4"],
    ["Sv39", "Sv57x4"],
    ["Sv48", "Sv39x4"],
    ["Sv57", "Sv48x4"],
  ] as const).entries()
) {
  riscvLiveTest(`${mode} through ${second}: walks agree with gva2gpa`, async () => {
    const port = freePort();
    let asked: bigint[] = [];
    await using guest = await startRiscvBareGuest({
      harts: [{ mode, second }],
      fill({ tables, second: stage }) {
        // The second stage maps some of the first one's frames. QEMU 7.2 cuts the 34 bits of a
        // guest-physical address in Sv32x4 to 32, so there it is no measure for higher ones.
        const frameBits = mode === "Sv32" ? 32 : 34;
        asked = fillRandomly(tables, new Numbers(100 + seed), { isWild: false, frameBits });
        const numbers = new Numbers(200 + seed);
        const frames = asked.flatMap((va) => {
          const found = tables.expect(va);
          return found.outcome === "mapped" ? [found.physicalAddress & ~0xfffn] : [];
        });
        for (const frame of new Set(frames)) {
          const to = numbers.below(1n << (mode === "Sv32" ? 33n : 50n)) & ~0xfffn;
          const bits = numbers.pick(["VRWXUAD", "VRWXUAD", "VRUAD", "VRWXAD", "VXUAD", "V"]);
          stage!.map(frame, to, 0, { bits });
        }
      },
      ...mode === "Sv32"
        ? { binary: QEMU_32, cpu: "rv32,h=on" }
        : { binary: QEMU_64, cpu: "rv64,h=on" },
      args: ["-monitor", `tcp:127.0.0.1:${port},server=on,wait=off`],
    });
    await using monitor = await connectMonitor(parseSocket(`127.0.0.1:${port}`, String(port)));
    const hart = await hartAt(monitor, 0, guest.loopAddress);
    assertEquals(hart.virtualized, true);
    // satp is the inner guest's: by itself it is no root of the guest's tables.
    assertEquals(riscvRegimeOf(hart).noTables?.kind, "nested");
    const [{ tables, second: stage }] = guest.harts as [RiscvBareHart];
    assertEquals(hart.satp, tables.rootRegister);
    const stages = riscvStagesOf({
      ...hart,
      vsatp: tables.rootRegister,
      hgatp: stage!.rootRegister,
    });
    assert(stages?.first && stages.second);
    assertEquals([stages.first.mode, stages.second.mode], [mode, second]);
    const regime = { ...stages.first, stage2: secondStage(stages.second) };
    const { probes, mapped } = await compare(monitor, regime, asked, { memory: guest.memory });
    assert(probes >= 300 && mapped >= 60 && mapped < probes - 60, `${probes} ${mapped}`);
    console.log(`${mode} through ${second}: ${probes} probes, ${mapped} mapped, 0 differ`);
  });
}

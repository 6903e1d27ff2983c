import type { PageTableMode } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { startQemu } from "../../src/testing/qemu_process.ts";
import { CASES, PARAMETERS, RAM_BYTES, TARGET } from "./_memory_layout.ts";
import { type AccessedPage, buildPages } from "./_pages.ts";

/** One access, and the registers that it is performed under. */
export interface AccessCase {
  page: AccessedPage;
  cr0: bigint;
  cr4: bigint;
  efer: bigint;
  pkru: number;
  pkrs: number;
  user: boolean;
  write: boolean;
  fetch: boolean;
  alignmentCheck: boolean;
}

/** What the processor did. */
export type AccessResult =
  | { went: "through" }
  | { went: "fault"; vector: number; error: number; cr2: bigint };

/** The tables that a guest is built of. */
export interface AccessTables {
  mode: PageTableMode;
  memory: SparseMemory;
  root: bigint;
  pages: AccessedPage[];
}

const CASE_BYTES = 64;
const RET = 0xc3;

/** Lays out the tables of a mode, with every kind of page. */
export function accessTables(mode: PageTableMode): AccessTables {
  const memory = new SparseMemory({ ranges: [ramRange(0x10_0000n, BigInt(RAM_BYTES))] });
  const { tables, pages } = buildPages(mode, memory);
  return { mode, memory, root: tables.root, pages };
}

/** Runs every case on a real QEMU and returns what came of each, in order. */
export async function performAccesses(
  tables: AccessTables,
  cases: readonly AccessCase[],
): Promise<AccessResult[]> {
  const directory = await Deno.makeTempDir({ prefix: "pagewalk-access-" });
  try {
    const path = (name: string) => `${directory}/${name}`;
    await assemble(tables.mode, path("program"));
    const [run] = tables.memory.writtenRuns();
    await Deno.writeFile(path("tables"), run!.bytes);
    await Deno.writeFile(path("target"), new Uint8Array(4096).fill(RET));
    await Deno.writeFile(path("parameters"), parametersOf(tables, cases));
    await Deno.writeFile(path("cases"), encodeCases(cases));
    const loaders = ([[run!.address, "tables"], [TARGET, "target"], [PARAMETERS, "parameters"], [
      CASES,
      "cases",
    ]] as const).flatMap(([address, name]) => [
      "-device",
      `loader,file=${path(name)},addr=0x${address.toString(16)},force-raw=on`,
    ]);
    const megabytes = `${RAM_BYTES >> 20}M`;
    await using _qemu = await startQemu([
      ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-accel", "tcg"],
      ...["-cpu", "max", "-m", megabytes, "-machine", "pc,memory-backend=ram", "-object"],
      `memory-backend-file,id=ram,size=${megabytes},mem-path=${path("ram")},share=on`,
      ...["-kernel", path("program"), ...loaders, "-debugcon", "stdio"],
    ], { readyBytes: "D", timeoutMs: 120_000 });
    return await readResults(path("ram"), cases.length);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function assemble(mode: PageTableMode, output: string): Promise<void> {
  const long = mode === "4-level" || mode === "5-level" ? ["-DLONG"] : [];
  const sections = ["-N", "-Ttext=0x100000", "--build-id=none", "--no-warn-rwx-segments"];
  const starts = ["user=0x110000", "ustack=0x111000", "kernel=0x120000"]
    .map((start) => `--section-start=.${start}`);
  const { success, stderr } = await new Deno.Command("gcc", {
    args: [
      ...["-m32", ...long, "-nostdlib", "-static", "-no-pie"],
      `-Wl,${[...sections, ...starts].join(",")}`,
      ...["-o", output, new URL("access_guest.S", import.meta.url).pathname],
    ],
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

function parametersOf(tables: AccessTables, cases: readonly AccessCase[]): Uint8Array<ArrayBuffer> {
  const { cr0, cr4, efer } = cases[0]!;
  return new Uint8Array(
    Uint32Array.from(
      [cr4, tables.root, efer, cr0, BigInt(cases.length)].map(Number),
    ).buffer,
  );
}

function encodeCases(cases: readonly AccessCase[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(cases.length * CASE_BYTES));
  cases.forEach((one, i) => {
    const at = i * CASE_BYTES;
    view.setBigUint64(at, one.page.address, true);
    const kind = (one.user ? 1 : 0) | (one.write ? 2 : 0) | (one.fetch ? 4 : 0) |
      (one.alignmentCheck ? 8 : 0);
    [Number(one.cr0), Number(one.cr4), Number(one.efer), one.pkru, kind, one.pkrs]
      .forEach((word, n) => view.setUint32(at + 8 + 4 * n, word, true));
  });
  return new Uint8Array(view.buffer);
}

async function readResults(ram: string, count: number): Promise<AccessResult[]> {
  using file = await Deno.open(ram);
  await file.seek(CASES, Deno.SeekMode.Start);
  const bytes = new Uint8Array(count * CASE_BYTES);
  for (let at = 0; at < bytes.length;) at += await file.read(bytes.subarray(at)) ?? bytes.length;
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, i) => {
    const at = i * CASE_BYTES;
    const result = view.getUint32(at + 32, true);
    if (result === 1) return { went: "through" };
    if (result !== 2) throw new Error(`Case ${i} was not performed`);
    return {
      went: "fault",
      vector: view.getUint32(at + 36, true),
      error: view.getUint32(at + 40, true),
      cr2: view.getBigUint64(at + 48, true),
    };
  });
}

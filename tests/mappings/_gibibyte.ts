import { SparseMemory } from "../../src/testing/sparse_memory.ts";
import { ramRange } from "../../src/testing/sparse_memory.ts";

/** Page tables for a QEMU to load beside what a guest has: their root must be named. */
export interface LoadedTables extends AsyncDisposable {
  /** The first linear address that they map. */
  start: bigint;
  /** The guest-physical address of the top table. */
  root: bigint;
  /** The same tables, without a guest. */
  memory: SparseMemory;
  /** How QEMU is told to load them. */
  qemuArgs: string[];
}

/** 32 MiB: above what the bare guest uses. */
const ROOT = 0x200_0000n;
const START = 0x7f00_0000_0000n;

/** 4-level tables that map whole gibibytes by 4 KiB pages of scattered frames, `_PAGE_USER` clear. */
export function gibibyteTables(
  gibibytes = 1,
): { memory: SparseMemory; root: bigint; start: bigint } {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x10_0000_0000n)] });
  let next = ROOT;
  const table = () => (next += 4096n) - 4096n;
  const write = (at: bigint, index: number, entry: bigint) =>
    memory.writeU64(at + BigInt(index * 8), entry);
  const root = table();
  const pdpt = table();
  write(root, 254, pdpt | 7n);
  for (let gibibyte = 0; gibibyte < gibibytes; gibibyte++) {
    const directory = table();
    write(pdpt, gibibyte, directory | 7n);
    for (let i = 0; i < 512; i++) {
      const pages = table();
      write(directory, i, pages | 7n);
      const entries = BigUint64Array.from(
        { length: 512 },
        (_, j) => BigInt(((i * 512 + j) * 37) % 16_384) * 4096n | 0x8000_0000_0000_0863n,
      );
      memory.writeBytes(pages, new Uint8Array(entries.buffer));
    }
  }
  return { memory, root, start: START };
}

/** Writes the tables of {@linkcode gibibyteTables} to a file for QEMU's loader. */
export async function loadGibibyte(): Promise<LoadedTables> {
  const { memory, root, start } = gibibyteTables();
  const file = await Deno.makeTempFile({ prefix: "pagewalk-tables-" });
  const [run] = memory.writtenRuns();
  await Deno.writeFile(file, run!.bytes);
  return {
    start,
    root,
    memory,
    qemuArgs: ["-device", `loader,file=${file},addr=0x${run!.address.toString(16)},force-raw=on`],
    async [Symbol.asyncDispose]() {
      await Deno.remove(file);
    },
  };
}

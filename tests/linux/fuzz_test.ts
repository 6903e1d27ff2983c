import { assert, assertEquals, assertInstanceOf, assertLess } from "@std/assert";
import fc from "fast-check";
import { contextOf } from "../../src/arch/x86/paging_context.ts";
import { PagewalkError } from "../../src/core/errors.ts";
import { Btf } from "../../src/linux/btf/btf.ts";
import { BtfBlob, LiveBtf, SectionBtf } from "../../src/linux/btf/btf_source.ts";
import { decodeBtfType } from "../../src/linux/btf/btf_type.ts";
import { FilePaths } from "../../src/linux/file_paths.ts";
import { Kallsyms } from "../../src/linux/kallsyms/kallsyms.ts";
import { locateKallsyms } from "../../src/linux/kallsyms/locate.ts";
import { decodeNames, decodeTokens } from "../../src/linux/kallsyms/names.ts";
import { findKernelImage } from "../../src/linux/kernel_image.ts";
import { parseKnowledge } from "../../src/linux/kernel_cache.ts";
import { readMapleTree } from "../../src/linux/maple_tree.ts";
import { logRange, openPrintkRing, readLog } from "../../src/linux/printk_ring.ts";
import { areaOffsets } from "../../src/linux/structural_areas.ts";
import { processOffsets } from "../../src/linux/structural_offsets.ts";
import { readTaskList } from "../../src/linux/task_list.ts";
import { parseVmcoreinfo } from "../../src/linux/vmcoreinfo.ts";
import { parseVfioLog } from "../../src/linux/vfio_log.ts";
import {
  BASE,
  btfHeader,
  garbage,
  LOG_LAYOUT,
  LOG_WORDS,
  NODE_WORDS,
  POINTERS,
  tangled,
  TASK_WORDS,
  TYPE_WORDS,
  VMCOREINFO,
  vmcoreinfoOf,
  type Word,
} from "./_hostile.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

/** No decoder may take longer on garbage, on any machine that runs tests. */
const LONGEST_MS = 30_000;
const BYTES = fc.uint8Array({ minLength: 1, maxLength: 2048 });
/** Small words make counts, kinds and lengths that go on; random bytes mostly end at once. */
const WORDS = fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 3, 8, 16, 0xeb9f, 0x1eb9f), fc.nat()), {
  minLength: 1,
  maxLength: 400,
}).map((words) => new Uint8Array(new Uint32Array(words).buffer));
const SOME_BYTES = fc.oneof(BYTES, WORDS);
const MEMORY = fc.oneof(SOME_BYTES.map(garbage), POINTERS.map((pointers) => tangled(pointers)));

/** Runs a decoder: it may answer or end in one of our errors, and in time. */
async function endsWell(decode: () => unknown): Promise<void> {
  const started = cpuTimeMs();
  try {
    await decode();
  } catch (error) {
    assertInstanceOf(error, PagewalkError, `${error}`);
    assert(!error.message.includes("\n"), error.message);
  }
  assertLess(cpuTimeMs() - started, LONGEST_MS);
}

function fuzz<T>(
  name: string,
  input: fc.Arbitrary<T>,
  decode: (value: T) => unknown,
  numRuns = 200,
): void {
  Deno.test(`garbage ends well: ${name}`, async () => {
    await fc.assert(fc.asyncProperty(input, (value) => endsWell(() => decode(value))), { numRuns });
  });
}

const OFFSETS = new Map([
  ["task_struct.state", 0],
  ["task_struct.flags", 4],
  ["task_struct.tasks", 8],
  ["task_struct.mm", 24],
  ["task_struct.exit_state", 32],
  ["task_struct.pid", 36],
  ["task_struct.tgid", 40],
  ["task_struct.thread_node", 48],
  ["task_struct.comm", 64],
  ["task_struct.signal", 80],
  ["signal_struct.thread_head", 0],
  ["mm_struct.pgd", 0],
  ["file.f_path", 0],
  ["path.mnt", 0],
  ["path.dentry", 8],
  ["vfsmount.mnt_root", 0],
  ["mount.mnt", 16],
  ["mount.mnt_parent", 0],
  ["mount.mnt_mountpoint", 8],
  ["dentry.d_parent", 0],
  ["dentry.d_name", 8],
  ["dentry.d_hash", 24],
  ["dentry.d_op", 40],
  ["qstr.len", 0],
  ["qstr.name", 8],
  ["hlist_bl_node.pprev", 8],
]);

fuzz("BTF types", SOME_BYTES, (bytes) => decodeBtfType(bytes));
fuzz("a whole BTF", SOME_BYTES, async (bytes) => {
  const header = Uint8Array.of(0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0);
  const rest = new Uint8Array(12);
  const view = new DataView(rest.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint32(4, 0, true);
  view.setUint32(8, bytes.length, true);
  const blob = new BtfBlob(new Uint8Array([...header, ...rest, ...bytes]));
  const btf = new Btf(blob);
  for (let id = 0; id < Math.min(blob.count, 50); id++) {
    await endsWell(() => btf.layout(id));
    await endsWell(() => btf.cName(id));
    await endsWell(() => btf.members(id, ["tasks", "mm"]));
  }
});
fuzz("the kernel's table of types", fc.tuple(POINTERS, TYPE_WORDS), async ([pointers, types]) => {
  const memory = tangled(pointers, [
    [0, BASE],
    [8, BASE + 1024n],
    ...btfHeader(48, 8000),
    ...Array.from({ length: 64 }, (_, i): Word => [1024 + i * 8, BASE + BigInt(2048 + i * 24)]),
    ...types.map((word, i): Word => [2048 + i * 8, word]),
  ]);
  const live = await LiveBtf.open(memory, BASE);
  await endsWell(() => live.asBase());
  const btf = new Btf(live);
  for (let id = 1; id < 64; id++) await endsWell(() => btf.layout(id));
  await btf.members(1, ["tasks"]);
});
fuzz("the section of types", fc.tuple(POINTERS, TYPE_WORDS), async ([pointers, types]) => {
  const words = types.map((word, i): Word => [24 + i * 8, word]);
  const memory = tangled(pointers, [...btfHeader(0, 8000), ...words]);
  const section = await SectionBtf.open(memory, BASE);
  await endsWell(() => section.structNamed("task_struct"));
  const btf = new Btf(section);
  for (let id = 1; id < 64; id++) await endsWell(() => btf.layout(id));
});
fuzz(
  "kallsyms is looked for",
  MEMORY,
  (memory) =>
    locateKallsyms(memory, { start: BASE, end: BASE + 0x80_0000n, text: BASE - 0x100_0000n }),
  60,
);
fuzz("names of kallsyms", fc.tuple(SOME_BYTES, BYTES), ([bytes, table]) => {
  const tokens = decodeTokens(table)?.tokens ?? Array.from({ length: 256 }, (_, i) => `${i}`);
  decodeNames(bytes, 100_000, tokens);
});
fuzz("tables of kallsyms", fc.tuple(MEMORY, fc.boolean()), async ([memory, hasSeqs]) => {
  const kallsyms = new Kallsyms(memory, {
    count: 100_000,
    offsetKind: "percpu",
    relativeBase: BASE,
    offsets: BASE,
    names: BASE + 0x1000n,
    namesBytes: 1 << 20,
    markers: BASE + 0x2000n,
    seqs: hasSeqs ? BASE + 0x3000n : null,
    tokenTable: BASE + 0x800n,
  });
  await endsWell(() => kallsyms.symbol("init_task"));
  await endsWell(() => kallsyms.symbolAt(BASE + 0x500n));
}, 40);
fuzz("VMCOREINFO", fc.oneof(fc.string(), VMCOREINFO), parseVmcoreinfo);
fuzz("a maple tree", fc.tuple(NODE_WORDS, fc.nat(0xffff)), ([words, low]) => {
  const root = BASE + BigInt(low & 0x1f00 | 0x1e);
  return readMapleTree(tangled([], words), root);
});
fuzz("the task list", fc.tuple(POINTERS, TASK_WORDS), ([pointers, words]) => {
  return readTaskList({ reader: tangled(pointers, words), offsets: OFFSETS, initTask: BASE });
}, 60);
fuzz(
  "paths of files",
  MEMORY,
  (memory) => new FilePaths(memory, OFFSETS, { anonInodeOperations: null }).pathOf(BASE),
);
fuzz("how the log is laid out", fc.tuple(MEMORY, VMCOREINFO), ([memory, text]) => {
  return openPrintkRing(memory, parseVmcoreinfo(text));
});
fuzz("the log", fc.tuple(POINTERS, LOG_WORDS), async ([pointers, words]) => {
  const memory = tangled(pointers, words);
  const ring = await openPrintkRing(memory, parseVmcoreinfo(vmcoreinfoOf(LOG_LAYOUT)));
  let records = 0;
  for await (const _ of readLog(memory, ring, await logRange(memory, ring))) records++;
  assert(records <= 16);
});
fuzz("offsets by structure", fc.tuple(POINTERS, TASK_WORDS), ([pointers, words]) => {
  const reader = tangled(pointers, words);
  return processOffsets({ reader, initTask: BASE, kernelTable: BASE + 0x1000n });
}, 60);
fuzz("offsets of areas", MEMORY, (reader) => areaOffsets(reader, BASE));
fuzz(
  "page tables without a kernel",
  fc.tuple(BYTES, fc.bigInt(0n, 1n << 40n)),
  ([bytes, root]) =>
    findKernelImage(garbage(bytes), () =>
      Promise.resolve([contextOf({
        mode: "4-level",
        root: root & ~0xfffn,
        pageSizeExtension: false,
        executeDisable: true,
        writeProtect: true,
        smep: true,
        smap: true,
        userKeys: false,
        supervisorKeys: false,
        physicalAddressBits: 52,
      })])),
  20,
);
fuzz("a cache file", fc.oneof(fc.string(), fc.json()), (text) => {
  assertEquals(parseKnowledge(text), null);
});
fuzz("a log with VFIO's lines", fc.string(), (text) => {
  parseVfioLog(`VFIO: Clearing _PAGE_USER ${text}\nVFIO: Successfully cleared _PAGE_USER${text}`);
});

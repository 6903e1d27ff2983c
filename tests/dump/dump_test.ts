import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type CpuRegisters,
  DumpFormatError,
  InvalidArgumentError,
  pagingMode,
  parseRamLayout,
} from "../../mod.ts";
import { readDump } from "../../src/connectors/dump/dump.ts";
import { CONTAINERS } from "../../src/connectors/dump/magics.ts";
import { bufferBytes } from "../../src/connectors/dump/dump_bytes.ts";
import { rawRanges } from "../../src/connectors/dump/ram_layout.ts";
import { buildCore, type CoreShape } from "./_elf_builder.ts";

const PAGE = new Uint8Array(4096).fill(0xab);
const LONG_MODE = { cr0: 0x80010011n, cr3: 0x1000n, cr4: 0xa0n };
const CORE: CoreShape = {
  bits: 64,
  segments: [{ paddr: 0n, bytes: PAGE }, { paddr: 1n << 32n, bytes: PAGE }],
  cpus: [LONG_MODE, { ...LONG_MODE, cr3: 0x2000n }],
};

function read(bytes: Uint8Array) {
  const dump = readDump(bufferBytes(bytes));
  return { ...dump, registers: dump.registers as readonly CpuRegisters[] };
}

Deno.test("a core gives each vCPU's registers, and its memory below and above 4 GiB", () => {
  const { registers, ranges } = read(buildCore(CORE));
  assertEquals(registers.map(({ cpu, cr3 }) => [cpu, cr3]), [[0, 0x1000n], [1, 0x2000n]]);
  assertEquals(ranges.map(({ start, end }) => [start, end]), [
    [0n, 4096n],
    [1n << 32n, (1n << 32n) + 4096n],
  ]);
});

/** What of a core's header says whose it is, in the other byte order. */
function bigEndian(core: Uint8Array): Uint8Array {
  const bytes = core.slice();
  bytes[5] = 2;
  for (const at of [16, 18]) bytes.subarray(at, at + 2).reverse();
  return bytes;
}

Deno.test("the paging mode follows from the core's machine and each vCPU's own registers", () => {
  const modeOf = (machine: number, cpu: CoreShape["cpus"][number]) =>
    pagingMode(read(buildCore({ ...CORE, machine, cpus: [cpu] })).registers[0]!);
  assertEquals(modeOf(62, LONG_MODE), "4-level");
  assertEquals(modeOf(62, { ...LONG_MODE, cr4: 0x10a0n }), "5-level");
  assertEquals(modeOf(62, { ...LONG_MODE, cr0: 0x11n }), "none");
  assertEquals(modeOf(3, LONG_MODE), "pae");
  assertEquals(modeOf(3, { ...LONG_MODE, csFlags: 1 << 21 }), "4-level");
  assertEquals(modeOf(3, { ...LONG_MODE, cr4: 0x90n }), "32-bit");
});

Deno.test("a core of 32 bits, and one with more headers than its header can count", () => {
  for (const bits of [32, 64] as const) {
    for (const manyHeaders of [false, true]) {
      const segments = [{ paddr: 0x1000n, bytes: PAGE }];
      const { ranges } = read(buildCore({ ...CORE, bits, manyHeaders, segments }));
      assertEquals(ranges.map(({ start }) => start), [0x1000n]);
    }
  }
});

Deno.test("segments for the same memory are one range, and so is what lies between like ones", () => {
  const empty = new Uint8Array(0);
  const shape = (paddrs: bigint[]) =>
    buildCore({
      ...CORE,
      segments: [
        ...paddrs.map((paddr) => ({ vaddr: 0xffff_8000_0000_0000n, paddr, bytes: PAGE })),
        { vaddr: 0x1000n, paddr: 0xfee0_0000n, bytes: empty },
      ],
    });
  // Three pages in a row; then a hole of one.
  assertEquals(
    read(shape([0n, 4096n, 8192n, 16384n])).ranges.map(({ start, end }) => [start, end]),
    [[0n, 12288n], [16384n, 20480n]],
  );
  assertThrows(() => read(shape([0n, 1024n])), DumpFormatError, "twice");
});

Deno.test("what is no dump is refused, and the message says what it is", () => {
  const wrong: [Uint8Array | string, string][] = [
    ["", "is empty"],
    ["KDUMP   \x06", "kdump-compressed"],
    ["makedumpfile\0\0", "flattened"],
    ["PAGEDU64", "Windows"],
    ["QFI\xfb", "disk image"],
    ["QEVM\0\0\0\x03", "migration"],
    ["\x1f\x8b\x08", "compressed by gzip"],
    ["EMiL\x01\0\0\0", "LiME"],
    ["AVML\x02\0\0\0", "AVML"],
    ["LibvirtQemudSave\x02", "virsh dump --memory-only"],
    ["LibvirtQemudPart\x02", "did not finish"],
    ["DISKDUMP", "diskdump"],
    ["\xd2\xbe\xd2\xbe\x08", "VMware"],
    ["\x7fVirtualBox SavedState V1.2", "VirtualBox"],
    [`${"\0".repeat(4086)}S1SUSPEND`, "hibernation"],
    [`${"name".padEnd(257, "\0")}ustar\x0000`, "tar archive"],
    ["PK\x03\x04\x14", "zip archive"],
    ["BZh91AY&SY", "bzip2"],
    ["\xfd7zXZ\0", "compressed by xz"],
    ["\x28\xb5\x2f\xfd", "zstd"],
    ["\x04\x22\x4d\x18", "lz4"],
    ['{"pagewalk":"recording","version":1}', "replay:"],
    ["\x7fELF\x02\x02", "cut short"],
    [buildCore({ ...CORE, machine: 183 }), "but of AArch64 (ELF machine 183)"],
    [buildCore({ ...CORE, machine: 258 }), "but of LoongArch (ELF machine 258)"],
    [buildCore({ ...CORE, machine: 9999 }), "but of another architecture (ELF machine 9999)"],
    [bigEndian(buildCore({ ...CORE, machine: 22 })), "but of s390x (ELF machine 22)"],
    [bigEndian(buildCore({ ...CORE, machine: 21 })), "but of PowerPC (ELF machine 21)"],
    [bigEndian(buildCore(CORE)), "byte order is not its machine's"],
    [buildCore({ ...CORE, cpus: [] }), "no QEMU notes"],
    [buildCore({ ...CORE, cpus: [{ ...LONG_MODE, version: 2 }] }), "version 2"],
    [buildCore({ ...CORE, segments: [] }), "no guest memory"],
    [
      buildCore({ ...CORE, segments: [{ paddr: 0n, bytes: PAGE, fileBytes: 9n ** 9n }] }),
      "disk full",
    ],
    [
      buildCore({ ...CORE, segments: [{ paddr: (1n << 64n) - 1n, bytes: PAGE }] }),
      "reaches past 64 bits",
    ],
  ];
  for (const [content, message] of wrong) {
    const bytes = typeof content === "string"
      ? Uint8Array.from(content, (char) => char.charCodeAt(0))
      : content;
    assertThrows(() => read(bytes), DumpFormatError, message);
  }
});

Deno.test("no file that is known for something else is taken for raw memory", () => {
  for (const { magic, at = 0, problem } of CONTAINERS) {
    const bytes = new Uint8Array(2 * PAGE.length);
    bytes.set(Uint8Array.from(magic, (char) => char.charCodeAt(0)), at);
    assertThrows(() => read(bytes), DumpFormatError, problem);
    bytes[at] = bytes[at]! ^ 0xff;
    assertEquals(read(bytes).kind, "raw", problem);
  }
});

Deno.test("a damaged or cut core is read within its bounds, or refused as such", () => {
  const whole = buildCore(CORE);
  const headers = whole.length - 2 * PAGE.length;
  let read_ = 0;
  let refused = 0;
  const change = fc.record({
    at: fc.oneof(fc.nat(headers - 1), fc.nat(200)),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0x7f)),
    run: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(
      fc.array(change, { minLength: 1, maxLength: 4 }),
      fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
      (changes, end) => {
        const bytes = whole.slice();
        for (const { at, value, run } of changes) bytes.fill(value, at, at + run);
        const cut = bytes.subarray(0, end);
        try {
          const { ranges } = read(cut);
          for (const range of ranges) {
            assert(range.start < range.end);
            assert(range.offset >= 0n);
            assert(range.offset + range.end - range.start <= BigInt(cut.length));
          }
          read_++;
        } catch (error) {
          assert(error instanceof DumpFormatError, String(error));
          assert(!error.message.includes("\n"));
          refused++;
        }
      },
    ),
    { numRuns: 3000 },
  );
  assert(read_ > 100 && refused > 100, `${read_} read, ${refused} refused`);
});

Deno.test("a raw image lies as QEMU's machines lay out RAM", () => {
  const spans = (bytes: number, layout?: "flat" | "pc" | "q35") =>
    rawRanges(bytes, layout).map(({ start, end, offset }) => [start, end, offset]);
  const GiB = 1n << 30n;
  assertEquals(spans(1 << 30), [[0n, GiB, 0n]]);
  assertEquals(spans(3 * 2 ** 30, "pc"), [[0n, 3n * GiB, 0n]]);
  assertEquals(spans(3 * 2 ** 30, "q35"), [[0n, 2n * GiB, 0n], [4n * GiB, 5n * GiB, 2n * GiB]]);
  assertEquals(spans(4 * 2 ** 30, "pc"), [[0n, 3n * GiB, 0n], [4n * GiB, 5n * GiB, 3n * GiB]]);
  assertEquals(spans(4 * 2 ** 30, "flat"), [[0n, 4n * GiB, 0n]]);
  assertThrows(() => rawRanges(3 * 2 ** 30, undefined), InvalidArgumentError, "needs a layout");
});

Deno.test("a layout may be written out, as info mtree -f prints it", () => {
  const layout = parseRamLayout("0x100000000-0x100000fff@0x1000, 0x0-0xfff@0x0");
  assertEquals(rawRanges(0x2000, layout).map(({ start, offset }) => [start, offset]), [
    [0n, 0n],
    [0x100000000n, 0x1000n],
  ]);
  assertThrows(() => rawRanges(0x1fff, layout), InvalidArgumentError, "past the image's");
  for (const wrong of ["", "q36", "0-0xfff", "0x0-0xfff@0x0,0x800-0x1fff@0x1000", "0x10-0x0@0x0"]) {
    assertThrows(() => parseRamLayout(wrong), InvalidArgumentError);
  }
});

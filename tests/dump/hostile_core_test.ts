/** Cores that are cut, or whose headers lie: bounded in what they cost, and never read past their end. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, ConnectError, DumpFormatError, MemoryReadError } from "../../mod.ts";
import { readDump } from "../../src/connectors/dump/dump.ts";
import { bufferBytes } from "../../src/connectors/dump/dump_bytes.ts";
import { orHangs } from "../conformance/_attempt.ts";
import { inFolder } from "./_same_walks.ts";
import { buildCore, type CoreShape } from "./_elf_builder.ts";

const PAGE = new Uint8Array(4096).fill(0xab);
const CPU = { cr0: 0x80010011n, cr3: 0x1000n, cr4: 0xa0n };
const CORE: CoreShape = {
  bits: 64,
  segments: [{ paddr: 0n, bytes: PAGE }, { paddr: 0x10_0000n, bytes: PAGE }],
  cpus: [CPU, CPU],
};
/** Where its program headers begin, and how long each is. */
const HEADERS_AT = 64;
const HEADER_BYTES = 56;

/** Reads a core, and returns the error it is refused with, or null. */
function refusal(bytes: Uint8Array): DumpFormatError | null {
  try {
    for (const { start, end, offset } of readDump(bufferBytes(bytes)).ranges) {
      assert(start < end && offset >= 0n && offset + end - start <= BigInt(bytes.length));
    }
    return null;
  } catch (error) {
    assert(error instanceof DumpFormatError, String(error));
    assert(!error.message.includes("\n"));
    return error;
  }
}

for (const bits of [32, 64] as const) {
  for (const manyHeaders of [false, true]) {
    Deno.test(`a core of ${bits} bits${manyHeaders ? " with many headers" : ""} that is cut at any byte is refused`, () => {
      const whole = buildCore({ ...CORE, bits, manyHeaders });
      assertEquals(refusal(whole), null);
      for (let end = 0; end < whole.length; end++) {
        // Less than its magic is raw memory, by all that can be told.
        if (end > 0 && end < 4) continue;
        const error = refusal(whole.subarray(0, end));
        assert(error !== null, `cut after ${end} of ${whole.length} bytes`);
        assert(end === 0 || /cut short/.test(error.message), error.message);
      }
    });
  }
}

Deno.test("a lie in any field of a core's headers is refused, or harmless", () => {
  const whole = buildCore(CORE);
  const lies = [0n, 1n, 0x7fn, 0xffffn, 1n << 31n, (1n << 32n) - 1n, 1n << 63n, (1n << 64n) - 1n];
  const headersEnd = HEADERS_AT + 3 * HEADER_BYTES + 64;
  let refused = 0;
  for (let at = 4; at < headersEnd; at++) {
    for (const sizeBytes of [1, 2, 4, 8]) {
      for (const lie of lies) {
        const bytes = whole.slice();
        for (let i = 0; i < sizeBytes; i++) bytes[at + i] = Number(lie >> BigInt(8 * i) & 0xffn);
        if (refusal(bytes) !== null) refused++;
      }
    }
  }
  assert(refused > 1000, `${refused} refused`);
});

Deno.test("a core's segments that overlap, or are empty, or too long say so", () => {
  const file = (paddr: bigint, fileBytes?: bigint) =>
    refusal(buildCore({
      ...CORE,
      segments: [
        { paddr: 0n, bytes: PAGE },
        { paddr, bytes: PAGE, ...fileBytes !== undefined && { fileBytes } },
      ],
    }))?.message ?? "";
  assertStringIncludes(file(0x800n), "twice");
  assertStringIncludes(file(0n), "twice");
  assertEquals(file(0x10_0000n, 0n), "");
  assertStringIncludes(file(0x10_0000n, 4097n), "Dump the guest again");
  assertStringIncludes(file(0x10_0000n, 1n << 63n), "Dump the guest again");
  assertStringIncludes(file((1n << 64n) - 8n), "reaches past 64 bits");
});

Deno.test("headers that would take all memory or all day are refused at once", () =>
  inFolder(async (folder) => {
    const path = `${folder}/core`;
    const open = () => orHangs(connect(`dump:${path}`), "a hostile core");
    const write = async (lengthBytes: number, change: (view: DataView) => void) => {
      const bytes = buildCore({ ...CORE, manyHeaders: true });
      change(new DataView(bytes.buffer));
      await Deno.writeFile(path, bytes);
      await Deno.truncate(path, lengthBytes); // What is not written takes no space.
    };
    // As many headers as there may be, of 64 KiB each: 64 GiB of them.
    await write(70e9, (view) => {
      view.setUint16(54, 0xffff, true);
      view.setUint32(64 + 44, 1 << 20, true);
    });
    await assertRejects(open, DumpFormatError, "so it is damaged");
    // 3000 times the same 16 MiB of empty notes.
    await write(20 << 20, (view) => view.setUint32(64 + 44, 3000, true));
    using file = await Deno.open(path, { write: true });
    const header = new DataView(new ArrayBuffer(HEADER_BYTES));
    header.setUint32(0, 4, true);
    header.setBigUint64(8, 1n << 20n, true);
    header.setBigUint64(32, 16n << 20n, true);
    for (let i = 0; i < 3000; i++) {
      await file.seek(128 + i * HEADER_BYTES, Deno.SeekMode.Start);
      await file.write(new Uint8Array(header.buffer));
    }
    await assertRejects(open, DumpFormatError, "its notes would be");
  }));

Deno.test("a dump that is cut or removed while it is open", () =>
  inFolder(async (folder) => {
    const path = `${folder}/core`;
    const bytes = buildCore(CORE);
    await Deno.writeFile(path, bytes);
    const dump = await connect(`dump:${path}`);
    await Deno.truncate(path, bytes.length - 8);
    assertEquals(await dump.memory.read(0n, 4096), PAGE);
    assertEquals(await dump.memory.read(0x10_0000n, 4088), PAGE.subarray(8));
    const reading = () => dump.memory.read(0x10_0000n, 4096);
    await assertRejects(reading, MemoryReadError, `the dump ${path} ends before it`);
    await Deno.remove(path);
    assertEquals(await dump.memory.read(0n, 4096), PAGE);
    await dump.close();
    await assertRejects(() => dump.memory.read(0n, 8), MemoryReadError, "was closed");
  }));

Deno.test("a pipe or a folder in place of a dump or a recording is an error, and not waited for", () =>
  inFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    for (const path of [pipe, folder]) {
      for (const scheme of ["dump", "replay"]) {
        const open = () => orHangs(connect(`${scheme}:${path}`), path);
        await assertRejects(open, ConnectError, "name a regular file");
      }
    }
  }));

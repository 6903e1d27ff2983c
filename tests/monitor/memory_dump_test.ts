import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ReplyParseError } from "../../src/monitor/errors.ts";
import {
  type MemoryDumpRequest,
  parseMemoryDump,
} from "../../src/monitor/commands/examine_memory.ts";
import { replyText, VERSIONS } from "./_fixtures.ts";

for (const version of VERSIONS) {
  Deno.test(`parseMemoryDump() reads what ${version} prints`, () => {
    const read = (name: string, request: MemoryDumpRequest) => {
      const { bytes, unreadableFrom } = parseMemoryDump(replyText(version, name), request);
      return { lengthBytes: bytes.length, unreadableFrom };
    };
    const g = { count: 2, sizeBytes: 8 } as const;
    assertEquals(read("hmp-xp_2gx_0x1000", { ...g, address: 0x1000n }), {
      lengthBytes: 16,
      unreadableFrom: null,
    });
    assertEquals(read("hmp-xp_4gx_0x3ffffff0", { ...g, count: 4, address: 0x3ffffff0n }), {
      lengthBytes: 16,
      unreadableFrom: 0x40000000n,
    });
    assertEquals(read("hmp-xp_2gx_0x3ffffff8", { ...g, address: 0x3ffffff8n }), {
      lengthBytes: 0,
      unreadableFrom: 0x3ffffff8n,
    });
    assertEquals(read("hmp-xp_2gx_0x200000000000", { ...g, address: 0x200000000000n }), {
      lengthBytes: 0,
      unreadableFrom: 0x200000000000n,
    });
    assertEquals(read("hmp-xp_3xb_0x1000", { address: 0x1000n, count: 3, sizeBytes: 1 }), {
      lengthBytes: 3,
      unreadableFrom: null,
    });
    assertEquals(read("hmp-xp_4xw_0xfee00030", { address: 0xfee00030n, count: 4, sizeBytes: 4 }), {
      lengthBytes: 16,
      unreadableFrom: null,
    });
  });

  Deno.test(`parseMemoryDump() reads a table of ${version} as the digits stand there`, () => {
    const text = replyText(version, "hmp-xp_512gx_0x1000000");
    const { bytes } = parseMemoryDump(text, { address: 0x1000000n, count: 512, sizeBytes: 8 });
    const view = new DataView(bytes.buffer);
    const values = [...text.matchAll(/0x([0-9a-f]{16})/g)].map((match) => BigInt(match[0]));
    assertEquals(values.length, 512);
    assertEquals(values.map((_, i) => view.getBigUint64(8 * i, true)), values);
  });

  Deno.test(`parseMemoryDump() refuses ${version}'s error texts`, () => {
    const request = { address: 0x1000n, count: 2, sizeBytes: 8 } as const;
    for (const name of ["hmp-xp", "hmp-xp_2gx_zzz", "hmp-bogus_command"]) {
      assertThrows(() => parseMemoryDump(replyText(version, name), request), ReplyParseError);
    }
  });
}

/** Prints memory as QEMU does (`memory_dump`): 16 bytes a row, 8 for single bytes. */
function print(address: bigint, bytes: Uint8Array, sizeBytes: number, digits: number): string {
  const perRow = sizeBytes === 1 ? 8 : 16;
  const rows: string[] = [];
  for (let row = 0; row < bytes.length; row += perRow) {
    const values: string[] = [];
    for (let at = row; at < Math.min(row + perRow, bytes.length); at += sizeBytes) {
      const value = [...bytes.subarray(at, at + sizeBytes)].reverse();
      values.push(` 0x${value.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`);
    }
    rows.push(
      `${(address + BigInt(row)).toString(16).padStart(digits, "0")}:${values.join("")}`,
    );
  }
  return rows.join("\n");
}

const sizes = fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const);

Deno.test("parseMemoryDump() gives back any memory, at any address, in any size", () => {
  fc.assert(fc.property(
    fc.bigInt(0n, (1n << 64n) - 4096n),
    fc.uint8Array({ maxLength: 300 }),
    sizes,
    fc.constantFrom(8, 16),
    (address, memory, sizeBytes, digits) => {
      const count = Math.floor(memory.length / sizeBytes);
      const bytes = memory.slice(0, count * sizeBytes);
      const dump = parseMemoryDump(print(address, bytes, sizeBytes, digits), {
        address,
        count,
        sizeBytes,
      });
      assertEquals(dump, { bytes, unreadableFrom: null });
    },
  ));
});

Deno.test("parseMemoryDump() refuses a dump with any one character changed", () => {
  const address = 0xffff_fff8n; // The second row's address takes a ninth digit.
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => 7 * i + 1);
  const text = print(address, bytes, 8, 8);
  const request = { address, count: 5, sizeBytes: 8 } as const;
  assertEquals(parseMemoryDump(text, request).bytes, bytes);
  for (let at = 0; at < text.length; at++) {
    for (const other of ["g", "\n", " ", "é", ""]) {
      if (text[at] === other) continue;
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      assertThrows(() => parseMemoryDump(changed, request), ReplyParseError, undefined, changed);
    }
  }
});

Deno.test("parseMemoryDump() refuses too few values, too many, and another address", () => {
  const bytes = new Uint8Array(64);
  const text = print(0x1000n, bytes, 8, 16);
  for (const [address, count] of [[0x1000n, 7], [0x1000n, 9], [0x1008n, 8], [0x100001000n, 8]]) {
    const request = { address, count, sizeBytes: 8 } as MemoryDumpRequest;
    assertThrows(() => parseMemoryDump(text, request), ReplyParseError);
  }
  assertThrows(
    () =>
      parseMemoryDump(`${text}\n0000000000001040: Cannot`, {
        address: 0x1000n,
        count: 8,
        sizeBytes: 8,
      }),
    ReplyParseError,
  );
});

import { assert } from "@std/assert";
import fc from "fast-check";
import type { Reader } from "../../src/linux/reader.ts";
import { MemoryReadError } from "../../src/memory/physical_memory.ts";

/** Where hostile memory begins: an address of the kernel's. */
export const BASE = 0xffff_8880_0000_0000n;

/** More than any decoder may read. */
const READ_LIMIT_BYTES = 256 * 1024 * 1024;

/** A word at a distance from {@linkcode BASE}. */
export type Word = readonly [place: number, value: bigint];

/** Ends a test that reads without end before it fills the memory. */
class Budget {
  #left = READ_LIMIT_BYTES;
  take(bytes: number): void {
    this.#left -= bytes;
    assert(bytes >= 0 && this.#left >= 0, `read more than ${READ_LIMIT_BYTES} bytes`);
  }
}

/** Memory that repeats some bytes at every address: any pointer leads to more of it. */
export function garbage(bytes: Uint8Array): Reader {
  const budget = new Budget();
  return {
    // deno-lint-ignore require-await -- errors are rejections
    read: async (address, lengthBytes) => {
      budget.take(lengthBytes);
      const start = Number(address % BigInt(bytes.length));
      return Uint8Array.from(
        { length: lengthBytes },
        (_, i) => bytes[(start + i) % bytes.length]!,
      );
    },
  };
}

/** 16 KiB of pointers into themselves, with some words replaced by what is let in. */
export function tangled(pointers: readonly number[], words: readonly Word[] = []): Reader {
  const bytes = new Uint8Array(Math.max(pointers.length * 8, 16 * 1024));
  const view = new DataView(bytes.buffer);
  pointers.forEach((value, i) => view.setBigUint64(i * 8, BASE + BigInt(value), true));
  for (const [place, value] of words) view.setBigUint64(place, BigInt.asUintN(64, value), true);
  const budget = new Budget();
  return {
    // deno-lint-ignore require-await -- errors are rejections
    read: async (address, lengthBytes) => {
      budget.take(lengthBytes);
      const start = Number(address - BASE);
      if (address < BASE || start + lengthBytes > bytes.length) {
        throw new MemoryReadError("outsideRam", address, lengthBytes);
      }
      return bytes.subarray(start, start + lengthBytes);
    },
  };
}

/** Pointers into the 16 KiB, at multiples of 8. */
export const POINTERS: fc.Arbitrary<number[]> = fc.array(
  fc.nat(4096 * 4).map((value) => value & ~7),
  { minLength: 64, maxLength: 2048 },
);

/** The words of a BTF header at a place: so many bytes of types, and as many of strings after them. */
export function btfHeader(at: number, bytes: number): Word[] {
  return [
    [at, 0x18_0001_eb9fn],
    [at + 8, BigInt(bytes) << 32n],
    [at + 16, BigInt(bytes) | BigInt(bytes) << 32n],
  ];
}

/** Heads and members of BTF types: names near the start, every kind, few members. */
export const TYPE_WORDS: fc.Arbitrary<bigint[]> = fc.array(
  fc.tuple(fc.nat(40), fc.nat(19), fc.nat(6)).map(([low, kind, count]) =>
    BigInt(low) | BigInt(kind << 24 | count) << 32n
  ),
  { minLength: 50, maxLength: 500 },
);

/** Eight tasks of 96 bytes on a list that closes, except where a link leads elsewhere. */
export const TASK_WORDS: fc.Arbitrary<Word[]> = fc.array(
  fc.tuple(fc.nat(8 * 96 - 8).map((place) => place & ~7), fc.nat(2000).map((to) => to & ~7)),
  { maxLength: 3 },
).map((broken) => {
  const link = (i: number) => BASE + BigInt((i % 8) * 96 + 8);
  const name = 0x2f72_6570_7061_7773n; // "swapper/"
  const tasks = Array.from({ length: 8 }, (_, i): Word[] => [
    [i * 96, 0n],
    [i * 96 + 8, link(i + 1)],
    [i * 96 + 16, link(i + 7)],
    [i * 96 + 24, i % 2 ? BASE + 4096n : 0n],
    [i * 96 + 32, BigInt(i) << 32n],
    [i * 96 + 40, BigInt(i)],
    [i * 96 + 48, BASE + 8192n],
    [i * 96 + 56, BASE + 8192n],
    [i * 96 + 64, name],
    [i * 96 + 72, 0x30n],
  ]);
  return [...tasks.flat(), ...broken.map(([place, to]): Word => [place, BASE + BigInt(to)])];
});

/** Nodes of maple trees: ascending pivots, and slots that lead to nodes of all kinds. */
export const NODE_WORDS: fc.Arbitrary<Word[]> = fc.array(
  fc.tuple(fc.nat(31), fc.constantFrom(0x0e, 0x16, 0x1e, 0)),
  { minLength: 64 * 32, maxLength: 64 * 32 },
).map((slots) =>
  slots.map(([node, kind], i): Word => {
    const place = i % 32;
    if (place === 0) return [i * 8, BASE];
    if (place < 16) return [i * 8, BigInt(place) << 56n];
    return [i * 8, kind ? BASE + BigInt(node * 256 + kind) : 0n];
  })
);

/** The layout of a 6.1 kernel's log. */
export const LOG_LAYOUT: Readonly<Record<string, number>> = {
  "printk_ringbuffer.desc_ring": 0,
  "printk_ringbuffer.text_data_ring": 48,
  "prb_desc_ring.count_bits": 0,
  "prb_desc_ring.descs": 8,
  "prb_desc_ring.infos": 16,
  "prb_desc_ring.head_id": 24,
  "prb_desc_ring.tail_id": 32,
  "prb_desc.state_var": 0,
  "prb_desc.text_blk_lpos": 8,
  "prb_data_blk_lpos.begin": 0,
  "prb_data_blk_lpos.next": 8,
  "prb_data_ring.size_bits": 0,
  "prb_data_ring.data": 8,
  "printk_info.seq": 0,
  "printk_info.ts_nsec": 8,
  "printk_info.text_len": 16,
};

/** A log of 16 complete records whose texts lie anywhere in the 256 bytes of the ring, or outside. */
export const LOG_WORDS: fc.Arbitrary<Word[]> = fc.tuple(
  fc.array(fc.tuple(position(), position()), { minLength: 16, maxLength: 16 }),
  fc.bigInt(0n, (1n << 62n) - 1n),
  fc.nat(40),
).map(([blocks, tail, count]) => {
  const id = (value: bigint) => value & (1n << 62n) - 1n;
  return [
    [0, BASE + 512n],
    [512, 4n],
    [520, BASE + 1024n],
    [528, BASE + 2048n],
    [536, id(tail + BigInt(count))],
    [544, tail],
    [560, 8n],
    [568, BASE + 8192n],
    ...blocks.flatMap(([begin, next], i): Word[] => {
      const at = 1024 + i * 24;
      const own = id(tail + BigInt((i - Number(tail & 15n) + 16) % 16));
      return [[at, 2n << 62n | own], [at + 8, begin], [at + 16, next]];
    }),
  ];
});

function position(): fc.Arbitrary<bigint> {
  return fc.oneof(fc.nat(600).map(BigInt), fc.bigInt(0n, (1n << 64n) - 1n));
}

/** A text of VMCOREINFO with these offsets and sizes. */
export function vmcoreinfoOf(
  offsets: Readonly<Record<string, number>>,
  sizes: Readonly<Record<string, number>> = { prb_desc: 24, printk_info: 88 },
): string {
  return [
    "OSRELEASE=6.1.0",
    "BUILD-ID=00112233445566778899aabbccddeeff00112233",
    `SYMBOL(prb)=${BASE.toString(16)}`,
    ...Object.entries(offsets).map(([name, value]) => `OFFSET(${name})=${value}`),
    ...Object.entries(sizes).map(([name, value]) => `SIZE(${name})=${value}`),
  ].join("\n");
}

/** Texts of the right form with wrong values. */
export const VMCOREINFO: fc.Arbitrary<string> = fc.record({
  values: fc.array(fc.integer({ min: -1, max: 5000 }), { minLength: 16, maxLength: 16 }),
  size: fc.integer({ min: 0, max: 128 }),
}).map(({ values, size }) =>
  vmcoreinfoOf(
    Object.fromEntries(Object.keys(LOG_LAYOUT).map((name, i) => [name, values[i]!])),
    { prb_desc: size, printk_info: size },
  )
);

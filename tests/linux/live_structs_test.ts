/** Structs are found by their names among types of which a part is read. */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { BtfBlob } from "../../src/linux/btf/btf_source.ts";
import { LiveStructs } from "../../src/linux/btf/live_structs.ts";
import { KernelFormatError } from "../../src/linux/errors.ts";
import { btfBytes } from "./_btf_bytes.ts";

const COUNT = 2000;
const HEADER_BYTES = 24;
/** A long integer is before the structs, of which each has one member. */
const INT_BYTES = 16;
const STRUCT_BYTES = 24;

/** Names in no order, and of many lengths. */
const NAMES = Array.from({ length: COUNT }, (_, i) => {
  const number = (i * 7919) % COUNT;
  return `s${number.toString(36)}${"_".repeat(number % 40)}`;
});

/** Types with these names. */
function typesNamed(names: readonly string[]): Uint8Array {
  return btfBytes(Object.fromEntries(names.map((name, i) => [name, { [`m${i}`]: 8 }])));
}

const AS_COMPILED = typesNamed(NAMES);
const SORTED = typesNamed(NAMES.toSorted());

/** What looks for types counts what it reads. */
function structsOf(types: Uint8Array, change: (types: Uint8Array) => void = () => {}) {
  const bytes = types.slice();
  change(bytes.subarray(HEADER_BYTES + INT_BYTES, HEADER_BYTES + INT_BYTES + COUNT * STRUCT_BYTES));
  const blob = new BtfBlob(bytes);
  const stringsAt = bytes.length - blob.stringsEnd;
  const read = { types: 0, strings: 0, all: 0 };
  const structs = new LiveStructs({
    types: {
      count: blob.count,
      stringsEnd: blob.stringsEnd,
      type: (id) => (read.types++, blob.type(id)),
      string: (offset) => blob.string(offset),
    },
    strings: (offset, lengthBytes) => {
      read.strings += lengthBytes;
      return Promise.resolve(bytes.slice(stringsAt + offset, stringsAt + offset + lengthBytes));
    },
    all: () => (read.all++, Promise.resolve(blob)),
  });
  return { blob, structs, read };
}

Deno.test("a read that failed once is tried again, and strings that end early are an error", async () => {
  const blob = new BtfBlob(SORTED.slice());
  let failures = 1;
  const structs = new LiveStructs({
    types: {
      count: blob.count,
      stringsEnd: blob.stringsEnd,
      type: (id) => failures-- > 0 ? Promise.reject(new Error("not now")) : blob.type(id),
      string: (offset) => blob.string(offset),
    },
    strings: () => Promise.resolve(new Uint8Array(0)),
    all: () => Promise.resolve(blob),
  });
  const [name] = NAMES;
  await assertRejects(() => structs.structsNamed(name!), Error, "not now");
  assertEquals(await structs.structsNamed(name!), await blob.structsNamed(name!));
  await assertRejects(() => structs.structsNamed("none"), KernelFormatError, "strings end early");
});

const SOME = [0, 1, 2, 17, 1500, COUNT - 2, COUNT - 1].map((i) => NAMES[i]!);

Deno.test("a struct is found where strings are in the order of their first use", async () => {
  for (const name of SOME) {
    const { blob, structs, read } = structsOf(AS_COMPILED);
    assertEquals(await structs.structsNamed(name), await blob.structsNamed(name));
    assertEquals(read.all, 0);
    assertLess(read.types, 1000);
    const [id] = await structs.structsNamed(name);
    assertEquals(await structs.string((await structs.type(id!)).name), name);
  }
});

Deno.test("a struct is found among types that are sorted by name, without the strings", async () => {
  for (const name of SOME) {
    const { blob, structs, read } = structsOf(SORTED);
    assertEquals(await structs.structsNamed(name), await blob.structsNamed(name));
    assertEquals([read.all, read.strings], [0, 0]);
    assertLess(read.types, 40);
  }
});

Deno.test("a name that no type has is known by the strings alone", async () => {
  const { structs, read } = structsOf(AS_COMPILED);
  for (const name of ["none", "s", `${NAMES[5]}x`, ""]) {
    assertEquals(await structs.structsNamed(name), [], name);
  }
  assertEquals(read.all, 0);
});

Deno.test("types in any order: what is found is what reading all of them finds", async () => {
  const order = fc.integer({ min: 1, max: COUNT - 1 });
  const property = fc.asyncProperty(order, fc.constantFrom(...SOME), async (by, name) => {
    const { blob, structs, read } = structsOf(AS_COMPILED, (types) => {
      const before = types.slice();
      for (let i = 0; i < COUNT; i++) {
        // Not with all steps each place is taken: then some types are there twice, and others not.
        const from = (i * by + by) % COUNT * STRUCT_BYTES;
        types.set(before.subarray(from, from + STRUCT_BYTES), i * STRUCT_BYTES);
      }
    });
    const [found] = await structs.structsNamed(name);
    const all = await blob.structsNamed(name);
    assert(found === undefined ? all.length === 0 : all.includes(found), name);
    assert(read.all <= 1);
  });
  await fc.assert(property, { numRuns: 20 });
});

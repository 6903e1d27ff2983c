import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { InconsistentListError, KernelFormatError, PagewalkError } from "../../mod.ts";
import { readModuleSymbols, symbolAtIn } from "../../src/linux/modules/module_symbols.ts";
import { readModules } from "../../src/linux/modules/read_modules.ts";
import { moduleLine, symbolName } from "../../src/report/mod.ts";
import { BASE, garbage, POINTERS, tangled, type Word } from "./_hostile.ts";

const COMMON = {
  "module.state": 0,
  "module.list": 8,
  "module.name": 24,
  "module.kallsyms": 80,
  "mod_kallsyms.symtab": 0,
  "mod_kallsyms.num_symtab": 8,
  "mod_kallsyms.strtab": 16,
  "mod_kallsyms.typetab": 24,
};
const BEFORE_6_4 = new Map(Object.entries({
  ...COMMON,
  "module.core_layout": 96,
  "module.init_layout": 128,
  "module_layout.base": 0,
  "module_layout.size": 8,
  "module_layout.sizeof": 32,
}));
const SINCE_6_4 = new Map(Object.entries({
  ...COMMON,
  "module.mem": 96,
  "module_memory.base": 8,
  "module_memory.size": 16,
  "module_memory.sizeof": 24,
}));

/** What a name's bytes are as words. */
function text(place: number, name: string): Word[] {
  const bytes = new Uint8Array(Math.ceil((name.length + 1) / 8) * 8);
  new TextEncoder().encodeInto(name, bytes);
  return [...new BigUint64Array(bytes.buffer)].map((word, i): Word => [place + i * 8, word]);
}

const HEAD = 0;
const MODULES = [1024, 2048];

/** Two modules on a list; more words may replace some of these. */
function list(name: string, parts: (at: number) => Word[], more: readonly Word[] = []) {
  const links = [HEAD, ...MODULES.map((at) => at + 8)];
  const words = links.flatMap((at, i): Word[] => [
    [at, BASE + BigInt(links[(i + 1) % 3]!)],
    [at + 8, BASE + BigInt(links[(i + 2) % 3]!)],
  ]);
  for (const at of MODULES) {
    words.push([at, 0n], ...text(at + 24, name), [at + 80, BASE + 4096n], ...parts(at));
  }
  return tangled([], [...words, ...more]);
}

const before64 = (at: number): Word[] => [[at + 96, BASE + 8192n], [at + 104, 4096n]];
const since64 = (at: number): Word[] => [
  [at + 96 + 8, BASE + 8192n],
  [at + 96 + 16, 4096n],
  [at + 96 + 24 * 2 + 8, BASE + 12288n],
  [at + 96 + 24 * 2 + 16, 512n],
];

Deno.test("modules are listed with their memory, as it is kept before and since 6.4", async () => {
  const head = BASE;
  const older = await readModules({
    reader: list("vfio", before64),
    offsets: BEFORE_6_4,
    head,
  });
  assertEquals(
    older.map(({ name, state, base, lengthBytes, parts, module }) => ({
      name,
      state,
      base,
      lengthBytes,
      parts,
      module,
    })),
    MODULES.map((at) => ({
      name: "vfio",
      state: "live" as const,
      base: BASE + 8192n,
      lengthBytes: 4096,
      parts: [{ kind: "all", address: BASE + 8192n, lengthBytes: 4096 }],
      module: BASE + BigInt(at),
    })),
  );
  const newer = await readModules({ reader: list("vfio", since64), offsets: SINCE_6_4, head });
  assertEquals(newer[0]!.parts, [
    { kind: "text", address: BASE + 8192n, lengthBytes: 4096 },
    { kind: "read-only data", address: BASE + 12288n, lengthBytes: 512 },
  ]);
  assertEquals(newer[0]!.lengthBytes, 4608);
});

Deno.test("a hostile list of modules ends, and is told", async () => {
  const read = (more: readonly Word[]) =>
    readModules({ reader: list("vfio", before64, more), offsets: BEFORE_6_4, head: BASE });
  // The second leads back to the first, whose link back fits: neither reaches the head.
  const circle: Word[] = [[2048 + 8, BASE + 1032n], [1032 + 8, BASE + 2056n], [8, BASE + 2056n]];
  await assertRejects(() => read(circle), PagewalkError);
  const first: Word[] = [[0, BASE + 1032n], [1040, BASE]];
  await assertRejects(() => read([...first, [1032, BASE + 1032n]]), PagewalkError);
  await assertRejects(() => read([[1032, 0x4141_4141_4141n]]), InconsistentListError);
  await assertRejects(() => read([[1024, 7n]]), KernelFormatError, "in no known state");
  await assertRejects(() => read([[1024 + 104, 0xffff_ffffn]]), KernelFormatError, "no sane place");
  await assertRejects(() => read([[1024 + 96, 0x1000n]]), KernelFormatError, "no sane place");
});

Deno.test("names with control characters are printed as text", async () => {
  const hostile = "\x1b[31m\n\x07owned";
  const [module] = await readModules({
    reader: list(hostile, before64),
    offsets: BEFORE_6_4,
    head: BASE,
  });
  assertEquals(module!.name, hostile);
  assertStringIncludes(moduleLine(module!), "\\x1b[31m\\n\\x07owned");
  const symbol = { name: hostile, offset: 1, module: hostile };
  assertEquals(symbolName(symbol), "\\x1b[31m\\n\\x07owned+0x1 [\\x1b[31m\\n\\x07owned]");
});

/** A table of symbols: places of the names, sections and values. */
function tables(
  symbols: readonly (readonly [name: number, section: number, value: bigint])[],
  more: readonly Word[] = [],
) {
  return tangled([], [
    [0, BASE + 1024n],
    [8, BigInt(symbols.length)],
    [16, BASE + 4096n],
    [24, BASE + 8192n],
    ...symbols.flatMap(([name, section, value], i): Word[] => [
      [1024 + i * 24, BigInt(name) | BigInt(section) << 48n],
      [1024 + i * 24 + 8, value],
    ]),
    ...text(4096, "\0open\0close"),
    ...text(8192, "tTd"),
    ...more,
  ]);
}

const MODULE = { name: "vfio", kallsyms: BASE };

Deno.test("a module's symbols: those that have a name and a section", async () => {
  const reader = tables([[0, 0, 0n], [1, 2, BASE + 64n], [6, 3, BASE + 128n], [0, 3, BASE]]);
  const symbols = await readModuleSymbols(reader, BEFORE_6_4, MODULE);
  assertEquals(symbols, [
    { address: BASE + 64n, type: "T", name: "open", module: "vfio" },
    { address: BASE + 128n, type: "d", name: "close", module: "vfio" },
  ]);
  assertEquals(symbolAtIn(symbols, BASE + 130n)?.offset, 2);
  assertEquals(symbolAtIn(symbols, BASE + 127n)?.name, "open");
  assertEquals(symbolAtIn(symbols, BASE + 63n), null);
  assertEquals(await readModuleSymbols(reader, BEFORE_6_4, { ...MODULE, kallsyms: 0n }), []);
});

Deno.test("hostile tables of symbols end, and are told", async () => {
  const read = (symbols: Parameters<typeof tables>[0], more: readonly Word[] = []) =>
    readModuleSymbols(tables(symbols, more), BEFORE_6_4, MODULE);
  await assertRejects(() => read([], [[8, 0xffff_ffffn]]), KernelFormatError, "4294967295 symbols");
  await assertRejects(() => read([[0xffff_fff0, 1, 0n]]), KernelFormatError, "beyond its table");
  await assertRejects(() => read([[0xff_fff0, 1, 0n]]), PagewalkError);
  await assertRejects(() => read([[1, 1, 0n]], [[0, 0x41n]]), PagewalkError);
  // A name without an end is none.
  const endless = Array.from({ length: 200 }, (_, i): Word => [
    4096 + i * 8,
    0x4141_4141_4141_4141n,
  ]);
  assertEquals(await read([[1, 1, 0n]], endless), []);
});

Deno.test("garbage ends well: modules and their symbols", async () => {
  const ends = async (read: () => Promise<unknown>) => {
    try {
      await read();
    } catch (error) {
      if (!(error instanceof PagewalkError)) throw error;
    }
  };
  await fc.assert(fc.asyncProperty(POINTERS, async (pointers) => {
    const reader = tangled(pointers);
    for (const offsets of [BEFORE_6_4, SINCE_6_4]) {
      await ends(() => readModules({ reader, offsets, head: BASE }));
      await ends(() => readModuleSymbols(reader, offsets, MODULE));
    }
  }));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 512 }), async (bytes) => {
      const reader = garbage(bytes);
      await ends(() => readModules({ reader, offsets: SINCE_6_4, head: BASE }));
      await ends(() => readModuleSymbols(reader, SINCE_6_4, MODULE));
    }),
    { numRuns: 30 },
  );
});

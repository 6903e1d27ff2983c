/**
 * What adding an architecture or a connector takes: a folder, and one row of a table. Everything else
 * knows the row's interface; what still names one is listed here with the reason.
 */
import { assert, assertEquals } from "@std/assert";
import { sourceFiles } from "./_module_graph.ts";

/** A kind of things of which each is a folder and a row. */
interface Kind {
  /** What such a thing is called. */
  readonly what: string;
  /** Where their folders are. */
  readonly folder: string;
  /** The file with their rows. */
  readonly table: string;
  /** Other files of src that may name one of them, with the reason. This list only ever gets shorter. */
  readonly others: Readonly<Record<string, string>>;
}

const KINDS: readonly Kind[] = [
  {
    what: "architecture",
    folder: "src/arch",
    table: "src/arch/architectures.ts",
    others: {
      "src/arch/default_types.ts": "the types that calls give where no architecture is named",
      "src/arch/oops_readers.ts": "a check reads no reports of faults, so they are not in the row",
      "src/session/session.ts": "the type of access() for a RISC-V guest",
    },
  },
  {
    what: "connector",
    folder: "src/connectors",
    table: "src/connectors/table.ts",
    others: {
      "src/cli/guest_options.ts": "--layout says how raw memory lies, which is the dump's",
      "src/connectors/connector.ts": "the type of the option layout, which is the dump's",
    },
  },
];

/** The builder and the bare guests are the independent oracle; they are of x86 and RISC-V by nature. */
const isOracle = (path: string) => path.startsWith("src/testing/");

for (const { what, folder, table, others } of KINDS) {
  Deno.test(`one more ${what} is one folder and one row`, async () => {
    const entries = await Array.fromAsync(
      Deno.readDir(new URL(`../../${folder}`, import.meta.url)),
    );
    const names = entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
    assert(names.length > 1);
    const lines = new Map<string, string[]>();
    for (const path of sourceFiles("src")) {
      const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
      lines.set(path, text.split("\n"));
    }
    const named = new Set<string>();
    for (const name of names) {
      const own = [...lines].filter(([path]) => path.startsWith(`${folder}/${name}/`));
      const touched = new Map<string, number>();
      for (const [path, text] of lines) {
        if (path.startsWith(`${folder}/${name}/`) || isOracle(path)) continue;
        const count = text.filter((line) => importsFrom(line, path, `${folder}/${name}/`)).length;
        if (count > 0) touched.set(path, count);
      }
      const ownLines = own.reduce((sum, [, text]) => sum + text.length - 1, 0);
      const elsewhere = [...touched].map(([path, count]) => `${path} (${count})`).join(", ");
      console.log(`${name}: ${own.length} files, ${ownLines} lines; imported by ${elsewhere}`);
      for (const path of touched.keys()) {
        if (path === table) assertEquals(touched.get(path), 1, `${name} is one row of ${table}`);
        else named.add(path);
      }
    }
    assertEquals([...named].sort(), Object.keys(others).sort());
  });
}

/** Whether a line of a file imports a module of a folder. */
function importsFrom(line: string, path: string, folder: string): boolean {
  const specifier = /\b(?:from |import\(?)"(\.[^"]+)"/.exec(line)?.[1];
  if (specifier === undefined || line.trimStart().startsWith("*")) return false;
  return new URL(specifier, `file:///${path}`).pathname.slice(1).startsWith(folder);
}

import { InvalidArgumentError } from "../../core/errors.ts";
import type { Helper, HelperContext } from "../helper.ts";
import { cell, columns } from "../show/columns.ts";
import { ownText } from "../show/own_text.ts";

/** Five lines for a newcomer, each of which can be pasted. */
const TOUR: readonly (readonly [input: string, what: string])[] = [
  ["cpus()", "which vCPUs there are, and whose page tables they are on"],
  ["walk(0x7f1234567000)", "how an address is mapped, level by level"],
  ["verify(0x7f1234567000)", "is _PAGE_USER clear there? (it is not at 0x7f1234577000)"],
  ["walk(0x7f1241000000)", "a page that allows user access under a table that does not"],
  ["bits(_.steps[2])", "the entry that decides, bit by bit"],
];

/** `help(name)`. */
export const HELP: Helper = {
  name: "help",
  usage: "help(name?)",
  purpose: "list the helpers, or show how one is used",
  takesText: true,
  example: `
> help("hex")
hex(x): write a number, or each of an array, in hexadecimal
…
> help(hex) === help("hex")
true
`,
  complete: (repl) => Promise.resolve(repl.helpers.map(({ name }) => name)),
  create: (repl) => (about?: unknown) =>
    ownText(about === undefined ? overview(repl) : describe(repl, about)),
};

function overview(context: HelperContext): string {
  const { helpers, isSimulated, style } = context;
  const tour = [
    style.strong("A tour of the simulated guest; type a line, or paste it:"),
    table(TOUR, context),
    "",
  ];
  return [
    ...isSimulated ? tour : [],
    style.strong("Helpers (help(name) shows an example):"),
    helperTable(helpers.filter(({ on }) => on === undefined), context),
    "",
    style.strong("For guests that run Linux:"),
    helperTable(helpers.filter(({ on }) => on === "linux"), context),
    "",
    style.strong("For guests with an IOMMU:"),
    helperTable(helpers.filter(({ on }) => on === "iommu"), context),
    "",
    "This is JavaScript with extensions. Promises are awaited everywhere, also in",
    "functions and callbacks of lists. Integers are exact at any size and print in",
    "hexadecimal if they were written so; ~ and >>> mean 64 bits, numbers and",
    "bigints mix, 5 / 2 is 2.5 but addresses divide to integers. Addresses, ranges",
    "and commands may be entered as gdb, the monitor, dmesg, kallsyms and maps have",
    "them: $rip, x/4gx $rsp, ffffffff81000000, _stext+0x40, 7f12000-7f13000 rw-p.",
    "_ is the last result, _err the last error, session the connection, pagewalk",
    "the SDK.",
  ].join("\n");
}

/** Below this, what a helper does stands under it. */
const NARROW = 90;

function helperTable(helpers: readonly Helper[], context: HelperContext): string {
  return table(helpers.map(({ usage, purpose }) => [usage, purpose]), context);
}

function table(
  rows: readonly (readonly [input: string, what: string])[],
  { style, columns: width }: HelperContext,
): string {
  if (width && width() < NARROW) {
    return rows.map(([input, what]) => `${style.value(input)}\n  ${what}`).join("\n");
  }
  return columns(rows.map(([input, what]) => [cell(`  ${input}`, style.value), cell(what)]));
}

function describe({ helpers, style }: HelperContext, about: unknown): string {
  const name = typeof about === "function" ? about.name : String(about);
  const helper = helpers.find((candidate) => candidate.name === name);
  if (!helper) {
    throw new InvalidArgumentError(`No help on ${name}: help() lists the helpers`, about);
  }
  return [
    `${style.strong(helper.usage)}: ${helper.purpose}`,
    ...helper.notes ?? [],
    "",
    helper.example.trim(),
  ].join("\n");
}

import { InvalidArgumentError } from "../../core/errors.ts";
import { given } from "../../core/options.ts";
import type { AddressRange } from "../../translate/address_range.ts";
import type { GuestMappingsOptions } from "../../session/ranges.ts";
import { splitTableChoice } from "../../session/table_choice.ts";
import { rangeFrom } from "../address_argument.ts";
import type { Helper, HelperContext } from "../helper.ts";
import { asRows } from "../show/rows.ts";
import { chosen, type PrintStyle, splitStyle } from "./walk.ts";

/** Which tables to list, and how; a filter may be named. */
export interface MappingsHelperOptions extends Omit<GuestMappingsOptions, "filter">, PrintStyle {
  /** `kernel`, `w+x`, or several with commas; or a function of the page. */
  readonly filter?: string | GuestMappingsOptions["filter"];
  /** Name memory areas and files of tables that no process was named for. */
  readonly names?: boolean;
}

/** `mappings(range, options)`. */
export const MAPPINGS: Helper = {
  name: "mappings",
  usage: "mappings(range?, options?)",
  purpose: "list what the tables map, as runs of like pages",
  notes: [
    "range: { start, lengthBytes }; all, if left out. Rights: user, read, write, execute, of all levels.",
    'options: filter: "user", "kernel", "w+x", … or a function; pages: true for a line each page;',
    "contiguous, notPresent, maxTables, and whose tables, as with walk; names: true names memory areas",
    'and files, which is the default after pid(); style: "xv6" lists the valid entries of all tables as',
    "xv6's course does. Returns an array; for a listing",
    "too long for one, for (const run of session.mappings()) ….",
  ],
  example: `
> mappings({ start: 0x7f1234567000, lengthBytes: 0x12000 })
linear addresses                         length   page rights cache physical           note
0x00007f1234567000-0x00007f1234576fff    64 KiB  4 KiB -rw-   WB    scattered
0x00007f1234577000-0x00007f1234578fff     8 KiB  4 KiB urw-   WB    scattered
> mappings({ start: 0x7f1234567000, lengthBytes: 1 << 30 }, { filter: "kernel,executable" })
none
> mappings().filter((run) => run.pageSizeBytes > 4096).length > 2
true
`,
  create: (repl) => async (given: unknown = {}, options: MappingsHelperOptions = {}) => {
    const { mappingLine, mappingsHead } = await import("../../report/mappings_text.ts");
    const range = await rangeFrom(given, repl) ?? given as AddressRange;
    checkRange(range);
    const [style, unstyled] = splitStyle(options);
    const [own, { filter, names = false, ...others }] = splitTableChoice(unstyled);
    if (style !== undefined) return await xv6Rows(repl, range, unstyled);
    const isWanted = typeof filter === "string"
      ? (await import("../../cli/mapping_filters.ts")).mappingFilters(filter)
      : filter;
    const { signal, onProgress } = repl;
    return await repl.guest.use(async (session, choice) => {
      // What runs on a vCPU changes: the line above the list and the list are about the same tables.
      const wanted = { ...chosen(own, choice), ...own };
      const table = await session.pageTable(wanted, range.start, { signal });
      const { context } = table;
      const { namerFor } = await import("../../cli/naming.ts");
      const namer = await namerFor(session, table, names);
      const records = session.mappings(range, {
        ...{ signal, ...onProgress && { onProgress }, ...others, table },
        ...isWanted && { filter: isWanted },
        ...namer && { boundaries: namer.names.boundaries },
      });
      const rows = await Array.fromAsync(
        records,
        async (record) => await namer?.complete(record) ?? record,
      );
      return asRows(rows, {
        head: () => mappingsHead(context),
        line: (record) => mappingLine(record, context, namer?.nameOf(record)),
      });
    });
  },
};

/** The entries of all tables in the form of xv6's course, a line each. */
async function xv6Rows(
  { guest, signal }: HelperContext,
  range: AddressRange,
  options: Omit<MappingsHelperOptions, "style">,
): Promise<{ readonly line: string }[]> {
  const [own, { maxTables, ...others }] = splitTableChoice(options);
  const unwanted = Object.keys(others);
  if (unwanted.length > 0) {
    throw new InvalidArgumentError(
      `style: "xv6" lists whole tables, without ${unwanted.join(", ")}`,
      options,
    );
  }
  const { xv6Tables } = await import("../../report/xv6_tables.ts");
  return await guest.use(async (session, choice) => {
    const wanted = { ...chosen(own, choice), ...own };
    const { context } = await session.pageTable(wanted, range.start, { signal });
    const bounds = { range, signal, ...given({ maxTables }) };
    const lines = await Array.fromAsync(
      xv6Tables(session.memory, context, bounds),
      (line) => ({ line }),
    );
    return asRows(lines, { line: ({ line }) => line });
  });
}

/** What is not a range would mean all of the address space, and options in its place would be ignored. */
function checkRange(range: unknown): void {
  const isRange = typeof range === "object" && range !== null &&
    Object.keys(range).every((key) => key === "start" || key === "lengthBytes");
  if (isRange) return;
  throw new InvalidArgumentError(
    'The range comes first, as { start, lengthBytes }, as text such as "7f1234567000-7f1234667000", ' +
      "or {} for all, then the options",
    range,
  );
}

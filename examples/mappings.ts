/**
 * Lists what an address space of a running guest maps, with the rights that all levels leave.
 *
 *     deno run --allow-net=127.0.0.1:1334 mappings.ts 1334 --filter w+x
 */
import {
  InvalidArgumentError,
  type ListedPage,
  MAPPING_FILTERS,
  type MappingRecord,
  mappings,
  type Regime,
  type Session,
} from "@pagewalk/pagewalk";
import {
  MAPPING_CSV_HEAD,
  mappingCsv,
  mappingLine,
  mappingRecord,
  mappingsHead,
  privilegesRecord,
  xv6Tables,
} from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  DEVICE_TABLE_OPTIONS,
  EXIT,
  flag,
  FREEZE_OPTION,
  LineWriter,
  LISTING_OPTIONS,
  type ListingBounds,
  listingBounds,
  mappingFilters,
  MONITOR,
  namerFor,
  NAMES_OPTION,
  oneOf,
  parseRangeText,
  parseSize,
  ProgressBar,
  readingOnce,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  value,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "mappings.ts",
  purpose: "List what an address space maps, with the rights that all levels leave",
  positionals: [MONITOR],
  options: {
    ...LISTING_OPTIONS,
    filter: value(
      "WORDS",
      `only pages that are all of: ${Object.keys(MAPPING_FILTERS).join(", ")}`,
      mappingFilters,
    ),
    "page-size": value("SIZE", "only pages of this size: 4K, 2M, 4M, 1G", parseSize),
    physical: value("FIRST-LAST", "only pages in these physical addresses", parseRangeText),
    pages: flag("one line for each page, instead of runs of like pages"),
    contiguous: flag("end a run where frames are not contiguous"),
    "not-present": flag("list entries that are not present but not empty: swap, PROT_NONE"),
    ...NAMES_OPTION,
    "expand-shared": flag("list the contents of a table each time that it is reached"),
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...FREEZE_OPTION,
    style: oneOf(["xv6"], "print every valid entry of every table as xv6's course does"),
    json: flag("print one JSON object per line"),
    csv: flag("print comma-separated values"),
    ...CONNECT_OPTIONS,
  },
  examples: [
    "1334",
    "1334 --filter kernel,w+x",
    "1334 --range 0x7f1234567000+1M --pages --json",
    "1334 --device 00:03.0",
    "sim: --physical 0x0-0xfffff --csv",
    "unix:mon.sock --kernel kernel/kernel --pid 2 --style xv6",
  ],
  exits: { 2: "a part of the tables could not be listed" },
}, async ({ positionals: [monitor], options }) => {
  checkStyle(options);
  using bar = new ProgressBar();
  await using guest = await connectTo(monitor!, options);
  return await readingOnce(guest, options, list);

  async function list(): Promise<number> {
    // Looked up once: a running vCPU is on other tables the next moment.
    const tables = await guest.tables(tableChoice(options), options.range?.start);
    const { context } = tables;
    if (options.style === "xv6") return await listAsXv6(guest, context, listingBounds(options));
    const namer = await namerFor(guest, tables, options.names);
    const { filter, physical, "page-size": pageSize } = options;

    function isWanted(page: ListedPage): boolean {
      if (filter && !filter(page)) return false;
      if (pageSize !== undefined && page.lengthBytes !== pageSize) return false;
      if (!physical) return true;
      const { physicalAddress, lengthBytes } = page;
      return physicalAddress < physical.start + BigInt(physical.lengthBytes) &&
        physicalAddress + BigInt(lengthBytes) > physical.start;
    }

    const write = options.json
      ? (record: MappingRecord, name: string) => {
        const privileges = record.kind === "mapping" && privilegesRecord(record.effective, context);
        return toJson({ ...mappingRecord(record, { name }), ...privileges });
      }
      : options.csv
      ? (record: MappingRecord, name: string) => mappingCsv(record, { name })
      : (record: MappingRecord, name: string) => mappingLine(record, context, name);
    using out = new LineWriter();
    if (options.csv) out.line(MAPPING_CSV_HEAD);
    else if (!options.json) out.line(mappingsHead(context));

    let isWhole = true;
    const { range = {}, ...bounds } = listingBounds(options);
    const records = mappings(guest.memory, context, range, {
      ...bounds,
      filter: isWanted,
      pages: options.pages,
      contiguous: options.contiguous,
      notPresent: options["not-present"],
      expandShared: options["expand-shared"],
      onProgress: bar.counting("pages"),
      ...namer && { boundaries: namer.names.boundaries },
    });
    for await (const record of records) {
      if (record.kind === "unreadable" || record.kind === "truncated") isWhole = false;
      const shown = await namer?.complete(record) ?? record;
      out.line(write(shown, namer?.nameOf(shown) ?? ""));
    }
    bar.stop();
    return isWhole ? EXIT.PASS : EXIT.INCONCLUSIVE;
  }
});

async function listAsXv6(guest: Session, context: Regime, bounds: ListingBounds): Promise<number> {
  using out = new LineWriter();
  const lines = xv6Tables(guest.memory, context, bounds);
  for (;;) {
    const { done, value } = await lines.next();
    if (done) return value ? EXIT.PASS : EXIT.INCONCLUSIVE;
    out.line(value);
  }
}

/** The course's form has entries and nothing else: what would choose pages, or another form, has no place. */
function checkStyle(options: Readonly<Record<string, unknown>>): void {
  const others = ["json", "csv", "pages", "filter", "page-size", "physical", "names"]
    .concat(["contiguous", "not-present", "expand-shared"])
    .filter((name) => options[name]);
  if (options.style === undefined || others.length === 0) return;
  const names = others.map((name) => `--${name}`).join(" and ");
  throw new InvalidArgumentError(`--style xv6 lists whole tables: it excludes ${names}`, others);
}

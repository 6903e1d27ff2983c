/// <reference lib="dom" />
/**
 * The page of an HTML report. It is the SDK itself, bundled: the same walker and the same listing work
 * on the snapshots that the page carries.
 */
import { parseAddress } from "../../../core/address.ts";
import { escapeMessage, escapeText } from "../../../core/escape.ts";
import { MAPPING_FILTERS, type MappingFilterName } from "../../../translate/mapping_filters.ts";
import type { MappingRecord } from "../../../translate/mappings.ts";
import { diff, type EntryDifference } from "../../../snapshot/diff.ts";
import { differenceLine } from "../../diff_text.ts";
import { mappingLine, mappingsHead } from "../../mappings_text.ts";
import type { ReportData } from "../page_data.ts";
import { DeviceSpaces } from "./device_spaces.ts";
import { make } from "./dom.ts";
import { type ListRow, ListView } from "./list_view.ts";
import { MapView } from "./map_view.ts";
import { regionAt } from "./regions.ts";
import { Side } from "./side.ts";

const data: ReportData = JSON.parse(document.getElementById("data")!.textContent!);
const sides = await Promise.all(data.sides.map((side) => Side.open(side)));
const shown = sides.at(-1)!;
const { context } = shown.snapshot;
const body = document.querySelector("main")!;

const search = make("input", {
  type: "search",
  id: "address",
  placeholder: "0x7f1234567000",
  "aria-label": "Address to look up",
});
const message = make("p", { role: "status", id: "message" });
const ways = make("div", { class: "sides", id: "ways" });
const map = new MapView({
  runs: shown.runs(),
  regions: shown.regions,
  regime: context,
  pick: lookUp,
});
const list = new ListView("Mappings", (row) => lookUp(row.address));
list.node.id = "mappings";
const reached = make("p", { class: "links", id: "reached" });
const devices = await DeviceSpaces.open({
  devices: data.devices ?? [],
  shown,
  width: widthOfDrawings,
  lookUp: (address) => void showFound({ text: "", address }),
});

buildPage();
showMappings("");
const asked = decodeURIComponent(location.hash.slice(1));
if (asked) lookUpText(asked);
document.documentElement.dataset.ready = "true";

function buildPage(): void {
  const filter = make("select", { id: "filter", "aria-label": "Filter" });
  for (const name of ["", ...Object.keys(MAPPING_FILTERS)]) {
    filter.append(make("option", { value: name }, name || "everything"));
  }
  filter.addEventListener("change", () => showMappings(filter.value));
  const form = make("form", { role: "search" }, search, make("button", {}, "Look up"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    lookUpText(search.value);
  });
  body.append(
    make("h1", {}, escapeText(data.title)),
    ...sides.map((side) => make("p", {}, describeSide(side))),
    form,
    message,
    make("h2", {}, "Map"),
    map.node,
    ways,
    reached,
    make("h2", {}, "Mappings"),
    make("p", {}, filter),
    make("pre", {}, mappingsHead(context)),
    list.node,
    devices.node,
  );
  appendFindings();
  if (sides.length > 1) void appendDifferences();
}

function describeSide({ name, snapshot, facts }: Side): string {
  const { source, takenAt, context: { root, mode } } = snapshot;
  const parts = [source, takenAt.toISOString(), `root 0x${root.toString(16)}`, mode, ...facts];
  return `${escapeText(name)}: ${parts.map(escapeText).join(", ")}`;
}

function appendFindings(): void {
  body.append(make("h2", {}, `Findings (${data.findings.length})`));
  const findings = new ListView("Findings", showFound);
  findings.node.id = "findings";
  body.append(findings.node);
  findings.show(data.findings.map(({ text, address, severity }) => ({
    text: escapeMessage(text),
    address: parseAddress(address),
    kind: severity,
  })));
}

async function appendDifferences(): Promise<void> {
  const [before, after] = sides as [Side, Side];
  const title = make("h2", {}, "Differences");
  const differences = new ListView("Differences", showFound);
  differences.node.id = "differences";
  body.append(title, differences.node);
  const rows: ListRow[] = [];
  for await (const difference of diff(before.snapshot, after.snapshot)) {
    rows.push(differenceRow(difference));
  }
  title.textContent = `Differences (${rows.length})`;
  differences.show(rows);
}

function differenceRow(difference: EntryDifference): ListRow {
  return { text: differenceLine(difference, context), address: difference.address };
}

function showMappings(filter: string): void {
  const isWanted = filter === "" ? () => true : MAPPING_FILTERS[filter as MappingFilterName];
  const records = shown.records.filter((record) =>
    filter === "" || (record.kind === "mapping" && isWanted(record as never))
  );
  list.show(records.map((record: MappingRecord) => ({
    text: [mappingLine(record, context), regionAt(shown.regions, record.address)?.name ?? ""]
      .join("  ").trimEnd(),
    address: record.address,
  })));
}

/** The list that was clicked is below: the walk comes into view. */
async function showFound({ address }: ListRow): Promise<void> {
  await lookUp(address);
  ways.scrollIntoView({ block: "nearest" });
}

function lookUpText(text: string): void {
  try {
    lookUp(parseAddress(text));
  } catch (error) {
    // What stands there is about another address.
    ways.replaceChildren();
    reached.replaceChildren();
    message.textContent = error instanceof Error ? error.message : String(error);
  }
}

/** Two sides stand beside each other where there is room. */
function widthOfDrawings(): number {
  const sections = ways.clientWidth >= 1132 && sides.length > 1 ? 2 : 1;
  return ways.clientWidth / sections - 32;
}

async function lookUp(address: bigint): Promise<void> {
  const text = `0x${address.toString(16)}`;
  search.value = text;
  history.replaceState(null, "", `#${text}`);
  map.mark(address);
  const shownWays = await Promise.all(sides.map((side) => side.wayTo(address, widthOfDrawings())));
  const links = await devices.linksFrom(address);
  if (search.value !== text) return; // Another one was asked for meanwhile.
  reached.replaceChildren(...links);
  ways.replaceChildren(...shownWays);
  message.textContent = `The way to ${text}`;
}

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
import type { ReportData, ReportFeed } from "../page_data.ts";
import { DeviceSpaces } from "./device_spaces.ts";
import { make } from "./dom.ts";
import { type ListRow, ListView } from "./list_view.ts";
import { LiveFeed } from "./live_feed.ts";
import { MapView } from "./map_view.ts";
import { regionAt } from "./regions.ts";
import { Side } from "./side.ts";
import type { AddressPart } from "./strip_drawing.ts";

/** So many changes are kept in sight. */
const MAX_CHANGES = 1000;

const data: ReportData = JSON.parse(document.getElementById("data")!.textContent!);
let sides = await Promise.all(data.sides.map((side) => Side.open(side)));
let shown = sides.at(-1)!;
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
  pick: (address) => void lookUp(address),
});
const list = new ListView("Mappings", ({ address }) => void lookUp(address));
list.node.id = "mappings";
const filter = make("select", { id: "filter", "aria-label": "Filter" });
const reached = make("p", { class: "links", id: "reached" });
const devices = await DeviceSpaces.open({
  devices: data.devices ?? [],
  shown: () => shown,
  width: widthOfDrawings,
  lookUp: (address) => void showFound({ text: "", address }),
});

buildPage();
list.show(mappingRows());
const asked = decodeURIComponent(location.hash.slice(1));
if (asked) lookUpText(asked);
document.documentElement.dataset.ready = "true";

function buildPage(): void {
  for (const name of ["", ...Object.keys(MAPPING_FILTERS)]) {
    filter.append(make("option", { value: name }, name || "everything"));
  }
  filter.addEventListener("change", () => list.show(mappingRows()));
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
  if (data.live) appendChanges(data.live);
  appendFindings();
  if (sides.length > 1) void appendDifferences();
}

function describeSide({ name, snapshot, facts }: Side): string {
  const { source, takenAt, context: { root, mode } } = snapshot;
  const parts = [source, takenAt.toISOString(), `root 0x${root.toString(16)}`, mode, ...facts];
  return `${escapeText(name)}: ${parts.map(escapeText).join(", ")}`;
}

/** Follows the guest: what changes is listed, the newest first, and glows where it is. */
function appendChanges(live: ReportFeed): void {
  const title = make("h2", {}, "Changes (0)");
  const changes = new ListView("Changes", showFound);
  changes.node.id = "changes";
  let rows: ListRow[] = [];
  let count = 0;
  const feed = new LiveFeed(live, async (next) => {
    const side = await Side.open({ ...data.sides.at(-1)!, ...next });
    const found: EntryDifference[] = [];
    for await (const difference of diff(shown.snapshot, side.snapshot)) found.push(difference);
    if (found.length === 0) return;
    count += found.length;
    title.textContent = `Changes (${count})`;
    const time = side.snapshot.takenAt.toISOString().slice(11, 19);
    const fresh = found.slice(0, MAX_CHANGES).map((difference): ListRow => ({
      ...differenceRow(difference),
      text: `${time} ${differenceRow(difference).text}`,
      kind: "glow",
    }));
    rows = [...fresh, ...rows.map(({ text, address }) => ({ text, address }))].slice(
      0,
      MAX_CHANGES,
    );
    changes.show(rows);
    show(side, found);
  });
  body.append(feed.node, title, changes.node);
}

/** Shows another state of the address space, and what has changed in it. */
function show(side: Side, found: readonly EntryDifference[]): void {
  sides = [...sides.slice(0, -1), side];
  shown = side;
  const parts = found.map(({ address, lengthBytes }) => ({
    start: address,
    end: address + BigInt(lengthBytes),
  }));
  map.update({ runs: side.runs(), regions: side.regions }, parts);
  list.update(mappingRows(parts));
  if (ways.childElementCount === 0) return;
  const entries = found.flatMap((difference) =>
    difference.kind === "changed"
      ? [difference.after.address]
      : difference.kind === "notCompared"
      ? []
      : [difference.entry.address]
  );
  void lookUp(parseAddress(search.value), new Set(entries));
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

/** The rows that the filter lets through; those at changed addresses glow. */
function mappingRows(changed: readonly AddressPart[] = []): ListRow[] {
  const name = filter.value;
  const isWanted = name === "" ? () => true : MAPPING_FILTERS[name as MappingFilterName];
  const records = shown.records.filter((record) =>
    name === "" || (record.kind === "mapping" && isWanted(record as never))
  );
  return records.map((record: MappingRecord) => {
    const region = regionAt(shown.regions, record.address)?.name ?? "";
    const end = record.address + BigInt(record.lengthBytes);
    const isChanged = changed.some((part) => part.start < end && part.end > record.address);
    return {
      text: [mappingLine(record, context), region].join("  ").trimEnd(),
      address: record.address,
      ...isChanged && { kind: "glow" },
    };
  });
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

async function lookUp(
  address: bigint,
  changed: ReadonlySet<bigint> = new Set(),
): Promise<void> {
  const text = `0x${address.toString(16)}`;
  search.value = text;
  history.replaceState(null, "", `#${text}`);
  map.mark(address);
  const shownWays = await Promise.all(
    sides.map((side) => side.wayTo(address, widthOfDrawings(), changed)),
  );
  const links = await devices.linksFrom(address);
  if (search.value !== text) return; // Another one was asked for meanwhile.
  reached.replaceChildren(...links);
  ways.replaceChildren(...shownWays);
  message.textContent = `The way to ${text}`;
}

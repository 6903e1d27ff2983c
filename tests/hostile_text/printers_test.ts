import { assert, assertEquals } from "@std/assert";
import { VIEWER } from "../../src/report/html/_viewer_bundle.ts";
import { csvLine } from "../../src/report/csv.ts";
import { entryRecord } from "../../src/report/json.ts";
import { completeLineOptions } from "../../src/report/line_options.ts";
import { drawBits } from "../../src/report/svg/bits_drawing.ts";
import * as svg from "../../src/report/svg/element.ts";
import { RIGHT_WORDS } from "../../src/report/right_words.ts";
import { drawWalk } from "../../src/report/svg/walk_drawing.ts";
import { xv6Head } from "../../src/report/xv6_text.ts";
import type { AreaPages } from "../../src/entries/linux.ts";
import { assertClean, assertEscaped, forbiddenIn, HOSTILE } from "./_hostile_text.ts";

import {
  context,
  DEVICE,
  differences,
  entryBits,
  FRAME,
  hostileFindings,
  hostileRange,
  inconclusive,
  listed,
  listedRights,
  member,
  PAGE,
  pages,
  parts,
  process,
  range,
  rootSource,
  sdk,
  source,
  STYLE,
  verdict,
  vfio,
  walk,
  xv6Listed,
} from "./_printed.ts";

/** A printer's texts: `hostile` show what they were given, `own` say only what is pagewalk's own. */
interface Printed {
  readonly hostile?: readonly string[];
  readonly own?: readonly string[];
  /** How many lines each may have. */
  readonly lines?: number;
}

/** Each export of src/report, given hostile text wherever text can come from elsewhere. */
const PRINTERS: Readonly<Record<string, () => Printed>> = {
  areaLine: () => ({
    hostile: [
      sdk.areaLine({ start: 0n, end: 1n, permissions: HOSTILE, name: HOSTILE, pages }, STYLE),
    ],
    lines: 1,
  }),
  memorySumsLine: () => {
    const sums = { sizeBytes: 8192, rssBytes: 4096, swapBytes: 0, anonHugeBytes: 0 };
    return {
      own: [sdk.memorySumsLine({ ...sums, fileHugeBytes: 2 ** 21, hugetlbBytes: 2 ** 30 })],
      lines: 1,
    };
  },
  findingLine: () => ({
    hostile: hostileFindings.map((finding) => sdk.findingLine(finding, STYLE)),
    lines: 1,
  }),
  processText: () => ({ hostile: [sdk.processText({ pid: 7, comm: HOSTILE })], lines: 1 }),
  allTallyText: () => ({
    own: [sdk.allTallyText({
      ...{ spaces: 3, withoutMemory: 4, outcomes: new Map([["audited", 1], ["left out", 2]]) },
    }, "audited")],
  }),
  aliasLine: () => ({
    own: [sdk.aliasLine({ kind: "truncated", address: 0n, lengthBytes: 4096, tables: 1 })],
    lines: 1,
  }),
  aliasRecord: () => ({
    own: [
      sdk.toJson(sdk.aliasRecord({ kind: "truncated", address: 0n, lengthBytes: 1, tables: 1 })),
    ],
  }),
  auditSummary: () => ({ own: [sdk.auditSummary({ high: 1, medium: 2, low: 3 })] }),
  findingRecord: () => exact(hostileFindings.map(sdk.findingRecord)),
  csvLine: () => ({ hostile: [csvLine([HOSTILE, -1]), csvLine([`=1+${HOSTILE}`])], lines: 1 }),
  // A generator of the differences themselves.
  differenceRuns: () => ({ own: [] }),
  differenceRunLine: () => ({
    own: differences.map((first) =>
      sdk.differenceRunLine({ first, last: first, count: 2 }, context)
    ),
    lines: 1,
  }),
  differenceLine: () => ({
    own: differences.map((difference) => sdk.differenceLine(difference, context)),
    lines: 1,
  }),
  differenceRecord: () => ({ own: [sdk.toJson(differences.map(sdk.differenceRecord))] }),
  htmlReport: () => {
    const text = `${HOSTILE}</script><script>alert(1)</script><!--`;
    const html = sdk.htmlReport({
      title: `</title>${text}" onload="`,
      sides: [{ name: text, file: "" }],
      findings: [{ rule: text, severity: text, address: "0x0", text }],
    });
    assertEquals(html.match(/<script\b/g)!.length, 2);
    assertEquals(html.match(/<\/script>/g)!.length, 2);
    assertEquals(html.match(/<title>[^<]*<\/title>/g)!.length, 1);
    const data = JSON.parse(/id="data">(.*?)<\/script>/s.exec(html)![1]!);
    assertEquals(data.sides[0].name, text);
    // A tab stands in the bundle as it is.
    return { hostile: [html.replace(VIEWER, "")], own: [VIEWER.replaceAll("\t", "")] };
  },
  toBase64: () => ({ own: [sdk.toBase64(new TextEncoder().encode(HOSTILE))] }),
  toJson: () => {
    assertEquals(JSON.parse(sdk.toJson({ [HOSTILE]: [HOSTILE, 1n] }, 2)), {
      [HOSTILE]: [HOSTILE, "0x1"],
    });
    return exact({ [HOSTILE]: HOSTILE });
  },
  walkRecord: () => exact(sdk.walkRecord(walk, rootSource)),
  verdictRecord: () => exact(sdk.verdictRecord(verdict, rootSource)),
  entryRecord: () => ({ own: [sdk.toJson(entryRecord(walk.steps[0]!))] }),
  areaRecord: () =>
    exact(sdk.areaRecord({
      ...{ start: 0n, end: 1n, permissions: HOSTILE, offset: 0n, kind: "file", name: HOSTILE },
      flags: 0n,
    }, pages as Partial<AreaPages> as AreaPages)),
  oopsRecord: () =>
    exact(sdk.oopsRecord({
      report: {
        ...{ kind: "pageFault", headline: HOSTILE, address: PAGE, access: null, entries: [] },
        ...{ registers: {}, at: HOSTILE, pid: 1, comm: HOSTILE },
      },
      ...{ reason: HOSTILE, walk: null, entries: [], now: null, doubt: HOSTILE },
    })),
  memberLine: () => ({ hostile: [sdk.memberLine(member)], lines: 1 }),
  oopsLines: () => ({
    hostile: [
      sdk.oopsLines({
        report: {
          ...{ kind: "pageFault", headline: HOSTILE, address: PAGE, access: null, entries: [] },
          ...{ registers: {}, at: HOSTILE, pid: 1, comm: HOSTILE },
        },
        reason: "PTE was empty",
        entries: [{ table: "PTE", raw: null, now: 1n, change: "appeared" }],
        now: { outcome: "ok", physicalAddress: 0n },
        doubt: HOSTILE,
      }, { style: STYLE }).join("\n"),
    ],
    lines: 6,
  }),
  layoutText: () => ({
    hostile: [
      sdk.layoutText(
        { kind: "struct", name: HOSTILE, sizeBytes: 8, members: [member] },
        { style: STYLE },
      ),
    ],
    lines: 3,
  }),
  completeLineOptions: () => ({ own: [completeLineOptions({}).address(1n)] }),
  logText: () => ({
    hostile: [sdk.logText({ timeNs: 0n, text: HOSTILE })],
    // Of the record's two lines each has its time in front.
    lines: 2,
  }),
  frameText: () => ({ hostile: [sdk.frameText(FRAME).join("\n")], lines: 5 }),
  frameRecord: () => exact(sdk.frameRecord(FRAME)),
  iommuDevicesHead: () => ({ own: [sdk.iommuDevicesHead()] }),
  iommuDeviceLine: () => ({ hostile: [sdk.iommuDeviceLine(DEVICE)], lines: 1 }),
  iommuDeviceRecord: () => exact(sdk.iommuDeviceRecord(DEVICE)),
  iommuMappingRecord: () => ({
    own: [sdk.toJson(listed.map((record) => sdk.iommuMappingRecord(DEVICE, record)))],
  }),
  IOMMU_CSV_HEAD: () => ({ own: [sdk.IOMMU_CSV_HEAD] }),
  iommuMappingCsv: () => ({
    own: listed.map((record) => sdk.iommuMappingCsv(DEVICE, record)),
    lines: 1,
  }),
  iommuDeviceCsv: () => ({ own: [sdk.iommuDeviceCsv(DEVICE)], lines: 1 }),
  privilegesRecord: () => ({ own: [sdk.toJson(sdk.privilegesRecord(listedRights, context))] }),
  mappingRecord: () => ({ own: [sdk.toJson(listed.map((record) => sdk.mappingRecord(record)))] }),
  MAPPING_CSV_HEAD: () => ({ own: [sdk.MAPPING_CSV_HEAD] }),
  mappingCsv: () => ({
    own: listed.map((record) => sdk.mappingCsv(record)),
    hostile: listed.map((record) => sdk.mappingCsv(record, { name: HOSTILE })),
    lines: 1,
  }),
  mappingsHead: () => ({ own: [sdk.mappingsHead(context)] }),
  mappingLine: () => ({
    own: listed.map((r) => sdk.mappingLine(r, context)),
    hostile: listed.map((r) => sdk.mappingLine(r, context, HOSTILE)),
    lines: 1,
  }),
  rightsText: () => ({ own: [sdk.rightsText({ user: true, writable: true, executable: true })] }),
  openFilesHead: () => ({ own: [sdk.openFilesHead()], lines: 1 }),
  openFileLine: () => ({
    hostile: [
      sdk.openFileLine({ pid: 1, comm: HOSTILE }, {
        fd: 1,
        path: HOSTILE,
        kind: "file",
        device: null,
      }, { style: STYLE }),
    ],
    lines: 1,
  }),
  modulesHead: () => ({ own: [sdk.modulesHead()], lines: 1 }),
  moduleLine: () => ({
    hostile: [
      // deno-lint-ignore no-explicit-any -- what only garbage says
      sdk.moduleLine({ base: 0n, lengthBytes: 1, name: HOSTILE, state: HOSTILE as any }, {
        style: STYLE,
      }),
    ],
    lines: 1,
  }),
  processesHead: () => ({ own: [sdk.processesHead()] }),
  processLine: () => ({
    hostile: [true, false].map((isKernelThread) =>
      sdk.processLine({ ...process, isKernelThread }, { style: STYLE })
    ),
    lines: 1,
  }),
  elfProcessesHead: () => ({ own: [sdk.elfProcessesHead()] }),
  elfProcessLine: () => ({
    hostile: [sdk.elfProcessLine({
      ...{ pid: 1, comm: HOSTILE, state: HOSTILE, sizeBytes: 1n, root: 0n, address: 0n },
    })],
    lines: 1,
  }),
  xv6EntryLine: () => ({ own: walk.steps.map((step) => sdk.xv6EntryLine(step, 0)), lines: 1 }),
  xv6Head: () => ({ own: [xv6Head(0x5000n)], lines: 1 }),
  xv6WalkText: () => ({ own: [sdk.xv6WalkText(walk)] }),
  xv6Tables: () => ({ own: xv6Listed, lines: 1 }),
  threadLine: () => ({ hostile: [sdk.threadLine({ ...process, tid: 1 })], lines: 1 }),
  rangeRecord: () => exact(sdk.rangeRecord(hostileRange, rootSource)),
  rangeText: () => ({ hostile: [sdk.rangeText(hostileRange, { source })] }),
  rangeSummary: () => ({ own: [sdk.rangeSummary(range)], lines: 1 }),
  sarifLog: () => {
    const log = sdk.sarifLog(hostileFindings, { artifact: `C:\\${HOSTILE}?#[`, version: HOSTILE });
    const text = sdk.toJson(log, 2);
    for (const { locations } of JSON.parse(text).runs[0].results) {
      const { uri } = locations[0].physicalLocation.artifactLocation;
      // A relative reference of RFC 3986: no scheme, no query, no fragment.
      assert(/^(?:[\w.~!$&'()*+,;=@/-]|%[0-9A-F]{2})+$/.test(uri), uri);
      assert(new URL(uri, "file:///").pathname.length > 1);
    }
    return { hostile: [text] };
  },
  formatSize: () => ({ own: [sdk.formatSize(4096)] }),
  PLAIN: () => ({ own: [sdk.PLAIN.bad("x")] }),
  // Its own colours are what it is for.
  COLOUR: () => ({ own: [] }),
  styleForStdout: () => ({ own: [] }),
  // Its page is that of htmlReport(); what it says of a guest that is gone is tested where it is served.
  serveReport: () => ({ own: [] }),
  RIGHT_WORDS: () => ({ own: Object.values(RIGHT_WORDS) }),
  symbolName: () => ({
    hostile: [0, 8].map((offset) => sdk.symbolName({ name: HOSTILE, offset })),
    lines: 1,
  }),
  symbolLine: () => ({
    hostile: [
      sdk.symbolLine({ address: 0n, type: HOSTILE, name: HOSTILE, module: HOSTILE }, {
        style: STYLE,
      }),
    ],
    lines: 1,
  }),
  TapCases: () => {
    const tap = new sdk.TapCases();
    const hostile = [tap.line({ name: HOSTILE, verdict: "fail", reason: HOSTILE })];
    return { hostile, own: [tap.head(), tap.end("fail")], lines: 1 };
  },
  JUnitCases: () => {
    const junit = new sdk.JUnitCases("own");
    junit.line({ name: HOSTILE, verdict: "fail", reason: HOSTILE });
    return { hostile: [junit.end("fail")], lines: 8 };
  },
  // Data, which the writers of test reports escape.
  partCase: () => {
    const hostile = parts.map((part) => sdk.partCase({ ...part, reason: HOSTILE }));
    const tap = new sdk.TapCases();
    return { hostile: hostile.map((one) => tap.line(one)), lines: 1 };
  },
  vfioCase: () => {
    const one = sdk.vfioCase({
      ...{ kind: "unread", source: "log", verdict: "inconclusive", reason: HOSTILE } as const,
    });
    return { hostile: [new sdk.TapCases().line(one!)], lines: 1 };
  },
  TapWriter: () => {
    const tap = new sdk.TapWriter();
    const directive = "# TODO \\# SKIP\nnot ok 98 - x\nBail out!\n1..0\n";
    const lines = parts.map((part) => tap.line({ ...part, reason: `${directive}${HOSTILE}` }));
    for (const line of lines) {
      assert(/^(not )?ok \d+ - /.test(line));
      // Every # is behind a backslash that is not itself escaped.
      assertEquals(line.replace(/\\[\\#]/g, "").includes("#"), false, line);
    }
    return { hostile: lines, own: [tap.head(), tap.end()], lines: 1 };
  },
  verificationText: () => ({
    hostile: [verdict, inconclusive].map((each) => sdk.verificationText(each, { source })),
  }),
  vfioLine: () => ({ hostile: vfio.map((judgement) => sdk.vfioLine(judgement)!), lines: 1 }),
  vfioRecord: () => exact(vfio.map(sdk.vfioRecord)),
  vfioSummary: () => {
    const tally = new sdk.VfioTally();
    for (const judgement of vfio) tally.add(judgement);
    for (const state of ["read", "unavailable"] as const) {
      tally.add({ kind: "source", source: "log", state, reason: HOSTILE });
    }
    const [note, ...others] = sdk.vfioSummary(tally);
    return { hostile: [note!], own: others, lines: 1 };
  },
  escapeMarkup: () => ({ hostile: [svg.escapeMarkup(HOSTILE)], lines: 1 }),
  element: () => ({ hostile: [svg.element("a", { href: HOSTILE }, HOSTILE)], lines: 1 }),
  drawing: () => ({ hostile: [svg.drawing({ width: 1, height: 1 }, HOSTILE, [])], lines: 1 }),
  text: () => ({ hostile: [svg.text(0, 0, HOSTILE)], lines: 1 }),
  middleText: () => ({ hostile: [svg.middleText(0, 0, HOSTILE)], lines: 1 }),
  brokenLine: () => ({ own: svg.brokenLine("a line of words", 100) }),
  drawBits: () => ({ own: [drawBits(entryBits)] }),
  drawWalk: () => ({ own: [drawWalk(walk)] }),
  toSvg: () => ({ own: [sdk.toSvg(walk), sdk.toSvg(entryBits)] }),
};

/** JSON keeps what it is given, and writes it so that it may stand on a terminal. */
function exact(value: unknown): Printed {
  const json = sdk.toJson(value);
  assert(JSON.stringify(JSON.parse(json)).includes(JSON.stringify(HOSTILE).slice(1, -1)));
  return { hostile: [json], lines: 1 };
}

/** The modules of src/report that make text: all but the page's own scripts and styles. */
async function* reportModules(
  folder = new URL("../../src/report/", import.meta.url),
): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && name !== "viewer") {
      yield* reportModules(new URL(`${name}/`, folder));
    } else if (name.endsWith(".ts") && !["_viewer_bundle.ts", "page_style.ts"].includes(name)) {
      yield new URL(name, folder).href;
    }
  }
}

async function exportsOfReport(): Promise<string[]> {
  const names: string[] = [];
  for await (const url of reportModules()) names.push(...Object.keys(await import(url)));
  // The entry exports what the others do.
  return [...new Set(names)].toSorted();
}

Deno.test("each export of src/report is fed hostile text here", async () => {
  assertEquals(
    Object.keys(PRINTERS).toSorted(),
    await exportsOfReport(),
    "give each export of src/report a row in this test",
  );
});

for (const [name, print] of Object.entries(PRINTERS)) {
  Deno.test(`${name} lets no character through that acts on its reader`, () => {
    const { hostile = [], own = [], lines } = print();
    for (const text of hostile) assertEscaped(text, name, lines);
    for (const text of own) assertClean(text, name, lines);
  });
}

Deno.test("no cell of CSV is a formula, and none ends its line or its cell", () => {
  const starts = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", '"=1', ",=1", "\n=1"];
  for (const text of starts) {
    const line = csvLine([text, "after", -1, 0x10]);
    const cells = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,"]*))/g)];
    const values = cells.map(([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare);
    assertEquals(values.slice(1), ["after", "-1", "16"], line);
    assert(!/^[=+\-@\t\r\n]/.test(values[0]!), line);
  }
});

Deno.test("what this test looks for is found", () => {
  for (const character of HOSTILE.replace("\n", "").match(/[^ -~]/gu)!) {
    assert(forbiddenIn(character) !== null, `U+${character.codePointAt(0)!.toString(16)}`);
  }
});

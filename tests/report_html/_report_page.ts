/** Reports of small tables, opened in a headless Chromium. */
import { assertEquals } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { htmlReport, toBase64 } from "../../src/report/html/html_report.ts";
import type { ReportData, ReportSide } from "../../src/report/html/page_data.ts";
import { encodeSnapshot } from "../../src/snapshot/file.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { Browser, CHROMIUM } from "./_browser.ts";

/** A page of user code. */
export const PAGE = 0x7f12_3456_7000n;
/** Where the kernel's pages begin. */
export const KERNEL = 0xffff_8880_0000_0000n;

/** A test that needs a browser. */
export function browserTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: CHROMIUM === null && Deno.env.get("CI") !== "true", fn });
}

/** Two pages of user code, and a kernel of many. */
export function small(): PageTableBuilder {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x1000_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  tables.map(PAGE, 0x20_0000n, "4K", { user: true, writable: true, noExecute: true });
  tables.map(PAGE + 0x1000n, 0x20_1000n, "4K", { user: true });
  for (let i = 0n; i < 100n; i++) {
    tables.map(KERNEL + i * 0x4000n, 0x30_0000n + i * 0x1000n, "4K", { writable: true });
  }
  return tables;
}

/** What a report has of tables. */
export async function side(
  name: string,
  tables: PageTableBuilder,
  source = "a test",
): Promise<ReportSide> {
  const taken = await snapshot(tables.memory, pagingContext(registersFor(tables)), { source });
  return { name, file: toBase64(await encodeSnapshot(taken)) };
}

/** Opens a report, and checks that nothing went wrong in it and nothing was asked for. */
export async function withPage(
  data: ReportData,
  use: (browser: Browser) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-report-" });
  try {
    await Deno.writeTextFile(`${folder}/report.html`, htmlReport(data));
    await using browser = await Browser.start();
    await browser.open(`file://${folder}/report.html`);
    await use(browser);
    assertEquals(browser.problems, []);
    // Nothing but the page itself was ever asked for.
    assertEquals(browser.requests.filter((url) => !/^(file|about):/.test(url)), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The report's page in a headless Chromium: search, zoom, keyboard, dark mode, hostile strings, size. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { htmlReport, toBase64 } from "../../src/report/html/html_report.ts";
import type { ReportData, ReportSide } from "../../src/report/html/page_data.ts";
import { encodeSnapshot } from "../../src/snapshot/file.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { viewerBundle } from "../tasks/build_viewer.ts";
import { Browser, CHROMIUM } from "./_browser.ts";

const PAGE = 0x7f12_3456_7000n;
const KERNEL = 0xffff_8880_0000_0000n;

function browserTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: CHROMIUM === null && Deno.env.get("CI") !== "true", fn });
}

function small(): PageTableBuilder {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x1000_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  tables.map(PAGE, 0x20_0000n, "4K", { user: true, writable: true, noExecute: true });
  tables.map(PAGE + 0x1000n, 0x20_1000n, "4K", { user: true });
  for (let i = 0n; i < 100n; i++) {
    tables.map(KERNEL + i * 0x4000n, 0x30_0000n + i * 0x1000n, "4K", { writable: true });
  }
  return tables;
}

async function side(
  name: string,
  tables: PageTableBuilder,
  source = "a test",
): Promise<ReportSide> {
  const taken = await snapshot(tables.memory, pagingContext(registersFor(tables)), { source });
  return { name, file: toBase64(await encodeSnapshot(taken)) };
}

async function withPage(data: ReportData, use: (browser: Browser) => Promise<void>): Promise<void> {
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

Deno.test("the report's bundle is made from the sources as they are", async () => {
  const path = new URL("../../src/report/html/_viewer_bundle.ts", import.meta.url);
  const isCurrent = await Deno.readTextFile(path) === await viewerBundle();
  assert(isCurrent, "run: deno run -A tests/tasks/build_viewer.ts");
});

browserTest("report: memory areas and files are named, as they are and not as markup", async () => {
  const names = [
    { start: "0x7f1234567000", end: "0x7f1234568000", name: "/bin/<b>target\u202e</b>" },
    { start: "0xffff888000000000", end: "0xffff888000004000", name: "direct map" },
  ];
  const data = {
    title: "names",
    sides: [{ ...await side("now", small()), names }],
    findings: [],
  };
  await withPage(data, async (browser) => {
    const rows = await browser.evaluate<string[]>(
      "[...document.querySelectorAll('#mappings [role=option]')].map((row) => row.textContent)",
    );
    assertMatch(rows[0]!, /0x00007f1234567000.* \/bin\/<b>target\\u202e<\/b>$/);
    assertEquals(rows.filter((row) => row.endsWith("direct map")).length, 1);
  });
});

browserTest("report: an address typed in the search box shows the way and the bits", async () => {
  const data = { title: "search", sides: [await side("now", small())], findings: [] };
  await withPage(data, async (browser) => {
    await browser.evaluate("document.getElementById('address').focus()");
    await browser.press(..."0x7f1234567000", "Enter");
    await browser.until("document.querySelectorAll('#ways details').length === 4");
    const text = await browser.evaluate<string>("document.getElementById('ways').textContent");
    assertStringIncludes(text, "PML4[254]");
    assertStringIncludes(text, "PTE[359]");
    assertStringIncludes(text, "U/S (_PAGE_USER) = 1: user");
    assertStringIncludes(text, "physical 0x200000");
    assertEquals(await browser.evaluate("location.hash"), "#0x7f1234567000");
    // 64 bits are drawn for the PTE.
    const bits = "document.querySelectorAll('#ways details[open] rect').length";
    assertEquals(await browser.evaluate(bits), 64);
    await browser.evaluate("document.getElementById('address').value = 'nonsense'");
    await browser.evaluate("document.querySelector('form').requestSubmit()");
    await browser.until(
      "document.getElementById('message').textContent.includes('Not an address')",
    );
  });
});

browserTest("report: the map zooms and picks, by keyboard and by wheel", async () => {
  const data = { title: "zoom", sides: [await side("now", small())], findings: [] };
  await withPage(data, async (browser) => {
    const picture = () => browser.evaluate<string>("document.querySelector('canvas').toDataURL()");
    const whole = await picture();
    await browser.evaluate("document.querySelector('canvas').focus()");
    await browser.press("+", "+", "+");
    const zoomed = await picture();
    assert(zoomed !== whole);
    await browser.press("ArrowRight");
    assert(await picture() !== zoomed);
    await browser.press("0");
    assertEquals(await picture(), whole);
    await browser.evaluate(
      "document.querySelector('canvas').dispatchEvent(new WheelEvent('wheel', {deltaY: -100, cancelable: true}))",
    );
    assert(await picture() !== whole);
    await browser.press("Enter");
    await browser.until("document.getElementById('ways').textContent.includes('after all levels')");
    assertMatch(await browser.evaluate("location.hash"), /^#0x[0-9a-f]+$/);
  });
});

browserTest("report: lists are used by keyboard, and filters leave what they say", async () => {
  const findings = [{ rule: "r", severity: "high", address: "0x7f1234567000", text: "look here" }];
  const data = { title: "lists", sides: [await side("now", small())], findings };
  await withPage(data, async (browser) => {
    await browser.evaluate("document.getElementById('mappings').focus()");
    await browser.press("ArrowDown", "ArrowDown");
    await browser.until("document.getElementById('address').value === '0x7f1234568000'");
    await browser.press("End");
    await browser.until(
      `document.getElementById('address').value === '0x${(KERNEL + 99n * 0x4000n).toString(16)}'`,
    );
    await browser.evaluate(
      "{const f = document.getElementById('filter'); f.value = 'user'; f.dispatchEvent(new Event('change'))}",
    );
    assertEquals(
      await browser.evaluate("document.querySelectorAll('#mappings [role=option]').length"),
      2,
    );
    await browser.evaluate("document.getElementById('findings').focus()");
    await browser.press("ArrowDown");
    await browser.until("document.getElementById('address').value === '0x7f1234567000'");
  });
});

browserTest("report: two states stand side by side, with what differs", async () => {
  const tables = small();
  const before = await side("before", tables);
  tables.setRights(PAGE, 1, { user: false });
  const data = { title: "diff", sides: [before, await side("after", tables)], findings: [] };
  await withPage(data, async (browser) => {
    await browser.until("document.querySelector('#differences [role=option]')");
    const row = await browser.evaluate<string>(
      "document.querySelector('#differences [role=option]').textContent",
    );
    assertStringIncludes(row, "_PAGE_USER 1 -> 0");
    await browser.evaluate("document.querySelector('#differences [role=option]').click()");
    await browser.until("document.querySelectorAll('#ways > section').length === 2");
    const ways = await browser.evaluate<string[]>(
      "[...document.querySelectorAll('#ways > section')].map((s) => s.textContent)",
    );
    assertStringIncludes(ways[0]!, "urw- after all levels");
    assertStringIncludes(ways[1]!, "-rw- after all levels");
  });
});

browserTest("report: dark mode changes the colours of page, map and drawings", async () => {
  const data = { title: "dark", sides: [await side("now", small())], findings: [] };
  await withPage(data, async (browser) => {
    await browser.evaluate("document.getElementById('address').value = '0x7f1234567000'");
    await browser.evaluate("document.querySelector('form').requestSubmit()");
    await browser.until("document.querySelector('#ways rect')");
    const look = async (scheme: string) => {
      const features = [{ name: "prefers-color-scheme", value: scheme }];
      await browser.send("Emulation.setEmulatedMedia", { features });
      await browser.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
      );
      return await browser.evaluate<string[]>(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('#ways rect')).fill," +
          " document.querySelector('canvas').toDataURL()]",
      );
    };
    const [light, dark] = [await look("light"), await look("dark")];
    for (const [i, value] of light.entries()) {
      assert(value !== dark[i], `${i}: ${value.slice(0, 80)}`);
    }
    const { data: png } = await browser.send("Page.captureScreenshot");
    assert(String(png).length > 10_000);
    const path = Deno.env.get("PAGEWALK_SCREENSHOT");
    if (path) {
      await Deno.writeFile(
        path,
        Uint8Array.from(atob(String(png)), (c) => c.charCodeAt(0)),
      );
    }
  });
});

browserTest("report: hostile strings stay text", async () => {
  const evil =
    `</script><script>globalThis.pwned=1</script><img src=x onerror="pwned=1"><!--'"&\u2028`;
  const findings = [{ rule: evil, severity: evil, address: "0x7f1234567000", text: evil }];
  const data = { title: evil, sides: [await side(evil, small(), evil)], findings };
  const html = htmlReport(data);
  assertEquals(html.match(/<script/g)!.length, 2);
  // As text, and with nothing in it that hides or turns text.
  const shown = evil.replace("\u2028", "\\u2028");
  await withPage(data, async (browser) => {
    assertEquals(await browser.evaluate("document.title"), shown);
    assertEquals(await browser.evaluate("typeof globalThis.pwned"), "undefined");
    assertEquals(await browser.evaluate("document.images.length"), 0);
    const row = "document.querySelector('#findings [role=option]').textContent";
    assertEquals(await browser.evaluate(row), shown);
  });
});

browserTest("report: 100,000 pages stay under 5 MB, and scroll smoothly", async () => {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x4000_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  for (let i = 0n; i < 100_000n; i++) {
    // No two neighbours alike, so that every page is a run of its own.
    const frame = (i * 37n % 100_000n) << 12n;
    tables.map(0x10_0000_0000n + i * 0x1000n, frame, "4K", { user: true, writable: i % 2n === 0n });
  }
  const data = { title: "many", sides: [await side("now", tables)], findings: [] };
  const bytes = new TextEncoder().encode(htmlReport(data)).length;
  assertLess(bytes, 5_000_000);
  await withPage(data, async (browser) => {
    const rows = () =>
      browser.evaluate<number>("document.querySelectorAll('#mappings [role=option]').length");
    assertLess(await rows(), 40);
    // Each step of a scroll draws a screenful, wherever it is; the time is for the reader.
    const [stepMs, most] = await browser.evaluate<[number, number]>(`(async () => {
      const list = document.getElementById("mappings");
      const started = performance.now();
      let most = 0;
      for (let i = 0; i < 100; i++) {
        list.scrollTop = i * 20000;
        list.dispatchEvent(new Event("scroll"));
        list.getBoundingClientRect();
        most = Math.max(most, list.querySelectorAll("[role=option]").length);
      }
      return [(performance.now() - started) / 100, most];
    })()`);
    console.log(`  ${bytes} bytes, ${stepMs.toFixed(2)} ms a scroll step`);
    assertLess(most, 40);
    await browser.evaluate("document.getElementById('mappings').focus()");
    await browser.press("End");
    await browser.until("document.getElementById('address').value === '0x101869f000'");
    assertLess(await rows(), 40);
  });
});

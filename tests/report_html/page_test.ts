/** The report's page in a headless Chromium: search, zoom, keyboard, dark mode, hostile strings, size. */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { htmlReport, toBase64 } from "../../src/report/html/html_report.ts";
import type { ReportData, ReportSide } from "../../src/report/html/page_data.ts";
import { readIommuDevices } from "../../src/iommu/read_devices.ts";
import { encodeSnapshot } from "../../src/snapshot/file.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { IommuTableBuilder } from "../../src/testing/iommu_table_builder.ts";
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

/** A device whose tables lead to some of the frames of `small()`. */
async function deviceSide(): Promise<ReportSide> {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x1000_0000n)] });
  const builder = new IommuTableBuilder("vtd-legacy", memory, { tablesAt: 0x10_0000n });
  builder.map("00:03.0", 0x7000n, 0x20_0000n, 4096);
  builder.map("00:03.0", 0x9000n, 0x900_0000n, 4096);
  const { devices: [device] } = await readIommuDevices("vtd", memory, builder.root);
  const taken = await snapshot(memory, device!.regime!, { source: "<b>domain</b> 1" });
  return { name: "00:03.0", file: toBase64(await encodeSnapshot(taken)) };
}

browserTest("report: a device's address space, and links between what maps one frame", async () => {
  const sides = [await side("now", small())];
  const data = { title: "dma", sides, devices: [await deviceSide()], findings: [] };
  await withPage(data, async (browser) => {
    const text = (id: string) =>
      browser.evaluate<string>(`document.getElementById('${id}').textContent`);
    assertStringIncludes(await text("devices"), "<b>domain</b> 1, VT-d second level, 4 levels");
    assertStringIncludes(await text("devices"), "IOVAs ");
    const lookUp = async (address: string) => {
      await browser.evaluate(`document.getElementById('address').value = '${address}'`);
      await browser.evaluate("document.querySelector('form').requestSubmit()");
      await browser.until(
        `document.getElementById('message').textContent === 'The way to ${address}'`,
      );
    };
    await lookUp("0x7f1234568000");
    assertEquals(await text("reached"), "No device reaches this frame.");
    await lookUp("0x7f1234567000");
    assertEquals(await text("reached"), "00:03.0 reaches this frame at IOVA 0x7000 (-rw-)");
    await browser.evaluate("document.querySelector('#reached button').click()");
    await browser.until("document.querySelectorAll('#device-way details').length === 4");
    const way = await text("device-way");
    assertStringIncludes(way, "SL-PTE[7]");
    assertStringIncludes(way, "this frame is mapped at 0x7f1234567000 (urw-)");
    await lookUp("0x7f1234568000");
    await browser.evaluate("document.querySelector('#device-way .links button').click()");
    await browser.until(
      "document.getElementById('message').textContent === 'The way to 0x7f1234567000'",
    );
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

/** A page that user mode may not touch beside one that it may, named, and a kernel of many pages. */
async function named(): Promise<ReportSide> {
  const tables = small();
  tables.map(PAGE + 0x2000n, 0x20_2000n, "4K", { writable: true, noExecute: true });
  return {
    ...await side("now", tables),
    facts: ["Linux 6.1.0", "pid 84 <b>target</b>"],
    regions: [
      { start: "0x7f1234567000", end: "0x7f1234569000", name: "[heap]" },
      { start: "0x7f1234569000", end: "0x7f123456a000", name: "VFIO DMA <b>x</b>" },
      { start: "0xffff888000000000", end: "0xffffc90000000000", name: "direct map" },
    ],
  };
}

browserTest(
  "report: the halves stand apart, closed pages come first, and parts have names",
  async () => {
    const data = { title: "halves", sides: [await named()], findings: [] };
    await withPage(data, async (browser) => {
      const texts = (selector: string) =>
        browser.evaluate<string[]>(
          `[...document.querySelectorAll('${selector}')].map((node) => node.textContent)`,
        );
      assertEquals(await texts(".strip h3"), ["User half", "Kernel half"]);
      assertEquals(await texts(".legend span"), [
        "in the user's range, closed to user mode: 4 KiB",
        "writable and executable: 400 KiB",
        "user code: 4 KiB",
        "user data: 4 KiB",
      ]);
      // The colour itself, in the middle of the last of three runs.
      const pixel = await browser.evaluate<number[]>(`(() => {
      const canvas = document.querySelector("canvas");
      const context = canvas.getContext("2d");
      return [...context.getImageData(Math.round(canvas.width * 5 / 6), 50, 1, 1).data];
    })()`);
      assertEquals(pixel, [0xfb, 0x85, 0x00, 0xff]);
      assertStringIncludes((await texts("p")).join("\n"), "Linux 6.1.0, pid 84 <b>target</b>");
      const rows = await texts("#mappings [role=option]");
      assertMatch(rows[0]!, /0x00007f1234567000.* \[heap\]$/);
      assertMatch(rows[2]!, /0x00007f1234569000.* VFIO DMA <b>x<\/b>$/);
      assertMatch(rows[3]!, /direct map$/);
    });
  },
);

browserTest("report: a region is opened by mouse and by list, and one key leads back", async () => {
  const data = { title: "regions", sides: [await named()], findings: [] };
  await withPage(data, async (browser) => {
    const sight = (strip: number) =>
      browser.evaluate<string>(
        `document.querySelectorAll('.strip span')[${strip}].textContent`,
      );
    const whole = "0x7f1234567000 to 0x7f1234569000";
    assertEquals(await sight(0), whole);
    await browser.evaluate(`(() => {
      const region = document.getElementById("region");
      region.value = "1";
      region.dispatchEvent(new Event("change"));
    })()`);
    assertEquals(await sight(0), "0x7f1234568000 to 0x7f1234569000");
    assertEquals(await sight(1), "0xffff888000000000 to 0xffff88800018c000");
    await browser.press("Escape");
    assertEquals(await sight(0), whole);
    // The names are above the runs.
    await browser.evaluate(`(() => {
      const canvas = document.querySelector("canvas");
      const { left, top, width } = canvas.getBoundingClientRect();
      const at = { clientX: left + width * 0.9, clientY: top + 8, bubbles: true };
      canvas.dispatchEvent(new MouseEvent("click", at));
    })()`);
    assertEquals(await sight(0), "0x7f1234568000 to 0x7f1234569000");
    const back = "document.querySelector('.strip button')";
    assertEquals(await browser.evaluate(`${back}.hidden`), false);
    await browser.evaluate(`${back}.click()`);
    assertEquals(await sight(0), whole);
    assertEquals(await browser.evaluate(`${back}.hidden`), true);
  });
});

browserTest(
  "report: a bad address clears the walk, and a finding shows its own in view",
  async () => {
    const findings = [{
      rule: "r",
      severity: "high",
      address: "0x7f1234567000",
      text: "look here",
    }];
    const data = { title: "ways", sides: [await named()], findings };
    await withPage(data, async (browser) => {
      const look = (text: string) =>
        browser.evaluate(
          `document.getElementById("address").value = "${text}";` +
            "document.querySelector('form').requestSubmit()",
        );
      const ways = () =>
        browser.evaluate<number>("document.getElementById('ways').children.length");
      await look("0x7f1234567000");
      await browser.until("document.getElementById('ways').children.length === 1");
      await look("nonsense");
      assertEquals(await ways(), 0);
      await browser.evaluate("document.querySelector('#findings [role=option]').click()");
      await browser.until("document.getElementById('ways').children.length === 1");
      await browser.until(`(() => {
      const { top, bottom } = document.getElementById("ways").getBoundingClientRect();
      return top < innerHeight && bottom > 0;
    })()`);
      // The level that closes the page says so, and only this one.
      await look("0x7f1234569000");
      await browser.until(
        "document.getElementById('ways').textContent.includes('decides user no')",
      );
      assertEquals(await browser.evaluate("document.querySelectorAll('#ways .strong').length"), 1);
    });
  },
);

browserTest("report: at 420 pixels nothing has to be moved sideways", async () => {
  const findings = [{
    rule: "r",
    severity: "high",
    address: "0x7f1234567000",
    text: `a finding of ${"many words ".repeat(40)}`,
  }];
  const sides = [await side("before", small()), await named()];
  await withPage({ title: "narrow ".repeat(20), sides, findings }, async (browser) => {
    for (const width of [420, 800, 1240]) {
      await browser.send("Emulation.setDeviceMetricsOverride", {
        ...{ width, height: 900, deviceScaleFactor: 1, mobile: false },
      });
      await browser.evaluate(
        "document.getElementById('address').value = '0x7f1234567000';" +
          "document.querySelector('form').requestSubmit()",
      );
      await browser.until("document.querySelectorAll('#ways details').length === 8");
      const [all, seen] = await browser.evaluate<[number, number]>(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
      );
      assertEquals(all, seen, `${width} pixels`);
    }
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

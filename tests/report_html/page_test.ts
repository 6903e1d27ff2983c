/** The report's page in a headless Chromium: search, lists, dark mode, hostile strings, size. */
import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { htmlReport, toBase64 } from "../../src/report/html/html_report.ts";
import type { ReportSide } from "../../src/report/html/page_data.ts";
import { readIommuDevices } from "../../src/iommu/read_devices.ts";
import { encodeSnapshot } from "../../src/snapshot/file.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { IommuTableBuilder } from "../../src/testing/iommu_table_builder.ts";
import { PageTableBuilder } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { viewerBundle } from "../tasks/build_viewer.ts";
import { browserTest, KERNEL, PAGE, side, small, withPage } from "./_report_page.ts";

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

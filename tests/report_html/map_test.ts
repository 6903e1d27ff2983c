/** The map of a report's page in a headless Chromium: halves, names, zoom, and the walk beside it. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ReportSide } from "../../src/report/html/page_data.ts";
import { browserTest, PAGE, side, small, withPage } from "./_report_page.ts";

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

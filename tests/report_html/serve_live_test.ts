/** `report.ts --serve` on a real guest, in a real browser, while a bit falls. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { labTest, startLab } from "../lab/mod.ts";
import { Browser, CHROMIUM } from "./_browser.ts";

/** Page 240 of the DMA buffer: the lab leaves its bit set. */
const PAGE = 240;

Deno.test({
  ...await labTest("report.ts --serve shows a bit of a real guest fall", "4-level", async () => {
    await using lab = await startLab("4-level");
    const monitor = `127.0.0.1:${lab.monitorPort}`;
    await using server = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "--allow-net=127.0.0.1", "examples/report.ts"],
        ...[monitor, "--comm", "target", "--serve"],
      ],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const [, url] = (await lines.read()).value!.match(/^\[\+\] (\S+) \(Ctrl-C ends it\)\n$/)!;
    {
      await using browser = await Browser.start();
      await browser.open(url!);
      const address = lab.fact("dma").address + BigInt(PAGE * 4096);
      const look = `document.getElementById("address").value = "0x${address.toString(16)}";` +
        "document.querySelector('form').requestSubmit()";
      await browser.evaluate(look);
      await browser.until("document.querySelectorAll('#ways details').length === 4");
      const ways = "document.getElementById('ways').textContent";
      assertStringIncludes(await browser.evaluate(ways), "VFIO DMA (IOVA 0x0)");
      assertMatch(await browser.evaluate(ways), /ur\S+ after all levels/);
      await lab.clear(PAGE);
      await browser.until(`${ways}.includes('decides user no')`);
      const row = "[...document.querySelectorAll('#changes [role=option]')]" +
        `.find((row) => row.textContent.includes("${address.toString(16)}"))?.textContent`;
      await browser.until(`${row} !== undefined`);
      assertMatch(await browser.evaluate(row), /_PAGE_USER 1 -> 0/);
      await lab.restore(PAGE);
      await browser.until(`!${ways}.includes('decides user no')`);
      assertEquals(browser.problems, []);
    }
    server.kill("SIGINT");
    assertEquals((await server.status).code, 130);
    await lines.cancel();
  }),
  ...CHROMIUM === null && Deno.env.get("CI") !== "true" ? { ignore: true } : {},
});

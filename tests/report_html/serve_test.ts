/** A served report: whom it answers, and how a page in a headless Chromium follows the guest. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { pagingContext } from "../../src/arch/x86/paging_context.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import type { ReportSide } from "../../src/report/html/page_data.ts";
import { toBase64 } from "../../src/report/html/html_report.ts";
import { serveReport } from "../../src/report/html/serve_report.ts";
import { encodeSnapshot } from "../../src/snapshot/file.ts";
import { snapshot } from "../../src/snapshot/snapshot.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { Browser, CHROMIUM } from "./_browser.ts";

const PAGE = 0x7f12_3456_7000n;

/** A guest of one page, which is read by a served report. */
class Served {
  readonly tables: PageTableBuilder;
  readonly end = new AbortController();
  reads = 0;
  failure: Error | null = null;
  #side: ReportSide | null = null;

  constructor() {
    const memory = new SparseMemory({ ranges: [ramRange(0n, 0x1000_0000n)] });
    this.tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
    this.tables.map(PAGE, 0x20_0000n, "4K", { user: true, writable: true });
    this.tables.map(PAGE + 0x1000n, 0x20_1000n, "4K", { user: true, writable: true });
  }

  async read(): Promise<ReportSide> {
    this.reads++;
    if (this.failure) throw this.failure;
    return this.#side ??= await this.#take();
  }

  change(options: { user: boolean }): void {
    this.tables.change(PAGE, 1, (raw) => options.user ? raw | 4n : raw & ~4n);
    this.#side = null;
  }

  /** Resolves once nothing is read any more: whoever is gone is soon noticed. */
  async isStill(): Promise<void> {
    for (let seconds = 0; seconds < 60; seconds++) {
      const before = this.reads;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      if (this.reads === before) return;
    }
    throw new Error("it is read on and on");
  }

  async start(): Promise<{ url: string; finished: Promise<void> }> {
    const data = { title: "served", sides: [await this.#take()], findings: [] };
    const { signal } = this.end;
    return serveReport({ data, read: () => this.read() }, { intervalMs: 20, signal });
  }

  async #take(): Promise<ReportSide> {
    const { memory } = this.tables;
    const context = pagingContext(registersFor(this.tables));
    const taken = await snapshot(memory, context, { source: "a test" });
    return { name: "now", file: toBase64(await encodeSnapshot(taken)) };
  }
}

async function withServed(
  use: (served: Served, url: string) => Promise<void>,
): Promise<void> {
  const served = new Served();
  const { url, finished } = await served.start();
  try {
    await use(served, url);
  } finally {
    served.end.abort();
    await finished;
  }
}

/** A request with headers that fetch() would not send. */
async function raw(url: string, head: string): Promise<string> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(`${head}\r\nConnection: close\r\n\r\n`));
  let reply = "";
  const decoder = new TextDecoder();
  for await (const chunk of connection.readable) reply += decoder.decode(chunk, { stream: true });
  return reply;
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error("not within a minute");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("a served report answers only who knows its path, by its own name, from its own page", async () => {
  await withServed(async (served, url) => {
    const { host, pathname, origin } = new URL(url);
    assertMatch(host, /^127\.0\.0\.1:\d+$/);
    assertMatch(pathname, /^\/[0-9a-f-]{36}\/$/);
    const page = await fetch(url);
    assertEquals(page.status, 200);
    assertStringIncludes(await page.text(), "connect-src 'self'");
    assertEquals(page.headers.get("content-security-policy"), "frame-ancestors 'none'");
    assertEquals(page.headers.get("access-control-allow-origin"), null);
    for (const path of ["/", "/events", "/favicon.ico", `/${crypto.randomUUID()}/`]) {
      const reply = await fetch(`${origin}${path}`);
      await reply.body?.cancel();
      assertEquals(reply.status, 404, path);
    }
    const posted = await fetch(url, { method: "POST", body: "x" });
    await posted.body?.cancel();
    assertEquals(posted.status, 405);
    // A name of somebody else's that leads to loopback, and requests that another site causes.
    const get = `GET ${pathname}events HTTP/1.1\r\n`;
    assertMatch(await raw(url, `${get}Host: evil.example`), /^HTTP\/1\.1 403 /);
    assertMatch(
      await raw(url, `${get}Host: ${host}\r\nSec-Fetch-Site: cross-site`),
      /^HTTP\/1\.1 403 /,
    );
    assertMatch(
      await raw(url, `${get}Host: ${host}\r\nSec-Fetch-Site: same-site`),
      /^HTTP\/1\.1 403 /,
    );
    assertEquals(served.reads, 0);
  });
});

Deno.test("a served report reads the guest for as many pages as are open, and for none", async () => {
  await withServed(async (served, url) => {
    const open = async () => {
      const reply = await fetch(`${url}events`);
      return { reply, reader: reply.body!.pipeThrough(new TextDecoderStream()).getReader() };
    };
    const pages = [await open(), await open(), await open(), await open()];
    const fifth = await fetch(`${url}events`);
    assertEquals(fifth.status, 503);
    await fifth.body?.cancel();
    const { reader } = pages[0]!;
    const first = (await reader.read()).value!;
    assertEquals(Object.keys(JSON.parse(first.slice("data: ".length))), ["name", "file"]);
    assertEquals((await reader.read()).value, ": the same\n\n");
    served.change({ user: false });
    let next = ": the same\n\n";
    while (next.startsWith(":")) next = (await reader.read()).value!;
    assertMatch(next, /^data: /);
    for (const { reader } of pages) await reader.cancel();
    await served.isStill();
    // The places are free again, and an end of the guest is told.
    served.failure = new Error("the guest <b>ended</b>\u001b[1m");
    const last = await fetch(`${url}events`);
    assertEquals(
      await last.text(),
      'event: gone\ndata: "the guest <b>ended</b>\\\\x1b[1m"\n\n',
    );
  });
});

Deno.test("a served report refuses what is no port", async () => {
  const served = new Served();
  const data = { title: "served", sides: [await served.read()], findings: [] };
  for (const port of [-1, 65536, 1.5, NaN]) {
    assertThrows(
      () => serveReport({ data, read: () => served.read() }, { port }),
      InvalidArgumentError,
    );
  }
});

Deno.test({
  name:
    "a page follows the guest: what changes glows and is listed, and a hidden page reads nothing",
  ignore: CHROMIUM === null && Deno.env.get("CI") !== "true",
  async fn() {
    await withServed(async (served, url) => {
      await using browser = await Browser.start();
      await browser.open(url);
      const text = (id: string) =>
        browser.evaluate<string>(`document.getElementById("${id}").textContent`);
      await browser.until("document.getElementById('live').textContent.startsWith('live')");
      await browser.evaluate(
        "document.getElementById('address').value = '0x7f1234567000';" +
          "document.querySelector('form').requestSubmit()",
      );
      await browser.until("document.querySelectorAll('#ways details').length === 4");
      assertStringIncludes(await text("ways"), "urwx after all levels");
      served.change({ user: false });
      await browser.until(
        "document.getElementById('ways').textContent.includes('decides user no')",
      );
      // The entry, the run of its page, the row of the change.
      assertEquals(await browser.evaluate("document.querySelectorAll('#ways .glow').length"), 1);
      assertEquals(
        await browser.evaluate("document.querySelectorAll('#mappings .glow').length"),
        1,
      );
      assertStringIncludes(await text("changes"), "0x00007f1234567000");
      assertStringIncludes(
        await browser.evaluate("document.querySelector('.legend').textContent"),
        "closed to user mode: 4 KiB",
      );
      const hide = (hidden: boolean) =>
        browser.evaluate(
          `Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });` +
            "document.dispatchEvent(new Event('visibilitychange'))",
        );
      await hide(true);
      assertStringIncludes(await text("live"), "paused");
      await served.isStill();
      const { reads } = served;
      served.change({ user: true });
      await hide(false);
      await browser.until(
        "document.getElementById('ways').textContent.includes('urwx after all levels')",
      );
      served.failure = new Error("The guest is <i>gone</i>");
      await until(() => served.reads > reads);
      await browser.until(
        "document.getElementById('live').textContent === 'no longer live: The guest is <i>gone</i>'",
      );
      assertEquals(browser.problems, []);
      assert(browser.requests.every((asked) => asked.startsWith(url)), browser.requests.join(" "));
    });
  },
});

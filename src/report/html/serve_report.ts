import { InvalidArgumentError } from "../../core/errors.ts";
import { escapeMessage } from "../../core/escape.ts";
import { htmlReport } from "./html_report.ts";
import type { ReportData, ReportSide } from "./page_data.ts";

/** More would each read the guest anew. */
const MAX_PAGES = 4;

/** What a live report is made from. */
export interface LiveReport {
  /** The page as it is at first. */
  readonly data: ReportData;
  /**
   * Reads the address space as it is now: called again and again while a page is open, never twice at a
   * time. Where nothing has changed it returns the same object as before.
   */
  readonly read: () => Promise<ReportSide>;
}

/** Options of {@linkcode serveReport}. */
export interface ServeReportOptions {
  /** The port on loopback. @default {0}, any that is free */
  port?: number;
  /** How long to wait between two readings, in milliseconds. @default {1000} */
  intervalMs?: number;
  /** Ends the server. */
  signal?: AbortSignal;
}

/** A report that is being served. */
export interface ServedReport {
  /** Where it is: a path that nobody can guess is part of it. */
  readonly url: string;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
}

/**
 * Serves a report on loopback, whose pages follow the guest: what changes is sent to them as server-sent
 * events. Nothing is read while no page is open and in sight. Other users of the machine and other
 * origins in the browser get nothing: the path holds a random token, a foreign `Host` or origin is
 * refused, and no page may frame it.
 *
 * @throws {Deno.errors.AddrInUse} if the port is taken
 *
 * @example Usage
 * ```ts
 * import { connect, encodeSnapshot } from "@pagewalk/pagewalk";
 * import { serveReport, toBase64 } from "@pagewalk/pagewalk/report";
 *
 * async function serve(monitor: string): Promise<void> {
 *   await using guest = await connect(monitor);
 *   const read = async () => {
 *     return { name: "now", file: toBase64(await encodeSnapshot(await guest.snapshot())) };
 *   };
 *   const data = { title: monitor, sides: [await read()], findings: [] };
 *   const { url, finished } = serveReport({ data, read });
 *   console.log(url);
 *   await finished;
 * }
 * ```
 */
export function serveReport(report: LiveReport, options: ServeReportOptions = {}): ServedReport {
  const { port = 0, intervalMs = 1000, signal } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new InvalidArgumentError(`No port: ${port}`, port);
  }
  const token = crypto.randomUUID();
  const pages = new Pages(report.read, intervalMs);
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port,
    ...signal && { signal },
    onListen() {},
  }, (request) => answer(request));
  const host = `127.0.0.1:${server.addr.port}`;
  const html = htmlReport({ ...report.data, live: { events: "events", intervalMs } });

  function answer(request: Request): Response {
    const url = new URL(request.url);
    const site = request.headers.get("sec-fetch-site") ?? "none";
    // A name of another site that resolves to loopback has another Host.
    if (request.headers.get("host") !== host || !["none", "same-origin"].includes(site)) {
      return refusal(403, "This page is for the browser that it was opened in");
    }
    if (request.method !== "GET") return refusal(405, "Only GET is answered");
    if (url.pathname === `/${token}/`) return new Response(html, { headers: headers("text/html") });
    if (url.pathname !== `/${token}/events`) return refusal(404, "Nothing is here");
    if (pages.count >= MAX_PAGES) return refusal(503, `${MAX_PAGES} pages are open already`);
    return new Response(pages.stream(), { headers: headers("text/event-stream") });
  }

  return { url: `http://${host}/${token}/`, finished: server.finished };
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, { status, headers: headers("text/plain") });
}

function headers(type: string): HeadersInit {
  return {
    "content-type": `${type}; charset=utf-8`,
    "cache-control": "no-store",
    "content-security-policy": "frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}

/** The pages that follow the guest. One reading serves all of them. */
class Pages {
  readonly #read: () => Promise<ReportSide>;
  readonly #intervalMs: number;
  #count = 0;
  #reading: Promise<ReportSide> | null = null;

  constructor(read: () => Promise<ReportSide>, intervalMs: number) {
    this.#read = read;
    this.#intervalMs = intervalMs;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** The events of one page: the address space as it is, then again whenever it has changed. */
  stream(): ReadableStream<Uint8Array> {
    this.#count++;
    const encoder = new TextEncoder();
    let isOpen = true;
    let sent: ReportSide | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wake = () => {};
    const pause = () =>
      new Promise<void>((resolve) => {
        wake = resolve;
        timer = setTimeout(resolve, this.#intervalMs);
      });
    const close = () => {
      if (isOpen) this.#count--;
      isOpen = false;
      clearTimeout(timer);
      wake();
    };
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        // Whoever does not read what was sent has nothing read for him.
        if (sent !== null) await pause();
        if (!isOpen) return;
        try {
          const side = await this.#next();
          // A comment, where nothing has changed: a page that has gone is noticed when it is written to.
          const text = side === sent ? ": the same\n\n" : `data: ${JSON.stringify(side)}\n\n`;
          sent = side;
          if (isOpen) controller.enqueue(encoder.encode(text));
        } catch (error) {
          if (!isOpen) return;
          const reason = escapeMessage(error instanceof Error ? error.message : String(error));
          controller.enqueue(encoder.encode(`event: gone\ndata: ${JSON.stringify(reason)}\n\n`));
          close();
          controller.close();
        }
      },
      cancel: close,
    }, { highWaterMark: 1 });
  }

  #next(): Promise<ReportSide> {
    this.#reading ??= this.#read().finally(() => this.#reading = null);
    return this.#reading;
  }
}

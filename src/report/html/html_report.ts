import { escapeText } from "../../core/escape.ts";
import { toJson } from "../json.ts";
import { escapeMarkup } from "../svg/element.ts";
import { VIEWER } from "./_viewer_bundle.ts";
import type { ReportData } from "./page_data.ts";
import { PAGE_STYLE } from "./page_style.ts";

/**
 * Makes one self-contained HTML page of snapshots and findings: a map of the address space, the tables
 * to any address, each entry's bits, and what differs. It needs no network and runs nothing but itself.
 *
 * @example Usage
 * ```ts
 * import { connect, encodeSnapshot } from "@pagewalk/pagewalk";
 * import { htmlReport, toBase64 } from "@pagewalk/pagewalk/report";
 * import { assert } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const file = toBase64(await encodeSnapshot(await guest.snapshot()));
 * const html = htmlReport({ title: "sim", sides: [{ name: "now", file }], findings: [] });
 * assert(html.startsWith("<!doctype html>"));
 * ```
 */
export function htmlReport(data: ReportData): string {
  // In a script element only "<" can end the text, or start a comment.
  const json = toJson(data).replaceAll("<", "\\u003c");
  return [
    "<!doctype html>",
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    // Even if something slipped through: nothing is loaded from anywhere else.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; ` +
    `script-src 'unsafe-inline'; style-src 'unsafe-inline'` +
    `${data.live ? "; connect-src 'self'" : ""}">`,
    `<title>${escapeMarkup(escapeText(data.title))}</title>`,
    `<style>${PAGE_STYLE}</style>`,
    "<main></main>",
    `<script type="application/json" id="data">${json}</script>`,
    `<script type="module">${VIEWER}</script>`,
    "</html>",
    "",
  ].join("\n");
}

/**
 * Writes bytes as base64.
 *
 * @example Usage
 * ```ts
 * import { toBase64 } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(toBase64(new Uint8Array([1, 2, 3])), "AQID");
 * ```
 */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  // String.fromCharCode takes its bytes as arguments, of which there may not be too many.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}

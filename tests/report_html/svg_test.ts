import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bits } from "../../src/arch/x86/bits.ts";
import { element, escapeMarkup } from "../../src/report/svg/element.ts";
import { toSvg } from "../../src/report/svg/to_svg.ts";
import { connect } from "../../src/session/connect.ts";

Deno.test("toSvg() draws every bit once, with its value", () => {
  for (
    const [entry, options, count] of [
      [0x8000_0000_3ff0_a863n, {}, 64],
      [0xab00_00e7n, { level: 2, mode: "32-bit" }, 32],
      [0n, {}, 64],
    ] as const
  ) {
    const svg = toSvg(bits(entry, options));
    assertEquals(svg.match(/<rect/g)!.length, count);
    // From the highest bit to the lowest, as they are written.
    const drawn = [...svg.matchAll(/class="ink" text-anchor="middle">([01])</g)].map(([, b]) => b);
    assertEquals(drawn.join(""), entry.toString(2).padStart(count, "0"));
  }
  assertStringIncludes(toSvg(bits(0x63n)), "P (_PAGE_PRESENT) = 1: present");
});

Deno.test("toSvg() draws each way that a walk can end", async () => {
  await using guest = await connect("sim:");
  for (
    const [address, outcome, words] of [
      [0x7f12_3456_7000n, "mapped", "-rw- after all levels, page of 4 KiB"],
      [0x7f60_0000_0000n, "unreadable", "corrupt tables"],
      [0x1000n, "notPresent", "not present"],
      [0x8000_0000_0000n, "nonCanonical", "not an address of 4-level paging"],
    ] as const
  ) {
    const found = await guest.walk(address);
    assertEquals(found.outcome, outcome);
    const svg = toSvg(found);
    assertStringIncludes(svg, words);
    assertEquals(svg.match(/<rect/g)!.length, found.steps.length + 2);
    assert(svg.startsWith("<svg") && svg.endsWith("</svg>"));
  }
});

Deno.test("what stands in a drawing is escaped", () => {
  assertEquals(escapeMarkup(`<a b="c">&'\x00`), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\\x00");
  assertEquals(element("text", { x: '"1"' }, "<b>"), '<text x="&quot;1&quot;">&lt;b&gt;</text>');
});

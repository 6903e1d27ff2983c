import { parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { MemoryRange } from "../../memory/physical_memory.ts";

/** How a raw image lies in guest-physical memory: by a rule with a name, or range by range. */
export type RamLayout = RamLayoutName | readonly MemoryRange[];

/** The rules with names; `flat` is an image whose offsets are addresses, as by `pmemsave 0 SIZE`. */
export type RamLayoutName = "flat" | "pc" | "q35";

const ABOVE_HOLE = 1n << 32n;

/**
 * How much RAM QEMU puts below 4 GiB before the rest goes above (hw/i386/pc_piix.c and pc_q35.c, 5.2
 * to 11.1, unless `max-ram-below-4g` is set): at this size and beyond, so much.
 */
const BELOW_4G: Record<"pc" | "q35", { from: bigint; below: bigint }> = {
  pc: { from: 0xe000_0000n, below: 0xc000_0000n },
  q35: { from: 0xb000_0000n, below: 0x8000_0000n },
};

/**
 * Reads the name of a layout, or ranges such as `0x0-0xbfffffff@0x0,0x100000000-0x13fffffff@0xc0000000`:
 * first and last address, as `info mtree -f` prints them, and the place in the file.
 *
 * @throws {InvalidArgumentError} if it is neither
 *
 * @example Usage
 * ```ts
 * import { connect, parseRamLayout } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile();
 * await Deno.writeFile(path, new Uint8Array(0x2000).fill(0xab));
 * const layout = parseRamLayout("0x0-0xfff@0x0,0x100000000-0x100000fff@0x1000");
 * await using dump = await connect(`dump:${path}`, { layout, mode: "4-level" });
 * assertEquals(await dump.memory.read(0x100000000n, 1), new Uint8Array([0xab]));
 * ```
 */
export function parseRamLayout(text: string): RamLayout {
  if (text === "flat" || text === "pc" || text === "q35") return text;
  const ranges = text.split(",").map((part) => {
    const [, first, last, offset] = /^([^-@]+)-([^-@]+)@([^-@]+)$/.exec(part.trim()) ?? [];
    if (first === undefined || last === undefined || offset === undefined) {
      throw new InvalidArgumentError(
        `it must be flat, pc, q35 or ranges FIRST-LAST@OFFSET,…, not "${text}"`,
        text,
      );
    }
    const start = parseAddress(first);
    const end = parseAddress(last) + 1n;
    return { start, end, kind: "ram" as const, name: "image", offset: parseAddress(offset) };
  }).sort((a, b) => (a.start < b.start ? -1 : 1));
  ranges.forEach(({ start, end }, i) => {
    if (end <= start || (i > 0 && start < ranges[i - 1]!.end)) {
      throw new InvalidArgumentError(`its ranges overlap or are empty: "${text}"`, text);
    }
  });
  return ranges;
}

/**
 * The ranges of guest-physical memory that a raw image holds. A small image needs no layout: it has no
 * hole by any rule.
 *
 * @throws {InvalidArgumentError} if a large one has no layout, or the ranges do not fit in it
 */
export function rawRanges(imageBytes: number, layout: RamLayout | undefined): MemoryRange[] {
  const size = BigInt(imageBytes);
  if (layout === undefined) {
    if (size >= BELOW_4G.q35.from) {
      throw new InvalidArgumentError(
        `A raw image of ${imageBytes} bytes needs a layout, as RAM has a hole below 4 GiB: ` +
          "pc or q35 for a RAM file, flat for pmemsave, or FIRST-LAST@OFFSET,…",
        layout,
      );
    }
    return rawRanges(imageBytes, "flat");
  }
  if (typeof layout !== "string") {
    const beyond = layout.find(({ start, end, offset }) => offset + end - start > size);
    if (!beyond) return [...layout];
    throw new InvalidArgumentError(
      `The range at 0x${beyond.start.toString(16)} reaches past the image's ${imageBytes} bytes`,
      layout,
    );
  }
  const rule = layout === "flat" ? undefined : BELOW_4G[layout];
  if (!rule || size < rule.from) return [ram(0n, size, 0n)];
  return [ram(0n, rule.below, 0n), ram(ABOVE_HOLE, size - rule.below, rule.below)];
}

function ram(start: bigint, lengthBytes: bigint, offset: bigint): MemoryRange {
  return { start, end: start + lengthBytes, kind: "ram", name: "image", offset };
}

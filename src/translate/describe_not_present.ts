import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import type { NotPresentContent, SpecialState } from "./entry.ts";

/**
 * Says in words what a kernel keeps in an entry that is not present.
 *
 * @param address how an address or an offset is written
 *
 * @example Usage
 * ```ts
 * import { describeNotPresent } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(describeNotPresent({ kind: "marker", markers: ["guard"] }), "no page, a marker: guard");
 * ```
 */
export function describeNotPresent(
  content: NotPresentContent,
  address: (value: bigint) => string = formatAddress,
): string {
  switch (content.kind) {
    case "empty":
      return "empty: never touched, or unmapped";
    case "protNone":
      return `${protNoneWords(content.isHint)}, keeps frame ${address(content.frame)}`;
    case "swap": {
      const marks = content.marks ? ` (${content.marks.join(", ")})` : "";
      const device = content.device === undefined ? "" : ` (${escapeText(content.device)})`;
      return `swapped out: type ${content.type}${device}, offset ${
        address(content.offset)
      }${marks}`;
    }
    case "marker":
      return `no page, a marker: ${content.markers.join(", ")}`;
    case "special":
      return `${specialWords(content)}, frame ${address(content.frame)}`;
  }
}

function protNoneWords(isHint: boolean | undefined): string {
  if (isHint === undefined) return "PROT_NONE or marked for NUMA balancing";
  return isHint ? "marked for NUMA balancing" : "PROT_NONE";
}

const STATES: Readonly<Record<SpecialState, string>> = {
  "hwpoison": "a poisoned frame (hwpoison)",
  "migration": "a page being moved (migration)",
  "device-private": "a page in a device's memory (device-private)",
  "device-exclusive": "a page lent to a device (device-exclusive)",
  "swapin-error": "a page lost as it was read back from swap (swapin error)",
};

function specialWords({ type, states }: NotPresentContent & { kind: "special" }): string {
  if (states?.length === 1) return STATES[states[0]!];
  const which = states?.map((state) => STATES[state]).join(", or ") ??
    "a page being moved, poisoned, or in a device's memory";
  return `special type ${type}: ${which}`;
}

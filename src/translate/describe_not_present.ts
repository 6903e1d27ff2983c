import { formatAddress } from "../core/address.ts";
import type { NotPresentContent } from "./entry.ts";

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
      return `PROT_NONE or marked for NUMA balancing, keeps frame ${address(content.frame)}`;
    case "swap": {
      const marks = content.marks ? ` (${content.marks.join(", ")})` : "";
      return `swapped out: type ${content.type}, offset ${address(content.offset)}${marks}`;
    }
    case "marker":
      return `no page, a marker: ${content.markers.join(", ")}`;
    case "special":
      return `special type ${content.type}: a page being moved, poisoned, or in a device's memory, ` +
        `frame ${address(content.frame)}`;
  }
}

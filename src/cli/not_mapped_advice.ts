import { describeFault } from "../translate/address_space.ts";
import type { Walk } from "../translate/walk.ts";

/**
 * Advice for a page that was not found: most often the table is another process's. Names the options
 * that choose another one.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { notMappedAdvice } from "@pagewalk/pagewalk/cli";
 *
 * await using guest = await connect("sim:");
 * console.log(notMappedAdvice(await guest.walk(0x7f2000003000n)));
 * ```
 */
export function notMappedAdvice(
  walk: Walk & { readonly source?: { readonly kind: string; readonly pid?: number } },
): string {
  const { source } = walk;
  if (source?.pid !== undefined) {
    const { pid } = source;
    return `${
      describeFault(walk)
    }. These are the page tables of pid ${pid} itself, whatever runs ` +
      `now: maps.ts --pid ${pid} lists which memory it has. A page that was never touched is in no ` +
      "page table.";
  }
  if (source?.kind === "root") {
    return `${
      describeFault(walk)
    }. These are the page tables at the given root: does it still belong to ` +
      "the process? On a Linux guest --pid N or --comm NAME finds the current one. A page that was " +
      "never touched is in no page table.";
  }
  return `${
    describeFault(walk)
  }. Page tables are private to each process, and ${walk.regime.rules.rootName} belongs to the last ` +
    "task scheduled: on a Linux guest name the process with --comm NAME or --pid N. Otherwise choose the " +
    "table with --cpu N, with --root 0x… if you know the process's root, or with --sample 5000 to wait " +
    "until a vCPU runs on tables that map the address. A page that was never touched is in no page table.";
}

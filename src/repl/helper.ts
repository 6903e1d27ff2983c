import type { Style } from "../report/style.ts";
import type { GuestLink } from "./guest_link.ts";

/** What helpers work with. */
export interface HelperContext {
  /** The guest. */
  readonly guest: GuestLink;
  /** Ends what is running when the user presses Ctrl-C. Ask for it again at each call. */
  readonly signal: AbortSignal;
  /** How text is painted. */
  readonly style: Style;
  /** All helpers there are. */
  readonly helpers: readonly Helper[];
  /** True on the simulated guest. */
  readonly isSimulated: boolean;
  /** How wide the terminal is, where there is one. */
  readonly columns?: () => number;
  /** Told how far a listing has come. */
  readonly onProgress?: (progress: { readonly tables: number; readonly fraction: number }) => void;
  /** Prints a value as a result is printed. */
  print(value: unknown): void;
}

/** A function that a prompt offers, with its help. Adding one is adding a row to the table. */
export interface Helper {
  /** The name that is typed. */
  readonly name: string;
  /** How it is called: `walk(va, options?)`. */
  readonly usage: string;
  /** What it does, in a few words. */
  readonly purpose: string;
  /** What else there is to know, a line each. */
  readonly notes?: readonly string[];
  /**
   * What guest it needs: `linux` one that runs Linux, `iommu` one that has an IOMMU.
   *
   * @default any
   */
  readonly on?: "linux" | "iommu";
  /**
   * A session on the simulated guest, or, where Linux or an IOMMU is needed, on one of the lab's: inputs after `> `, then what is printed. `…` stands for
   * what differs from run to run, and a line `^C` for Ctrl-C. Tests run it.
   */
  readonly example: string;
  /** Which arguments are addresses, in any form that stands on a screen; the first is required. */
  readonly addresses?: readonly number[];
  /** True if its first argument is text, so that `name word` means name("word"). */
  readonly takesText?: boolean;
  /** Returns what its first argument may be, if that is text. */
  readonly complete?: (context: HelperContext) => Promise<readonly string[]>;
  /** Makes the function. */
  // deno-lint-ignore no-explicit-any
  create(context: HelperContext): (...args: any[]) => unknown;
}

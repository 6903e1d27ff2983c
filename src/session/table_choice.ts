import type { AddressLike } from "../core/address.ts";
import { formatAddress } from "../core/address.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import {
  ADDRESS,
  checkOptions,
  MILLISECONDS,
  type OptionShape,
  TEXT,
  wholeNumberFrom,
} from "../core/options.ts";
import type { WantedProcess } from "../linux/processes.ts";
import type { Regime } from "../translate/regime.ts";

/**
 * Whose page tables to read; none means the current vCPU's CR3. They exclude each other, except for what
 * describes a process: one that has all of comm, cmdline, cgroup and nspid is looked for.
 */
export interface TableChoice {
  /** The CR3 of this vCPU, by its number in `info cpus`. */
  readonly cpu?: number;
  /** The table at this guest-physical address. A CR3 value will do: its low bits are dropped. */
  readonly root?: AddressLike;
  /** Poll all vCPUs for up to this many milliseconds until one holds a root that maps the address. */
  readonly sampleMs?: number;
  /** The tables of this process of a Linux guest. */
  readonly pid?: number;
  /** The tables of the process with this name, at most 15 bytes, if there is only one. */
  readonly comm?: string;
  /** The tables of the process whose command line has this text in it, if there is only one. */
  readonly cmdline?: string;
  /**
   * The tables of the process in this cgroup, if there is only one: a path from `/`, that of the group or of
   * one that it is in, or a part of it, such as a container's id.
   */
  readonly cgroup?: string;
  /** The tables of the process that has this pid inside its container, if there is only one. */
  readonly nspid?: number;
  /** The tables that translate the DMA of this PCI device, such as `00:03.0`. Addresses are its own (IOVAs). */
  readonly device?: string;
  /** Tables that `pageTable()` has found before: nothing is looked up again. */
  readonly table?: PageTable;
}

/** The checks of {@linkcode TableChoice}. */
export const CHOICE_SHAPE: OptionShape<TableChoice> = {
  cpu: wholeNumberFrom(0),
  root: ADDRESS,
  sampleMs: MILLISECONDS,
  pid: wholeNumberFrom(0),
  comm: TEXT,
  cmdline: TEXT,
  cgroup: TEXT,
  nspid: wholeNumberFrom(1),
  device: TEXT,
  table: (value) => isTable(value) ? null : "what pageTable() returns, with its context and source",
};

function isTable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "context" in value && "source" in value;
}

/** What is often written for a key of a choice. */
export const CHOICE_INSTEAD = {
  cr3: "root",
  pgd: "root",
  vcpu: "cpu",
  process: "pid or comm",
  name: "comm",
  commandLine: "cmdline",
  container: "cgroup",
  bdf: "device",
  sample: "sampleMs",
  effective: 'scope: "effective" in the expectation',
  user: "an argument before it, for the expectation",
};

const CHOICES = Object.keys(CHOICE_SHAPE) as (keyof TableChoice)[];

/** What describes a process, together. */
const TRAITS: readonly (keyof TableChoice)[] = ["comm", "cmdline", "cgroup", "nspid"];

/** The process that a choice means; undefined if it means something else. */
export function processOf(
  { pid, comm, cmdline, cgroup, nspid }: {
    readonly [K in "pid" | "comm" | "cmdline" | "cgroup" | "nspid"]?: TableChoice[K] | undefined;
  },
): WantedProcess | undefined {
  if (pid !== undefined) return pid;
  const traits = {
    ...comm !== undefined && { comm },
    ...cmdline !== undefined && { cmdline },
    ...cgroup !== undefined && { cgroup },
    ...nspid !== undefined && { nspid },
  };
  return Object.keys(traits).length === 0 ? undefined : traits;
}

/** Where a root came from. */
export type TableSource =
  /** A vCPU's CR3. */
  | { readonly kind: "cpu"; readonly cpu: number }
  /** The caller named it. */
  | { readonly kind: "root" }
  /** The vCPU that held a root which maps the address, found after so many milliseconds. */
  | { readonly kind: "sample"; readonly cpu: number; readonly afterMs: number }
  /** No vCPU held such a root in the time given; the root is the current vCPU's. */
  | {
    readonly kind: "sampleMissed";
    readonly cpu: number;
    readonly roots: number;
    readonly polls: number;
  }
  /** A process of a Linux guest. */
  | { readonly kind: "process"; readonly pid: number; readonly comm: string }
  /** A device behind an IOMMU, and the number of its domain. */
  | { readonly kind: "device"; readonly device: string; readonly domain: number | null };

/** A page table of the guest, and how it was come by. */
export interface PageTable<C extends Regime = Regime> {
  /** The mode and root. */
  readonly context: C;
  /** Where the root came from. */
  readonly source: TableSource;
}

/**
 * Checks that a choice names at most one table, and that `sampleMs` has an address to sample for.
 *
 * @throws {InvalidArgumentError} if it names two, or has keys or values that mean nothing
 */
export function checkTableChoice(choice: TableChoice, address?: AddressLike): void {
  checkOptions(choice, "the choice of a table", CHOICE_SHAPE, CHOICE_INSTEAD);
  const named = CHOICES.filter((key) => choice[key] !== undefined);
  if (named.length > 1 && !named.every((key) => TRAITS.includes(key))) {
    throw new InvalidArgumentError(
      `Choose one page table: ${named.join(" and ")} exclude each other`,
      choice,
    );
  }
  if (choice.sampleMs !== undefined && address === undefined) {
    throw new InvalidArgumentError(
      "Sampling waits for tables that map an address, and none is given: give one (a range's start " +
        "will do), or choose the tables by cpu, root, pid, comm or device",
      choice,
    );
  }
}

/** Takes the choice of a table out of options that hold others too. */
export function splitTableChoice<T extends TableChoice>(
  options: T,
): [choice: TableChoice, others: Omit<T, keyof TableChoice>] {
  const entries = Object.entries(options);
  const isChoice = ([key]: [string, unknown]) => Object.hasOwn(CHOICE_SHAPE, key);
  return [
    Object.fromEntries(entries.filter(isChoice)) as TableChoice,
    Object.fromEntries(entries.filter((entry) => !isChoice(entry))) as Omit<T, keyof TableChoice>,
  ];
}

/**
 * Says in a few words where a root came from.
 *
 * @example Usage
 * ```ts
 * import { describeSource } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(describeSource({ kind: "cpu", cpu: 1 }), "vCPU 1");
 * ```
 */
export function describeSource(source: TableSource): string {
  switch (source.kind) {
    case "cpu":
      return `vCPU ${source.cpu}`;
    case "root":
      return "given root";
    case "sample":
      return `vCPU ${source.cpu}, sampled after ${Math.round(source.afterMs)} ms`;
    case "sampleMissed":
      return `vCPU ${source.cpu}; none of the ${source.roots} roots seen in ${source.polls} samples ` +
        "maps the address";
    case "process":
      return `pid ${source.pid} ${source.comm}`;
    case "device":
      return `device ${source.device}` +
        (source.domain === null ? "" : `, domain ${source.domain}`);
  }
}

/** The roots of a set of page tables in one line, for messages. */
export function listRoots(roots: Iterable<bigint>): string {
  return [...roots].map((root) => formatAddress(root)).join(", ");
}

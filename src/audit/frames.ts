import type { Mapping } from "../translate/mappings.ts";
import { type Finding, finding, type FrameMapping, type ProcessName } from "./finding.ts";
import { WaysOfOwners } from "./_ways_of_owners.ts";

/** Where pages are numbers: addresses without their low 12 bits fit a double exactly. */
const PAGE_SHIFT = 12n;

function isUser(code: number): boolean {
  return (code & 1) !== 0;
}

function isWritable(code: number): boolean {
  return (code & 2) !== 0;
}

function isExecutable(code: number): boolean {
  return (code & 4) !== 0;
}

/** Frames one after the other. */
interface Span {
  readonly start: bigint;
  readonly lengthBytes: number;
}

/** Who may write code that whom runs. The kernel can write all memory, user mode's code too. */
const SPLITS = [
  { writer: "the kernel", runner: "the kernel", severity: "high" },
  { writer: "user mode", runner: "the kernel", severity: "high" },
  { writer: "user mode", runner: "user mode", severity: "medium" },
] as const;

/**
 * Remembers which frames are mapped how, and finds those that are mapped in ways that do not go
 * together. It takes 32 bytes for each run of frames. Runs of several address spaces are told by their
 * owners: one process may write what another only reads, but not under two addresses of its own.
 */
export class FrameIndex {
  readonly #first: number[] = [];
  readonly #end: number[] = [];
  readonly #linear: number[] = [];
  readonly #code: number[] = [];
  /** Whose runs begin where; the first are the kernel's, or those of the only one. */
  readonly #owners: { readonly first: number; readonly process: ProcessName | null }[] = [
    { first: 0, process: null },
  ];
  readonly #maxRuns: number;
  /** The cache types met so far. */
  readonly #cacheTypes: string[] = [];
  #isWhole = true;

  /** Keeps so many runs at most. */
  constructor(maxRuns: number) {
    this.#maxRuns = maxRuns;
  }

  /** False if there were more runs than are kept. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** How many runs it has. */
  get length(): number {
    return this.#first.length;
  }

  /** Begins with the runs of another address space. */
  beginOwner(process: ProcessName): void {
    this.#owners.push({ first: this.length, process });
  }

  /** Forgets the last owner's runs: they turned out to be nobody's. */
  dropOwner(): void {
    const { first } = this.#owners.pop()!;
    for (const list of [this.#first, this.#end, this.#linear, this.#code]) list.length = first;
  }

  /** Takes a run whose frames are one after the other. */
  add(run: Mapping): void {
    if (run.physicalAddress === null) throw new Error("The run's frames must be contiguous");
    if (this.#first.length >= this.#maxRuns) {
      this.#isWhole = false;
      return;
    }
    const first = Number(run.physicalAddress >> PAGE_SHIFT);
    this.#first.push(first);
    this.#end.push(first + run.lengthBytes / 4096);
    this.#linear.push(Number(run.address >> PAGE_SHIFT));
    this.#code.push(this.#codeOf(run));
  }

  /** The runs that user mode may write, and whose they are. */
  *userWritable(): Generator<{ frames: Span; mapping: FrameMapping }> {
    for (let run = 0; run < this.length; run++) {
      if (!isUser(this.#code[run]!) || !isWritable(this.#code[run]!)) continue;
      const start = BigInt(this.#first[run]!) << PAGE_SHIFT;
      const lengthBytes = (this.#end[run]! - this.#first[run]!) * 4096;
      const mapping = this.#mapping(this.#code[run]!, run, this.#first[run]!);
      yield { frames: { start, lengthBytes }, mapping };
    }
  }

  /** Says whether one of the runs taken so far has all frames of another run. */
  holds(run: Mapping): boolean {
    if (run.physicalAddress === null) return false;
    const first = Number(run.physicalAddress >> PAGE_SHIFT);
    const end = first + run.lengthBytes / 4096;
    return this.#first.some((start, i) => start <= first && end <= this.#end[i]!);
  }

  /** Sweeps over the frames in order, and yields what is wrong with those mapped more than once. */
  *findings(): Generator<Finding> {
    const count = this.#first.length;
    // Each run is two events: its start (its number) and its end (its number plus the count).
    const at = (event: number) => event < count ? this.#first[event]! : this.#end[event - count]!;
    const events = Uint32Array.from({ length: 2 * count }, (_, i) => i).sort((a, b) =>
      at(a) - at(b)
    );
    const active = new Map<number, Set<number>>();
    // With one owner, what all codes say will do.
    const ways = this.#owners.length > 1 ? new WaysOfOwners() : null;
    let open: { key: string; found: Finding[]; end: number } | null = null;
    for (let i = 0; i < events.length; i++) {
      const event = events[i]!;
      const run = event % count;
      const code = this.#code[run]!;
      if (!active.has(code)) active.set(code, new Set());
      if (event < count) active.get(code)!.add(run);
      else active.get(code)!.delete(run);
      if (active.get(code)!.size === 0) active.delete(code);
      if (ways && isUser(code)) {
        if (event < count) ways.add(this.#ownerOf(run), code & 7, run);
        else ways.remove(this.#ownerOf(run), code & 7, run);
      }
      const from = at(event);
      const to = i + 1 < events.length ? at(events[i + 1]!) : from;
      if (to === from) continue;

      const key = `${[...active.keys()].sort().join()} ${ways?.divided ?? ""}`;
      if (open && open.key === key && open.end === from) {
        open.end = to;
        open.found = open.found.map((one) => ({
          ...one,
          lengthBytes: one.lengthBytes + (to - from) * 4096,
        }));
        continue;
      }
      if (open) yield* open.found;
      open = null;
      if (active.size > 1) open = { key, found: [...this.#judge(active, ways, from, to)], end: to };
    }
    if (open) yield* open.found;
  }

  *#judge(
    active: Map<number, Set<number>>,
    ways: WaysOfOwners | null,
    from: number,
    to: number,
  ): Generator<Finding> {
    const codes = [...active.keys()];
    const mappings = [...active].map(([code, [run]]) => this.#mapping(code, run!, from));
    const physicalAddress = BigInt(from) << PAGE_SHIFT;
    // A frame has no linear address of its own: that of its first mapping stands for it.
    const span = { address: mappings[0]!.address, lengthBytes: (to - from) * 4096 };
    const evidence = { physicalAddress, mappings };
    if (new Set(codes.map((code) => code >> 3)).size > 1) {
      yield finding("frame-cache-types-differ", span, { evidence });
    }
    const user = codes.filter(isUser);
    const kernel = codes.filter((code) => !isUser(code));
    const split = SPLITS.find(({ writer, runner }) =>
      splitOf(writer === "user mode" ? user : kernel, runner === "user mode" ? user : kernel)
    );
    if (split) {
      const { writer, runner, severity } = split;
      const message =
        `A frame may be written by ${writer} at one address and executed by ${runner} ` +
        "at another";
      yield finding("frame-writable-and-executable", span, { evidence, message, severity });
    } else if (ways && ways.divided !== null) {
      const own = ways.runsOfDivided().map((run) => this.#mapping(this.#code[run]!, run, from));
      yield finding("frame-rights-differ", { ...span, address: own[0]!.address }, {
        evidence: { physicalAddress, mappings: own },
      });
    } else if (differ(kernel) || (!ways && differ(user))) {
      // What only the kernel may touch is the kernel's, in whatever tables it is.
      yield finding("frame-rights-differ", span, { evidence });
    }
  }

  /** A way to map a frame, as a small number: three bits of rights, and the cache type above them. */
  #codeOf({ effective: { user, writable, executable }, cacheType }: Mapping): number {
    const rights = (user ? 1 : 0) | (writable ? 2 : 0) | (executable ? 4 : 0);
    let type = this.#cacheTypes.indexOf(cacheType);
    if (type < 0) type = this.#cacheTypes.push(cacheType) - 1;
    return rights | (type << 3);
  }

  /** The number of a run's owner. */
  #ownerOf(run: number): number {
    let [low, high] = [0, this.#owners.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#owners[middle]!.first <= run) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #mapping(code: number, run: number, frame: number): FrameMapping {
    const linear = this.#linear[run]! + (frame - this.#first[run]!);
    const { process } = this.#owners[this.#ownerOf(run)]!;
    return {
      address: BigInt(linear) << PAGE_SHIFT,
      effective: { user: isUser(code), writable: isWritable(code), executable: isExecutable(code) },
      cacheType: this.#cacheTypes[code >> 3]!,
      ...process && { process },
    };
  }
}

/** Says whether some mapping can be written and another one executed. */
function splitOf(writers: readonly number[], runners: readonly number[]): boolean {
  return writers.some((writer) =>
    isWritable(writer) && runners.some((runner) => runner !== writer && isExecutable(runner))
  );
}

function differ(codes: readonly number[]): boolean {
  return new Set(codes.map((code) => code & 7)).size > 1;
}

/** What is at an address of the target, as the target means it to be. */
export interface LabFact {
  /** The mapping's name, such as `dma` or `readonly`. */
  name: string;
  /** Its first address. */
  address: bigint;
  /** Its length. */
  lengthBytes: number;
  /** The size of its pages. */
  pageBytes: number;
  /** What the process may do, as `rwx` letters, or `none`. */
  protection: string;
  /**
   * `present`; `protnone`: has a frame, but the entry is not present; `absent`: mapped, never
   * touched; `swapped`; `unmapped`: no mapping at all.
   */
  state: "present" | "protnone" | "absent" | "swapped" | "unmapped";
  /**
   * _PAGE_USER in the leaves: all `set`, all `cleared`, `mixed` (cleared in the first pages only),
   * `parent` (set in the leaves, cleared one level above), `none` (no present leaf).
   */
  user: "set" | "cleared" | "mixed" | "parent" | "none";
}

/** A process of the guest and where its page tables begin. */
export interface LabProcess {
  /** Its process id. */
  pid: number;
  /** Its name (`comm`). */
  name: string;
  /** Physical address of the top table. */
  root: bigint;
  /** With page-table isolation, that of the table used in user mode; else the same. */
  userRoot: bigint;
  /** How many levels the kernel walks. */
  levels: number;
}

/** One entry on the way to an address, as the guest's kernel sees it. */
export interface PteDump {
  /** The address walked. */
  address: bigint;
  /** The process. */
  pid: number;
  /** 5 to 1; 1 is the 4 KiB leaf. */
  level: number;
  /** Physical address of the entry. */
  entryAddress: bigint;
  /** Its value. */
  raw: bigint;
}

/** One page's entry in `/proc/PID/pagemap`. */
export interface PagemapEntry {
  /** The page's address. */
  address: bigint;
  /** The entry: bit 63 present, bit 62 swapped, bits 0-54 the frame's number. */
  raw: bigint;
}

/** What came of touching a page. */
export interface TouchResult {
  /** The page's address. */
  address: bigint;
  /** `done`; `signal`: the process got one; `endless`: it faulted until it was stopped. */
  result: "done" | "signal" | "endless";
  /** Page faults that were taken meanwhile. */
  faults: number;
  /** The signal's number (11 is SIGSEGV), if there was one. */
  signal?: number;
  /** The signal's si_code (2 is SEGV_ACCERR). */
  code?: number;
}

/** The `key=value` words of a line. */
function fields(line: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const word of line.split(" ").slice(1)) {
    const equals = word.indexOf("=");
    if (equals > 0) found.set(word.slice(0, equals), word.slice(equals + 1));
  }
  return found;
}

function field(line: string, key: string): string {
  const value = fields(line).get(key);
  if (value === undefined) throw new TypeError(`the guest's line has no ${key}=: ${line}`);
  return value;
}

function linesOf(lines: readonly string[], kind: string): string[] {
  return lines.filter((line) => line.startsWith(`${kind} `));
}

/** Reads the FACT lines. */
export function parseFacts(lines: readonly string[]): LabFact[] {
  return linesOf(lines, "FACT").map((line) => ({
    name: field(line, "name"),
    address: BigInt(field(line, "vaddr")),
    lengthBytes: Number(field(line, "length")),
    pageBytes: Number(field(line, "page")),
    protection: field(line, "protection"),
    state: field(line, "state") as LabFact["state"],
    user: field(line, "user") as LabFact["user"],
  }));
}

/** Reads the PROCESS lines. */
export function parseProcesses(lines: readonly string[]): LabProcess[] {
  return linesOf(lines, "PROCESS").map((line) => ({
    pid: Number(field(line, "pid")),
    name: field(line, "comm"),
    root: BigInt(field(line, "root")),
    userRoot: BigInt(field(line, "user-root")),
    levels: Number(field(line, "levels")),
  }));
}

/** Reads the PTE-DUMP lines. */
export function parsePteDumps(lines: readonly string[]): PteDump[] {
  return linesOf(lines, "PTE-DUMP").map((line) => ({
    address: BigInt(field(line, "vaddr")),
    pid: Number(field(line, "pid")),
    level: Number(field(line, "level")),
    entryAddress: BigInt(field(line, "address")),
    raw: BigInt(field(line, "entry")),
  }));
}

/** Reads the PAGEMAP lines. */
export function parsePagemap(lines: readonly string[]): PagemapEntry[] {
  return linesOf(lines, "PAGEMAP").map((line) => ({
    address: BigInt(field(line, "vaddr")),
    raw: BigInt(field(line, "entry")),
  }));
}

/** What the guest's IOMMU driver says that a device reaches at an address. */
export interface IovaLine {
  /** The address as the device uses it. */
  iova: bigint;
  /** The guest-physical address. */
  physicalAddress: bigint;
}

/** Reads the IOVA lines: a result for each page. */
export function parseIovas(lines: readonly string[]): IovaLine[] {
  return linesOf(lines, "IOVA").flatMap((line) => {
    const [iova, physical] = [BigInt(field(line, "iova")), BigInt(field(line, "physical"))];
    return Array.from({ length: Number(field(line, "length")) / 4096 }, (_, i) => ({
      iova: iova + BigInt(i * 4096),
      physicalAddress: physical + BigInt(i * 4096),
    }));
  });
}

/** What the guest's kernel says of a frame. */
export interface FrameLine {
  /** The guest-physical address. */
  address: bigint;
  /** References to it, or to the large page that it is part of. */
  references: number;
  /** Whether it may be pinned for DMA. */
  pinned: boolean;
}

/** Reads the FRAME lines. */
export function parseFrames(lines: readonly string[]): FrameLine[] {
  return linesOf(lines, "FRAME").map((line) => ({
    address: BigInt(field(line, "address")),
    references: Number(field(line, "references")),
    pinned: field(line, "pinned") === "1",
  }));
}

/** Reads a TOUCH line. */
export function parseTouch(lines: readonly string[]): TouchResult {
  const line = linesOf(lines, "TOUCH")[0] ?? "TOUCH";
  const { signal, code } = Object.fromEntries(fields(line));
  return {
    address: BigInt(field(line, "vaddr")),
    result: field(line, "result") as TouchResult["result"],
    faults: Number(field(line, "faults")),
    ...(signal === undefined ? {} : { signal: Number(signal) }),
    ...(code === undefined ? {} : { code: Number(code) }),
  };
}

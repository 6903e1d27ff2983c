import { KernelFormatError } from "./errors.ts";
import { cString, leftInPage, type Reader, readU64 } from "./reader.ts";

/** What a Linux kernel tells crash tools about itself (Documentation/admin-guide/kdump/vmcoreinfo). */
export interface Vmcoreinfo {
  /** The kernel's release, as `uname -r` says it. */
  readonly osRelease: string;
  /** The build's id in hexadecimal; null before 5.9. */
  readonly buildId: string | null;
  /** `SYMBOL(name)`: virtual addresses. */
  readonly symbols: ReadonlyMap<string, bigint>;
  /** `OFFSET(struct.member)`: bytes. */
  readonly offsets: ReadonlyMap<string, number>;
  /** `SIZE(struct)`: bytes. */
  readonly sizes: ReadonlyMap<string, number>;
  /** `NUMBER(name)`. */
  readonly numbers: ReadonlyMap<string, bigint>;
  /** The text itself. */
  readonly text: string;
}

/** The kernel never writes more (VMCOREINFO_BYTES is a page). */
const VMCOREINFO_BYTES = 4096;

const ENTRY = /^(SYMBOL|OFFSET|SIZE|NUMBER)\(([^)]+)\)=(-?[0-9a-fx]+)$/;

/**
 * Reads the text of VMCOREINFO.
 *
 * @throws {KernelFormatError} if it is no such text
 */
export function parseVmcoreinfo(text: string): Vmcoreinfo {
  const symbols = new Map<string, bigint>();
  const offsets = new Map<string, number>();
  const sizes = new Map<string, number>();
  const numbers = new Map<string, bigint>();
  const plain = new Map<string, string>();
  for (const line of text.slice(0, VMCOREINFO_BYTES).split("\n")) {
    const [, kind, name, value] = line.match(ENTRY) ?? [];
    if (kind === undefined) {
      const equals = line.indexOf("=");
      if (equals > 0) plain.set(line.slice(0, equals), line.slice(equals + 1));
      continue;
    }
    const number = numberFrom(value!, kind === "SYMBOL");
    if (number === null) continue;
    if (kind === "SYMBOL") symbols.set(name!, number);
    if (kind === "NUMBER") numbers.set(name!, number);
    if (kind === "OFFSET") offsets.set(name!, Number(number));
    if (kind === "SIZE") sizes.set(name!, Number(number));
  }
  const osRelease = plain.get("OSRELEASE");
  if (osRelease === undefined || !/^[\x21-\x7e]{1,64}$/.test(osRelease) || symbols.size === 0) {
    throw new KernelFormatError("VMCOREINFO", "the text names no release or no symbols");
  }
  const buildId = plain.get("BUILD-ID");
  return {
    osRelease,
    buildId: buildId !== undefined && /^[0-9a-f]{8,64}$/.test(buildId) ? buildId : null,
    symbols,
    offsets,
    sizes,
    numbers,
    text,
  };
}

/** Symbols are hexadecimal without a prefix; other numbers are decimal, or hexadecimal with one. */
function numberFrom(value: string, isHex: boolean): bigint | null {
  if (isHex) return /^[0-9a-f]{1,16}$/.test(value) ? BigInt(`0x${value}`) : null;
  if (/^0x[0-9a-f]{1,16}$/.test(value)) return BigInt(value);
  return /^-?[0-9]{1,20}$/.test(value) ? BigInt(value) : null;
}

/** Reads the text that the variable `vmcoreinfo_data` points to. */
export async function readVmcoreinfo(
  reader: Reader,
  variable: bigint,
): Promise<{ vmcoreinfo: Vmcoreinfo; pointer: bigint }> {
  const pointer = await readU64(reader, variable);
  if (pointer === 0n) {
    throw new KernelFormatError("VMCOREINFO", "it is not written yet: the guest is still booting");
  }
  const length = Math.min(VMCOREINFO_BYTES, leftInPage(pointer));
  const vmcoreinfo = parseVmcoreinfo(cString(await reader.read(pointer, length)));
  return { vmcoreinfo, pointer };
}

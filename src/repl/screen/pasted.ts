import { ARCHITECTURES } from "../../arch/architectures.ts";
import { parseLogLine } from "../../linux/log_line.ts";
import { readAddress, readHex } from "./address_text.ts";

/** What a line that was copied from a screen names. */
export type Pasted =
  /** One address, with the symbol that stood beside it. */
  | { readonly kind: "address"; readonly address: bigint; readonly symbol?: string }
  /** Addresses from `start` on. */
  | {
    readonly kind: "range";
    readonly start: bigint;
    readonly lengthBytes: bigint;
    /** What the line says of them besides. */
    readonly note: string;
  }
  /** A place by its symbol: `default_idle+0xb/0x10`. */
  | { readonly kind: "symbol"; readonly name: string; readonly offset: bigint };

/** A format of some tool: how its lines look, and what is read from them. */
interface Format {
  readonly of: string;
  readonly pattern: RegExp;
  read(groups: Record<string, string>): Pasted | undefined;
}

const HEX = "(?:0[xX])?[0-9a-fA-F]+(?:['_`][0-9a-fA-F]+)*";
const range = (groups: Record<string, string>, end: "exclusive" | "inclusive") => {
  const start = readHex(groups.start!);
  const last = readHex(groups.end!);
  const lengthBytes = last - start + (end === "inclusive" ? 1n : 0n);
  if (lengthBytes <= 0n) return undefined;
  return { kind: "range", start, lengthBytes, note: (groups.note ?? "").trim() } as const;
};

const REGISTERS = ARCHITECTURES.flatMap(({ names }) => names.reported?.source ?? []).join("|");

/** The formats, the more particular first. */
const FORMATS: readonly Format[] = [
  {
    of: "dmesg: [mem 0x0000000000000000-0x000000000009fbff] usable",
    pattern: new RegExp(`\\[mem (?<start>${HEX})-(?<end>${HEX})(?: flags \\w+)?\\](?<note>.*)$`),
    read: (groups) => range(groups, "inclusive"),
  },
  {
    of: "/proc/iomem: 00100000-bffdffff : System RAM",
    pattern: new RegExp(`^(?<start>${HEX})-(?<end>${HEX}) : (?<note>.*)$`),
    read: (groups) => range(groups, "inclusive"),
  },
  {
    of: "maps: 7f1234567000-7f1234667000 rw-p 00000000 00:00 0; info mem: …-… 0000000000001000 ur-",
    pattern: new RegExp(`^(?<start>${HEX})-(?<end>${HEX})(?<note>\\s.*)?$`),
    read: ({ start, end, note = "" }) => {
      // A difference of two numbers in decimal is not a range.
      const isHex = [start!, end!].every((each) => readAddress(each) !== undefined) || note !== "";
      return isHex ? range({ start: start!, end: end!, note }, "exclusive") : undefined;
    },
  },
  {
    of: "crash, vm: ffff888003d0a100 400000 401000 8000875 /bin/x",
    pattern: new RegExp(
      `^[0-9a-f]{16}\\s+(?<start>[0-9a-f]+)\\s+(?<end>[0-9a-f]+)\\s+(?<note>[0-9a-f]+(?:\\s+\\S+)?)$`,
    ),
    read: (groups) => range(groups, "exclusive"),
  },
  {
    of: "kallsyms, System.map, nm, crash: ffffffff81000000 T _stext, ffffffff81000000 (T) _stext",
    pattern: new RegExp(`^(?<at>${HEX})\\s+\\(?[a-zA-Z?]\\)?\\s+(?<symbol>[\\w.$]+)(?:\\s.*)?$`),
    read: ({ at, symbol }) => ({ kind: "address", address: readHex(at!), symbol: symbol! }),
  },
  {
    of: "gdb: 0xffffffff81000040 <_stext+64>: 0x…; => 0x… <f>: push; rip 0x… 0x… <f+11>",
    pattern: new RegExp(
      `^(?:=>\\s*)?(?:\\w+\\s+0x[0-9a-f]+\\s+)?(?:\\$\\d+ = )?(?:\\(.*?\\) )?(?<at>0x[0-9a-fA-F]+)(?::|\\s+<(?<symbol>[^>]+)>:?)?(?:\\s.*)?$`,
    ),
    read: ({ at, symbol }) => ({
      kind: "address",
      address: readHex(at!),
      ...symbol === undefined ? {} : { symbol },
    }),
  },
  {
    of: "info tlb, the monitor's x and xp: ffff888000000000: 0000000000000000 X-P--A--W",
    pattern: new RegExp(`^(?<at>[0-9a-fA-F]{8,16}):(?:\\s.*)?$`),
    read: ({ at }) => ({ kind: "address", address: readHex(at!) }),
  },
  {
    of: "an oops: RIP: 0010:default_idle+0xb/0x10; [<ffffffff8105b0d9>] schedule+0x2e/0xb0",
    pattern:
      /^(?:RIP: (?:\d+:)?|\??\s*(?:\[<[0-9a-f]+>\]\s*)?(?:\? )?)(?<name>[A-Za-z_][\w.]*)\+(?<offset>0x[0-9a-f]+)(?:\/0x[0-9a-f]+)?(?:\s+\[\w+\])?$/,
    read: ({ name, offset }) => ({ kind: "symbol", name: name!, offset: readHex(offset!) }),
  },
  {
    of: "an oops: RSP: ffffc90000001000; an address by itself",
    pattern: new RegExp(`^(?:(?:${REGISTERS}): ?)?(?<at>\\S+)$`),
    read: ({ at }) => {
      const address = readAddress(at!);
      return address === undefined ? undefined : { kind: "address", address };
    },
  },
];

/** Reads a line that was copied from some tool's output. Undefined if it is no such line. */
export function readPasted(text: string): Pasted | undefined {
  const line = parseLogLine(text.trim()).text.trim();
  if (line === "" || line.includes("\n")) return undefined;
  for (const { pattern, read } of FORMATS) {
    const groups = pattern.exec(line)?.groups;
    const found = groups && read(groups);
    if (found) return found;
  }
  return undefined;
}

/** Splits `_stext+0x40`, `$rsp - 8`, `init_task`: a name and a distance from it. */
export function readPlace(text: string): { name: string; offset: bigint } | undefined {
  const pattern =
    /^(?<name>\$?[A-Za-z_][\w.$]*)\s*(?:(?<sign>[+-])\s*(?<offset>0[xX][0-9a-fA-F]+|\d+)(?:\/0x[0-9a-fA-F]+)?)?$/;
  const groups = pattern.exec(text.trim())?.groups;
  if (!groups) return undefined;
  const offset = BigInt(groups.offset ?? 0);
  return { name: groups.name!, offset: groups.sign === "-" ? -offset : offset };
}

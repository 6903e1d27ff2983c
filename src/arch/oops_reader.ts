import type { GuestAccess } from "./access_rule.ts";
import type { OopsAccess, OopsKind, OopsReport } from "./oops_report.ts";

/** What lines of a report tell, filled in line by line. */
export type OopsFound = {
  -readonly [K in keyof OopsReport]?: OopsReport[K];
};

/** A line of a report: how it looks, and what it tells. */
export interface OopsLineForm {
  /** Where it is printed, in Linux's source. */
  readonly from: string;
  /** How it looks. */
  readonly pattern: RegExp;
  /** Notes what it tells. */
  tell(groups: Record<string, string>, found: OopsFound, line: string): void;
}

/** How Linux reports faults on an architecture: most lines of a report are the architecture's own. */
export interface OopsReader {
  /** The architecture's name. */
  readonly architecture: string;
  /** The lines that it prints. */
  readonly forms: readonly OopsLineForm[];
  /** Lines that only another architecture prints: a headline with one of them is not this one's. */
  readonly foreign?: RegExp;
  /** What is looked for in a text, for a message. */
  readonly lookedFor: string;
  /** The name of the register that holds the root, in messages. */
  readonly rootName: string;
  /** The address of the fault in the printed registers. */
  addressIn(registers: OopsReport["registers"]): bigint | undefined;
  /** The root of the tables in the printed registers. */
  rootIn(registers: OopsReport["registers"]): bigint | undefined;
  /** The access as the architecture's own, to be asked for now. */
  accessOf(access: OopsAccess, registers: OopsReport["registers"]): GuestAccess;
  /** Why the access faulted, by what was printed of it then. */
  reason(report: OopsReport): string;
}

/** The number of a report's digits. */
export function oopsNumber(digits: string): bigint {
  return BigInt(`0x${digits.replace(/^0x/, "")}`);
}

/** Notes what kind of report it is. What follows a report, such as the panic for it, is not another one. */
export function tellKind(kind: OopsKind, found: OopsFound, line: string): void {
  if (found.kind !== undefined && found.kind !== "registers") return;
  found.kind = kind;
  found.headline = line;
}

/**
 * Notes the registers of a line. Of two dumps, such as the kernel's and then the program's, the first belongs
 * to the fault.
 *
 * @param form finds one, its name and its digits
 */
export function tellRegisters(form: RegExp, found: OopsFound, line: string): void {
  found.kind ??= "registers";
  found.headline ??= line;
  const registers = { ...found.registers };
  for (const [, name, digits] of line.matchAll(form)) registers[name!] ??= oopsNumber(digits!);
  found.registers = registers;
}

/** An access of which only words tell: `Write of size 8`. */
export function accessOfWords(kind: string, user = false): OopsAccess {
  return {
    errorCode: null,
    write: /write/i.test(kind),
    fetch: /instruction|execute/i.test(kind),
    user,
    isProtection: null,
    isReserved: false,
    isProtectionKey: false,
  };
}

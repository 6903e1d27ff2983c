import { nearest } from "../../core/options.ts";
import { readAddress } from "./address_text.ts";
import { type Pasted, readPasted } from "./pasted.ts";
import { callWithoutParentheses, type Meaning, typedCommand } from "./typed_command.ts";

/** The helpers that a line may name. */
export type KnownHelpers = readonly { readonly name: string; readonly takesText?: boolean }[];

/**
 * Reads a line that is JavaScript, but stands for something else on every screen: two addresses with a
 * dash between are a range, and `f+0xb/0x10` is a place in f.
 */
export function readOverJavaScript(line: string): string | undefined {
  const trimmed = line.trim();
  const [, first, last] = /^([\w'`]+)-([\w'`]+)$/.exec(trimmed) ?? [];
  const start = first === undefined ? undefined : readAddress(first);
  const end = last === undefined ? undefined : readAddress(last);
  if (start !== undefined && end !== undefined && start < end) {
    return asCode(readPasted(trimmed), line);
  }
  const isPlace = /^[A-Za-z_][\w.]*\+0x[0-9a-f]+\/0x[0-9a-f]+$/.test(trimmed);
  return isPlace ? asCode(readPasted(trimmed), line) : undefined;
}

/** Reads a line that is not JavaScript: a command of another tool, or what some tool printed. */
export function readForeign(line: string, helpers: KnownHelpers): Meaning | undefined {
  const command = typedCommand(line);
  if (command) return command;
  const call = callWithoutParentheses(line, helpers);
  if (call !== undefined) return { kind: "code", source: call };
  const pasted = asCode(readPasted(line), line);
  if (pasted !== undefined) return { kind: "code", source: pasted };
  const [, name, rest] = /^(\w+)\s+([\w$].*)$/.exec(line.trim()) ?? [];
  const meant = name === undefined ? null : nearest(name, helpers.map((each) => each.name));
  return meant === null || meant === name
    ? undefined
    : { kind: "message", text: `No such command: ${name}: did you mean ${meant}(${rest})?` };
}

/** What was copied, as code. */
function asCode(pasted: Pasted | undefined, line: string): string | undefined {
  switch (pasted?.kind) {
    case "address":
      return `0x${pasted.address.toString(16)}`;
    case "range":
      return `range(${JSON.stringify(line.trim())})`;
    case "symbol":
      return `address(${JSON.stringify(`${pasted.name}+0x${pasted.offset.toString(16)}`)})`;
    default:
      return undefined;
  }
}

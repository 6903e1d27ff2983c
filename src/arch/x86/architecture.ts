import type { Architecture } from "../architecture.ts";
import { X86_ACCESS } from "./access.ts";
import { PAGING_MODES } from "./modes.ts";
import { contextOf } from "./paging_context.ts";
import type { PagingModeName, PagingState } from "./paging_state.ts";
import { X86_REGISTERS } from "./register_formats.ts";
import { X86_NAMES } from "./register_names.ts";

const SWITCHES = [
  "pageSizeExtension",
  "executeDisable",
  "writeProtect",
  "smep",
  "smap",
  "userKeys",
  "supervisorKeys",
] as const satisfies (keyof PagingState)[];

type Data = Readonly<Record<string, unknown>>;

/** The PC's architecture, 32 and 64 bits. */
export const X86: Architecture = {
  name: "x86",
  targets: ["x86_64", "i386"],
  registers: X86_REGISTERS,
  names: X86_NAMES,
  access: X86_ACCESS,
  regimeFrom(state) {
    if (!isPagingState(state)) return null;
    const { mode, root, physicalAddressBits, physicalAddressBitsAssumed, confidentialBit } = state;
    const switches = Object.fromEntries(SWITCHES.map((name) => [name, state[name]]));
    return contextOf({
      ...switches as Pick<PagingState, typeof SWITCHES[number]>,
      ...{ mode, root, physicalAddressBits },
      ...physicalAddressBitsAssumed && { physicalAddressBitsAssumed },
      ...confidentialBit && { confidentialBit },
    });
  },
};

function isPagingState(state: Data): state is Data & PagingState {
  const { mode, root, physicalAddressBits, confidentialBit } = state;
  return isModeName(mode) && typeof root === "bigint" &&
    SWITCHES.every((name) => typeof state[name] === "boolean") &&
    isBitNumber(physicalAddressBits) &&
    (state.physicalAddressBitsAssumed === undefined || state.physicalAddressBitsAssumed === true) &&
    (confidentialBit === undefined || isConfidentialBit(confidentialBit));
}

function isModeName(name: unknown): name is PagingModeName {
  return typeof name === "string" && Object.hasOwn(PAGING_MODES, name);
}

function isConfidentialBit(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { bit, whenSet } = value as Data;
  return isBitNumber(bit) && (whenSet === "private" || whenSet === "shared");
}

function isBitNumber(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 32 && Number(value) <= 52;
}

import type { GuestRegisters } from "../../arch/registers.ts";
import type { RegisterNames } from "../../arch/register_names.ts";
import type { Style } from "../../report/style.ts";
import { cell, columns } from "./columns.ts";
import { groupHex } from "./group_hex.ts";

/** Writes the registers that translation depends on, those that were told, their bits named. */
export function registersText(
  registers: GuestRegisters,
  names: RegisterNames,
  style: Style,
  symbol = "",
): string {
  const table = columns(
    names.rows(registers, symbol, groupHex).flatMap(([name, value, meaning]) =>
      value === undefined ? [] : [[
        cell(name),
        cell(groupHex(value), style.value),
        cell(typeof meaning === "string" ? meaning : setBits(value, meaning), style.faint),
      ]]
    ),
  );
  const head = style.strong(`${names.noun} ${registers.cpu}`);
  return `${head}: ${names.state(registers)}\n${table}`;
}

function setBits(value: bigint, bits: Readonly<Record<string, bigint>>): string {
  return Object.entries(bits).filter(([, bit]) => value & bit).map(([name]) => name).join(" ");
}

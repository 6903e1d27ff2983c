import type { ReadOptions } from "../../memory/physical_memory.ts";
import { KernelFormatError } from "../errors.ts";
import type { KernelSymbol, SymbolAt } from "../kallsyms/kallsyms.ts";
import { cString, readCString, type Reader, viewOf } from "../reader.ts";
import { type StructOffsets, StructReader } from "../struct_reader.ts";
import type { ListedModule } from "./read_modules.ts";

/** A symbol of a module. Its letter is not a capital where the symbol is exported, as in `/proc/kallsyms`. */
export interface ModuleSymbol extends KernelSymbol {
  /** The module's name. */
  readonly module: string;
}

// Elf64_Sym (include/uapi/linux/elf.h).
const SYMBOL = { bytes: 24, name: 0, section: 6, value: 8 } as const;
/** Bounds for garbage: the largest drivers have some 50,000. */
const MAX_SYMBOLS = 1 << 18;
const MAX_NAMES_BYTES = 16 * 1024 * 1024;
/** KSYM_NAME_LEN (include/linux/kallsyms.h). */
const MAX_NAME_BYTES = 512;

const MEMBERS = { symtab: 8, num_symtab: 4, strtab: 8, typetab: 8 } as const;

/**
 * Reads the symbols of a module in the order of its table.
 *
 * @throws {KernelFormatError} if the tables are garbage
 * @throws {MemoryReadError} if they lie outside memory, or {@linkcode PageFaultError} if nothing is there
 */
export async function readModuleSymbols(
  reader: Reader,
  offsets: StructOffsets,
  module: Pick<ListedModule, "name" | "kallsyms">,
  options: ReadOptions = {},
): Promise<ModuleSymbol[]> {
  if (module.kallsyms === 0n) return [];
  const view = await new StructReader("mod_kallsyms", MEMBERS, offsets)
    .read(reader, module.kallsyms, options);
  const count = view.u32("num_symtab");
  if (count > MAX_SYMBOLS) throw garbage(module, `it would have ${count} symbols`);
  if (count === 0) return [];
  const [table, types] = await Promise.all([
    reader.read(view.u64("symtab"), count * SYMBOL.bytes, options),
    reader.read(view.u64("typetab"), count, options),
  ]);
  const symbols = viewOf(table);
  const nameAt = (i: number) => symbols.getUint32(i * SYMBOL.bytes + SYMBOL.name, true);
  const defined = Array.from({ length: count }, (_, i) => i)
    .filter((i) => symbols.getUint16(i * SYMBOL.bytes + SYMBOL.section, true) !== 0);
  const last = defined.reduce((most, i) => Math.max(most, nameAt(i)), 0);
  if (last > MAX_NAMES_BYTES) throw garbage(module, "a name lies beyond its table");
  const names = await readNames(reader, view.u64("strtab"), last, options);
  return defined.flatMap((i) => {
    const name = cString(names, nameAt(i));
    // Symbols for debuggers have none.
    if (name === "" || name.length > MAX_NAME_BYTES) return [];
    const address = symbols.getBigUint64(i * SYMBOL.bytes + SYMBOL.value, true);
    return [{ address, type: String.fromCharCode(types[i]!), name, module: module.name }];
  });
}

/** All names: how long the table is nothing tells, so that it ends where the last name does. */
async function readNames(
  reader: Reader,
  start: bigint,
  last: number,
  options: ReadOptions,
): Promise<Uint8Array> {
  const [before, end] = await Promise.all([
    last === 0 ? new Uint8Array(0) : reader.read(start, last, options),
    readCString(reader, start + BigInt(last), MAX_NAME_BYTES, options),
  ]);
  const tail = new TextEncoder().encode(`${end ?? ""}\0`);
  const names = new Uint8Array(last + tail.length);
  names.set(before);
  names.set(tail, last);
  return names;
}

/** The symbol that an address in a module belongs to: the last that begins at or before it. */
export function symbolAtIn(
  symbols: readonly ModuleSymbol[],
  address: bigint,
): SymbolAt & ModuleSymbol | null {
  let best: ModuleSymbol | null = null;
  for (const symbol of symbols) {
    if (symbol.address <= address && (best === null || symbol.address > best.address)) {
      best = symbol;
    }
  }
  return best && { ...best, offset: Number(address - best.address) };
}

function garbage({ name }: Pick<ListedModule, "name">, problem: string): KernelFormatError {
  return new KernelFormatError(`table of symbols of module ${JSON.stringify(name)}`, problem);
}

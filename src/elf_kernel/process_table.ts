import { Dwarf } from "../elf/dwarf.ts";
import type { ElfFile } from "../elf/elf_file.ts";
import { ElfFormatError } from "../elf/errors.ts";
import { type ElfMember, structArrays } from "../elf/types.ts";

/** What the members of a process are called: in xv6, and in kernels made after it. */
const NAMES = {
  pid: ["pid"],
  table: ["pagetable", "pgdir", "page_table", "pgtbl", "pgd"],
  state: ["state", "status"],
  name: ["name", "comm"],
  size: ["sz", "size"],
} as const;

/** The array in which a kernel keeps its processes. */
export interface ProcessTable {
  /** The variable's name, such as `proc`. */
  readonly name: string;
  /** Its virtual address. */
  readonly address: bigint;
  /** How many processes it has room for. */
  readonly count: number;
  /** The length of one. */
  readonly structBytes: number;
  /** Where the members are that are read; a name and a size are not in every kernel. */
  readonly members: {
    readonly pid: ElfMember;
    readonly table: ElfMember;
    readonly state: ElfMember;
    readonly name?: ElfMember;
    readonly size?: ElfMember;
  };
}

/** No kernel that students write has more; the table is read as a whole. */
const MAX_TABLE_BYTES = 4 * 1024 * 1024;

/**
 * Finds the array of processes in a kernel's debugging data: the one whose structs have a pid, a state and
 * a page table.
 *
 * @throws {ElfFormatError} if there is none, or the file has no debugging data
 */
export async function findProcessTable(file: ElfFile): Promise<ProcessTable> {
  const dwarf = await Dwarf.of(file);
  if (dwarf === null) {
    throw new ElfFormatError("has no debugging data (DWARF): build the kernel with -g");
  }
  const symbols = new Map(file.symbols().map((symbol) => [symbol.name, symbol.address]));
  for (const array of structArrays(dwarf, file.addressBytes)) {
    const { name, count, structBytes, offset } = array;
    const member = (names: readonly string[]) =>
      array.members.find((each) =>
        names.includes(each.name) && each.sizeBytes > 0 &&
        each.offset + each.sizeBytes <= structBytes
      );
    const [pid, table, state] = [member(NAMES.pid), member(NAMES.table), member(NAMES.state)];
    const address = symbols.get(name);
    if (!pid || !table || !state || address === undefined) continue;
    if (![pid, state].every(isNumber) || table.sizeBytes !== file.addressBytes) continue;
    if (count * structBytes > MAX_TABLE_BYTES) continue;
    const [comm, size] = [member(NAMES.name), member(NAMES.size)];
    return {
      ...{ name, count, structBytes, address: address + BigInt(offset) },
      members: {
        ...{ pid, table, state },
        ...comm && { name: comm },
        ...size && isNumber(size) && { size },
      },
    };
  }
  throw new ElfFormatError(
    "has no array of processes: of structs with a pid, a state and a page table, such as xv6's proc[]",
  );
}

function isNumber({ sizeBytes }: ElfMember): boolean {
  return [1, 2, 4, 8].includes(sizeBytes);
}

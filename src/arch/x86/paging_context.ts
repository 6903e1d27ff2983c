import { type AddressLike, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import { ADDRESS, checkOptions, type OptionShape, wholeNumberFrom } from "../../core/options.ts";
import { CR0, CR4, EFER } from "./control_bits.ts";
import { cpuState, type NoTables, PAGING_OFF } from "./cpu_state.ts";
import type { CpuRegisters } from "./registers.ts";

/** The paging modes of x86 (Intel SDM vol. 3, 4.1.1). */
export type PagingModeName = "none" | "32-bit" | "pae" | "4-level" | "5-level";

/** Everything besides the tables themselves that decides what a linear address means. */
export interface PagingContext {
  /** Which tables there are, and how they are laid out. */
  readonly mode: PagingModeName;
  /** The guest-physical address of the top table; 0 where paging is off. */
  readonly root: bigint;
  /** CR4.PSE: 4 MiB pages exist in 32-bit paging. */
  readonly pageSizeExtension: boolean;
  /** EFER.NXE: bit 63 of an entry forbids fetches; where it is off, that bit is reserved. */
  readonly executeDisable: boolean;
  /** CR0.WP: supervisor writes honour read-only pages. */
  readonly writeProtect: boolean;
  /** CR4.SMEP: the supervisor may not fetch from user pages. */
  readonly smep: boolean;
  /** CR4.SMAP: the supervisor may not touch user pages unless RFLAGS.AC is set. */
  readonly smap: boolean;
  /** CR4.PKE: protection keys limit user pages. */
  readonly userKeys: boolean;
  /** CR4.PKS: protection keys limit supervisor pages. */
  readonly supervisorKeys: boolean;
  /** MAXPHYADDR, 32 to 52: address bits from here to bit 51 are reserved. */
  readonly physicalAddressBits: number;
  /** True if nobody told MAXPHYADDR: an entry whose high address bits are set may be one that faults. */
  readonly physicalAddressBitsAssumed?: true;
  /** Why these tables must not be read: no entry of theirs is an answer. */
  readonly noTables?: NoTables;
  /** The address bit that marks memory as private or shared in a confidential guest. */
  readonly confidentialBit?: ConfidentialBit;
}

/** The address bit of a confidential guest's entries that is not part of the frame. */
export interface ConfidentialBit {
  /** The bit's number, 0 being the lowest. Usually 47 or 51. */
  readonly bit: number;
  /** What the bit means when it is set: AMD SEV's C-bit is private, Intel TDX's is shared. */
  readonly whenSet: "private" | "shared";
}

/** What registers do not tell of a guest's paging. */
export interface PagingContextOptions {
  /** The root to use instead of CR3. Its PCID or cache bits are dropped as CR3's are. */
  root?: AddressLike;
  /**
   * MAXPHYADDR of the vCPU, 32 to 52. Without it a session asks the guest's machine where it matters;
   * where nobody tells it, a page at or above 2^36 gets no verdict.
   *
   * @default what the guest's machine or its kernel says
   */
  physicalAddressBits?: number;
  /** AMD SEV's C-bit: the bit that marks memory private when it is set. */
  privateBit?: number;
  /** Intel TDX's shared bit: the bit that marks memory shared when it is set. */
  sharedBit?: number;
}

/** The checks of {@linkcode PagingContextOptions}. */
export const PAGING_CONTEXT_SHAPE: OptionShape<PagingContextOptions> = {
  root: ADDRESS,
  physicalAddressBits: wholeNumberFrom(32, 52),
  privateBit: wholeNumberFrom(32, 51),
  sharedBit: wholeNumberFrom(32, 51),
};

// CR3's address bits by mode: Intel SDM vol. 3, tables 4-3 (32-bit), 4-7 (PAE: a 32-byte aligned
// group of four entries below 4 GiB) and 4-12 (bits 61 and 62 are LAM's, bits 0-11 PCID or cache).
const ROOT_MASK: Record<PagingModeName, bigint> = {
  "none": 0n,
  "32-bit": 0xffff_f000n,
  "pae": 0xffff_ffe0n,
  "4-level": 0x000f_ffff_ffff_f000n,
  "5-level": 0x000f_ffff_ffff_f000n,
};

/**
 * Reads the paging mode off CR0, CR4 and EFER (Intel SDM vol. 3, 4.1.1). It never guesses.
 *
 * @example Usage
 * ```ts
 * import { pagingMode } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(pagingMode({ cr0: 0x80050033n, cr4: 0x1020n, efer: 0xd01n }), "5-level");
 * ```
 */
export function pagingMode(registers: Pick<CpuRegisters, "cr0" | "cr4" | "efer">): PagingModeName {
  const { cr0, cr4, efer } = registers;
  if (!(cr0 & CR0.PG)) return "none";
  if (!(cr4 & CR4.PAE)) return "32-bit";
  if (!(efer & EFER.LMA)) return "pae";
  return cr4 & CR4.LA57 ? "5-level" : "4-level";
}

/**
 * Derives the {@linkcode PagingContext} of a vCPU from its registers. If it does not translate by the
 * guest's tables, `noTables` says why, unless a root is named.
 *
 * @throws {InvalidArgumentError} if an option is out of range, or the root is none
 *
 * @example Usage
 * ```ts
 * import { pagingContext } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const registers = { cr0: 0x80050033n, cr3: 0x12345001n, cr4: 0x20020n, efer: 0xd01n };
 * assertEquals(pagingContext(registers).root, 0x12345000n);
 * ```
 */
export function pagingContext(
  registers: Pick<CpuRegisters, "cr0" | "cr3" | "cr4" | "efer"> & Partial<CpuRegisters>,
  options: PagingContextOptions = {},
): PagingContext {
  checkOptions(options, "the options of paging", PAGING_CONTEXT_SHAPE);
  const { cr0, cr3, cr4, efer } = registers;
  const mode = pagingMode(registers);
  const root = options.root === undefined ? cr3 : checkRoot(options.root, mode);
  const noTables = options.root === undefined ? noTablesOf(registers, mode) : undefined;
  const confidentialBit = confidentialBitFrom(options);
  return {
    mode,
    root: root & ROOT_MASK[mode],
    pageSizeExtension: Boolean(cr4 & CR4.PSE),
    executeDisable: Boolean(efer & EFER.NXE),
    writeProtect: Boolean(cr0 & CR0.WP),
    smep: Boolean(cr4 & CR4.SMEP),
    smap: Boolean(cr4 & CR4.SMAP),
    userKeys: Boolean(cr4 & CR4.PKE),
    supervisorKeys: Boolean(cr4 & CR4.PKS),
    physicalAddressBits: options.physicalAddressBits ?? 52,
    ...options.physicalAddressBits === undefined && { physicalAddressBitsAssumed: true },
    ...noTables && { noTables },
    ...confidentialBit && { confidentialBit },
  };
}

/** Why a vCPU's CR3 is no root; registers without a vCPU's number are nobody's, so only they count. */
function noTablesOf(
  registers: Pick<CpuRegisters, "cr0" | "cr4" | "efer"> & Partial<CpuRegisters>,
  mode: PagingModeName,
): NoTables | undefined {
  const { cpu } = registers;
  if (cpu === undefined) return mode === "none" ? PAGING_OFF : undefined;
  const state = cpuState({ ...registers, cpu });
  return state.kind === "translating" ? undefined : state;
}

/** What CR3 may hold beside the root: PCID or cache bits, LAM's, and bit 63 (SDM vol. 3, 2.5). */
const BESIDE_ROOT = 0xe000_0000_0000_0fffn;

/**
 * Reads a root that somebody named. It is refused rather than cut down to another one.
 *
 * @throws {InvalidArgumentError} if no table of the mode can be there
 */
export function checkRoot(input: AddressLike, mode: PagingModeName): bigint {
  const root = parseAddress(input);
  const lost = root & ~ROOT_MASK[mode] & ~BESIDE_ROOT;
  if (mode !== "none" && lost === 0n) return root;
  const why = mode === "none" ? "paging is off" : `${mode} paging has no root up there`;
  throw new InvalidArgumentError(
    `Not a page-table root: 0x${
      root.toString(16)
    }, ${why}; give the guest-physical address of the ` +
      "top table, or a CR3 value",
    input,
  );
}

/**
 * The same context with another root, as for another process of the same guest. It is read even if the
 * registers' own root must not be.
 *
 * @example Usage
 * ```ts
 * import { pagingContext, withRoot } from "@pagewalk/pagewalk";
 * import { assertEquals } from "@std/assert";
 *
 * const context = pagingContext({ cr0: 0x80050033n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd01n });
 * assertEquals(withRoot(context, 0x246f0a5n).root, 0x246f000n);
 * ```
 */
export function withRoot(context: PagingContext, root: AddressLike): PagingContext {
  const { noTables: _, ...others } = context;
  return {
    ...others,
    root: parseAddress(root) & ROOT_MASK[context.mode],
    ...context.mode === "none" && { noTables: PAGING_OFF },
  };
}

/** The same context with MAXPHYADDR, if it is known and was not before; else that context itself. */
export function withPhysicalBits(context: PagingContext, bits: number | null): PagingContext {
  if (bits === null || !context.physicalAddressBitsAssumed) return context;
  const { physicalAddressBitsAssumed: _, ...others } = context;
  return { ...others, physicalAddressBits: bits };
}

function confidentialBitFrom(options: PagingContextOptions): ConfidentialBit | undefined {
  const { privateBit, sharedBit } = options;
  if (privateBit !== undefined && sharedBit !== undefined) {
    throw new InvalidArgumentError(
      "A guest has a private bit (AMD SEV) or a shared bit (Intel TDX), not both: give one of them",
      options,
    );
  }
  if (privateBit !== undefined) return { bit: privateBit, whenSet: "private" };
  if (sharedBit !== undefined) return { bit: sharedBit, whenSet: "shared" };
  return undefined;
}

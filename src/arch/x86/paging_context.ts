import { type AddressLike, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { Regime } from "../../translate/regime.ts";
import { ADDRESS, checkOptions, type OptionShape, wholeNumberFrom } from "../../core/options.ts";
import { CR0, CR4, EFER } from "./control_bits.ts";
import { cpuState, PAGING_OFF } from "./cpu_state.ts";
import type { NoTables } from "../../translate/no_tables.ts";
import { regimeOf, ROOT_MASK } from "./regime.ts";
import type { ConfidentialBit, PagingModeName, PagingState } from "./paging_state.ts";
import type { CpuRegisters } from "./registers.ts";

export type { ConfidentialBit, PagingModeName, PagingState } from "./paging_state.ts";

/** The regime of a vCPU: its paging state, and what follows from it. */
export interface PagingContext extends PagingState, Regime {
  /** Which tables there are, and how they are laid out. */
  readonly mode: PagingModeName;
  /** The guest-physical address of the top table; 0 where paging is off. */
  readonly root: bigint;
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
  const context = contextOf({
    mode,
    root,
    pageSizeExtension: Boolean(cr4 & CR4.PSE),
    executeDisable: Boolean(efer & EFER.NXE),
    writeProtect: Boolean(cr0 & CR0.WP),
    smep: Boolean(cr4 & CR4.SMEP),
    smap: Boolean(cr4 & CR4.SMAP),
    userKeys: Boolean(cr4 & CR4.PKE),
    supervisorKeys: Boolean(cr4 & CR4.PKS),
    physicalAddressBits: options.physicalAddressBits ?? 52,
    ...options.physicalAddressBits === undefined && { physicalAddressBitsAssumed: true },
    ...confidentialBit && { confidentialBit },
  });
  return noTables ? { ...context, noTables } : context;
}

/** The regime of a paging state. Its root may still have PCID or cache bits: they are dropped. */
export function contextOf(state: PagingState): PagingContext {
  const regime = regimeOf(state);
  return { ...state, root: regime.rules.rootAddress(state.root), ...regime };
}

/** Why a vCPU's CR3 is not a root; registers without a vCPU's number are nobody's, so only they count. */
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

const NOTHING = { cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n };
const PAGING = { ...NOTHING, cr0: CR0.PG | CR0.WP };

const ASSUMED: Record<PagingModeName, Pick<CpuRegisters, "cr0" | "cr3" | "cr4" | "efer">> = {
  "none": NOTHING,
  "32-bit": { ...PAGING, cr4: CR4.PSE },
  "pae": { ...PAGING, cr4: CR4.PAE, efer: EFER.NXE },
  "4-level": { ...PAGING, cr4: CR4.PAE, efer: EFER.LMA | EFER.NXE },
  "5-level": { ...PAGING, cr4: CR4.PAE | CR4.LA57, efer: EFER.LMA | EFER.NXE },
};

/**
 * The control registers of a vCPU of which nothing is known but its paging mode: those that every
 * kernel of today sets (write protection, large pages, NX), and no more. CR3 is 0.
 */
export function assumedRegisters(
  mode: PagingModeName,
): Pick<CpuRegisters, "cr0" | "cr3" | "cr4" | "efer"> {
  return ASSUMED[mode];
}

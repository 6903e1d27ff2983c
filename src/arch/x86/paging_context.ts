import { type AddressLike, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { Regime } from "../../translate/regime.ts";
import { ADDRESS, checkOptions, type OptionShape, wholeNumberFrom } from "../../core/options.ts";
import { CR0, CR4, EFER } from "./control_bits.ts";
import { regimeOf } from "./regime.ts";
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
   * MAXPHYADDR of the vCPU, 32 to 52. No monitor command tells it, so by default none of the
   * architecture's address bits is judged reserved.
   *
   * @default {52}
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
 * Derives the {@linkcode PagingContext} of a vCPU from its registers.
 *
 * @throws {InvalidArgumentError} if an option is out of range
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
  registers: Pick<CpuRegisters, "cr0" | "cr3" | "cr4" | "efer">,
  options: PagingContextOptions = {},
): PagingContext {
  checkOptions(options, "the options of paging", PAGING_CONTEXT_SHAPE);
  const { cr0, cr3, cr4, efer } = registers;
  const mode = pagingMode(registers);
  const root = options.root === undefined ? cr3 : parseAddress(options.root);
  const confidentialBit = confidentialBitFrom(options);
  return contextOf({
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
    ...confidentialBit && { confidentialBit },
  });
}

/** The regime of a paging state. Its root may still have PCID or cache bits: they are dropped. */
export function contextOf(state: PagingState): PagingContext {
  const regime = regimeOf(state);
  return { ...state, root: regime.rules.rootAddress(state.root), ...regime };
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

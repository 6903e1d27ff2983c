import type { OopsReader } from "./oops_reader.ts";
import { RISCV_OOPS } from "./riscv/oops.ts";
import { X86_OOPS } from "./x86/oops.ts";

/**
 * How Linux reports faults, for the architectures of which that is known. It is no part of an
 * architecture's row: what reads no reports does not load it.
 */
export const OOPS_READERS: readonly [OopsReader, ...OopsReader[]] = [X86_OOPS, RISCV_OOPS];

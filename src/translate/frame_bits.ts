import type { Regime } from "./regime.ts";

/** Whether a frame lies so high that nobody told whether the processor has such addresses. */
export function mayBeBeyond({ assuredFrameBits }: Regime, frame: bigint): boolean {
  return assuredFrameBits !== undefined && frame >> BigInt(assuredFrameBits) !== 0n;
}

/** Why there is no verdict on a page that lies too high. */
export function describeMayBeBeyond({ rules: { frameLimitName } }: Regime, frame: bigint): string {
  return `the page's address 0x${
    frame.toString(16)
  } may be beyond ${frameLimitName}, so that every ` +
    `access faults, and ${frameLimitName} is not known: give it (phys-bits)`;
}

/** The same regime with so many bits of a physical address, if that was not known; else that regime itself. */
export function withPhysicalBits(regime: Regime, bits: number | null): Regime {
  if (bits === null || regime.assuredFrameBits === undefined) return regime;
  return regime.rules.withFrameBits?.(regime, bits) ?? regime;
}

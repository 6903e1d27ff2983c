/**
 * How `info registers` begins on other architectures (`cpu_dump_state`; seen with 7.2, but for Arm, MIPS,
 * PowerPC and SPARC, which follow its source from memory and were not run).
 */
const FOREIGN: readonly [registers: RegExp, architecture: string | null][] = [
  [/^ ?PC=[0-9a-f]{16} +X00=/m, "AArch64"],
  [/^R00=[0-9a-f]{8} R01=[0-9a-f]{8}/m, "Arm"],
  [/^PSW=mask [0-9a-f]+ addr /m, "s390x"],
  [/^ GPR00: r0 /m, "LoongArch"],
  [/^NIP [0-9a-f]+ +LR /m, "PowerPC"],
  [/^pc=0x[0-9a-f]+ HI=0x/m, "MIPS"],
  [/^pc: [0-9a-f]+ +npc: /m, "SPARC"],
  [/^D0 = [0-9a-f]+ +A0 = /m, "m68k"],
  [/^(?: ?PC|IA_F|PSW) *[= ] *[0-9a-f]{8}/im, null],
];

/**
 * The architecture whose registers these are, if pagewalk does not read them: its name, or null if it has
 * none here; undefined if they look like no architecture's.
 */
export function foreignArchitecture(reply: string): string | null | undefined {
  return FOREIGN.find(([registers]) => registers.test(reply))?.[1];
}

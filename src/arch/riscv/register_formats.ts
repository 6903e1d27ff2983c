import { given } from "../../core/options.ts";
import { type AddressLike, formatAddress, parseAddress } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import type { Regime } from "../../translate/regime.ts";
import { DamagedRegistersError } from "../errors.ts";
import type { RegisterFormats, StubRegisters } from "../register_formats.ts";
import { riscvRegimeOf } from "./hart_regime.ts";
import { RISCV_MODES, type RiscvMode, rootRegister } from "./modes.ts";
import { isRiscvRegisters, parseRiscvRegisters } from "./parse_registers.ts";
import { riscvRegime } from "./regime.ts";
import type { RiscvPrivilege, RiscvRegisters } from "./registers.ts";

/** The number of a privilege in the stub's `priv`; since 10.0 bit 2 of it is V. */
const PRIVILEGES: readonly (RiscvPrivilege | undefined)[] = ["U", "S", undefined, "M"];

/** A stub tells `vsatp` and `hgatp` in every version, where `info registers` does not before 11.1. */
const STUB: StubRegisters = {
  wanted: [["satp"], ["pc"], ["mstatus"], ["priv"]],
  optional: [["vsatp"], ["hgatp"], ["menvcfg"]],
  combine(values, printed: RiscvRegisters): RiscvRegisters {
    const [satp, pc, mstatus, priv, vsatp, hgatp, menvcfg] = values;
    const privilege = PRIVILEGES[Number(priv! & 3n)];
    return {
      ...printed,
      ...{ satp: satp!, pc: pc!, mstatus: mstatus! },
      ...privilege && { privilege },
      ...given({ vsatp, hgatp, menvcfg }),
    };
  },
};

/** How RISC-V's registers are told. */
export const RISCV_REGISTERS: RegisterFormats = {
  modes: Object.keys(RISCV_MODES),
  recognizes: isRiscvRegisters,
  printed(reply) {
    const all = parseRiscvRegisters(reply);
    if ("missing" in all) throw new DamagedRegistersError(reply.trim(), all.missing);
    return all;
  },
  stub: STUB,
  dumpMachines: [243],
  dumped: null,
  dumpNotice: "a dump of a RISC-V guest holds no satp",
  rootOf: ({ satp, xlen }: RiscvRegisters) => rootRegister(satp, xlen).root,
  regimeOf: riscvRegimeOf,
  contextOf: (_memory, registers: RiscvRegisters) => Promise.resolve(riscvRegimeOf(registers)),
  needsPeers: () => false,
  contextOfMode: (mode) => riscvRegime(mode as RiscvMode, 0n),
  checkRoot,
};

function checkRoot(input: AddressLike, { mode }: Regime): void {
  const value = parseAddress(input);
  const { xlen, physicalBits } = RISCV_MODES[mode as RiscvMode] ?? { xlen: 64, physicalBits: 56 };
  const named = rootRegister(value, xlen).mode;
  const isAddress = value >> BigInt(physicalBits) === 0n && (value & 0xfffn) === 0n;
  if (isAddress || named === mode) return;
  throw new InvalidArgumentError(
    `Not a root of ${mode}: ${
      formatAddress(value)
    }; give the physical address of the top table, a ` +
      "multiple of 4096, or a satp value of that mode",
    input,
  );
}

import { InvalidArgumentError } from "../../core/errors.ts";
import { onlyOf } from "../../core/options.ts";
import { type Connector, openMonitorSource } from "../connector.ts";

/** A monitor inside this process, such as the simulated guest's. */
export interface SimEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "sim";
  /** What the simulated guest is called: `riscv64` is RISC-V, others are x86-64. */
  name: string;
}

/** Names of machines that are not simulated; other names tell guests apart, in a fleet's rows for one. */
const OTHER_MACHINE = /^(?:risc|rv\d|arm|aarch)/i;

/** The simulated guest, which needs neither QEMU nor a permission. */
export const SIM: Connector<SimEndpoint> = {
  name: "simulated guest",
  usage: "sim: (the simulated guest), sim:riscv64",
  schemes: {
    sim: (name) => {
      if (name === "riscv64" || !OTHER_MACHINE.test(name)) return { scheme: "sim", name };
      const message = `No simulated guest "${name}": sim: is x86-64, sim:riscv64 is RISC-V`;
      throw new InvalidArgumentError(message, name);
    },
  },
  describe: ({ name }) => `sim:${name}`,
  permissions: () => [],
  async open({ name }, options) {
    const { simulatedGuest } = await import("../../testing/simulated_guest.ts");
    const { simulatedRiscvGuest } = await import("../../testing/simulated_riscv_guest.ts");
    const { HMP_CLIENT_SHAPE, HmpClient } = await import("../../monitor/hmp_client.ts");
    const open = () =>
      HmpClient.open(
        (name === "riscv64" ? simulatedRiscvGuest() : simulatedGuest()).transport(),
        onlyOf(options, HMP_CLIENT_SHAPE),
      );
    return await openMonitorSource("sim", open, options);
  },
};

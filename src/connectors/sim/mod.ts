import { onlyOf } from "../../core/options.ts";
import { type Connector, openMonitorSource } from "../connector.ts";

/** A monitor inside this process, such as the simulated guest's. */
export interface SimEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "sim";
  /** What the simulated guest is called. */
  name: string;
}

/** The simulated guest, which needs neither QEMU nor a permission. */
export const SIM: Connector<SimEndpoint> = {
  name: "simulated guest",
  usage: "sim: (the simulated guest), sim:riscv64",
  schemes: { sim: (name) => ({ scheme: "sim", name }) },
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

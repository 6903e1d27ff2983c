/** The connectors of one Linux guest, opened for measuring. */
import { connect, type ConnectOptions } from "../../mod.ts";
import { dumpGuest } from "../dump/_same_walks.ts";
import { type LabGuest, startOpenLab } from "../lab/mod.ts";

/** A connector, as {@linkcode connect} takes it. */
export interface BenchConnector {
  name: string;
  endpoint: string;
  options: ConnectOptions;
}

/** A guest with its connectors. Disposing of it ends it. */
export interface BenchGuest extends AsyncDisposable {
  lab: LabGuest;
  connectors: BenchConnector[];
}

/** Starts a guest with four levels and opens its connectors; the gdbstub is the last, since it pauses. */
export async function startBenchGuest(): Promise<BenchGuest> {
  const open = await startOpenLab("4-level");
  const { hmpSocket, lab, qmpPort, qmpSocket, ramFile, telnetPort } = open;
  const hmp = `127.0.0.1:${lab.monitorPort}`;
  const connector = (
    name: string,
    endpoint: string,
    options: ConnectOptions = {},
  ): BenchConnector => ({
    ...{ name, endpoint, options },
  });
  return {
    lab,
    connectors: [
      connector("HMP over TCP", hmp),
      connector("HMP over telnet", `telnet:127.0.0.1:${telnetPort}`),
      connector("HMP on a Unix socket", `unix:${hmpSocket}`),
      connector("QMP over TCP", `qmp:127.0.0.1:${qmpPort}`),
      connector("QMP on a Unix socket", `qmp:unix:${qmpSocket}`),
      connector("RAM file beside HMP", hmp, { ram: [ramFile] }),
      connector("ELF dump", `dump:${lab.folder}/core`),
      connector("gdbstub", `gdb:127.0.0.1:${lab.gdbPort}`),
    ],
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}

/** Has QEMU write the dump anew, for the connector to it. */
export async function renewDump({ lab }: BenchGuest): Promise<void> {
  await using live = await connect(lab.monitorPort);
  await dumpGuest(live, `${lab.folder}/core`);
}

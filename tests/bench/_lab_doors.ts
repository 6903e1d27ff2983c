/** The doors of one Linux guest, opened for measuring. */
import { connect, type ConnectOptions } from "../../mod.ts";
import { dumpGuest } from "../dump/_door.ts";
import { type LabGuest, startOpenLab } from "../lab/mod.ts";

/** A door, as {@linkcode connect} takes it. */
export interface BenchDoor {
  name: string;
  endpoint: string;
  options: ConnectOptions;
}

/** A guest with its doors. Disposing of it ends it. */
export interface BenchGuest extends AsyncDisposable {
  lab: LabGuest;
  doors: BenchDoor[];
}

/** Starts a guest with four levels and opens its doors; the gdbstub is the last, since it pauses. */
export async function startBenchGuest(): Promise<BenchGuest> {
  const open = await startOpenLab("4-level");
  const { hmpSocket, lab, qmpPort, qmpSocket, ramFile, telnetPort } = open;
  const hmp = `127.0.0.1:${lab.monitorPort}`;
  const door = (name: string, endpoint: string, options: ConnectOptions = {}): BenchDoor => ({
    ...{ name, endpoint, options },
  });
  return {
    lab,
    doors: [
      door("HMP over TCP", hmp),
      door("HMP over telnet", `telnet:127.0.0.1:${telnetPort}`),
      door("HMP on a Unix socket", `unix:${hmpSocket}`),
      door("QMP over TCP", `qmp:127.0.0.1:${qmpPort}`),
      door("QMP on a Unix socket", `qmp:unix:${qmpSocket}`),
      door("RAM file beside HMP", hmp, { ram: [ramFile] }),
      door("ELF dump", `dump:${lab.folder}/core`),
      door("gdbstub", `gdb:127.0.0.1:${lab.gdbPort}`),
    ],
    [Symbol.asyncDispose]: () => open[Symbol.asyncDispose](),
  };
}

/** Has QEMU write the dump anew, for the door to it. */
export async function renewDump({ lab }: BenchGuest): Promise<void> {
  await using live = await connect(lab.monitorPort);
  await dumpGuest(live, `${lab.folder}/core`);
}

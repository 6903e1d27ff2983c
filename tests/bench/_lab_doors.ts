/** The doors of one Linux guest, opened for measuring. */
import { getAvailablePort } from "@std/net";
import { connect, type ConnectOptions } from "../../mod.ts";
import { dumpGuest } from "../dump/_door.ts";
import { type LabGuest, startLab } from "../lab/mod.ts";

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
  const [telnet, qmp] = [getAvailablePort(), getAvailablePort()];
  const lab = await startLab("4-level", {
    ramFile: true,
    qemuArguments: [
      ...["-monitor", `telnet:127.0.0.1:${telnet},server=on,wait=off`],
      ...["-monitor", "unix:{folder}/monitor.sock,server=on,wait=off"],
      ...["-qmp", `tcp:127.0.0.1:${qmp},server=on,wait=off`],
      ...["-qmp", "unix:{folder}/qmp.sock,server=on,wait=off"],
    ],
  });
  const hmp = `127.0.0.1:${lab.monitorPort}`;
  const door = (name: string, endpoint: string, options: ConnectOptions = {}): BenchDoor => ({
    ...{ name, endpoint, options },
  });
  return {
    lab,
    doors: [
      door("HMP over TCP", hmp),
      door("HMP over telnet", `telnet:127.0.0.1:${telnet}`),
      door("HMP on a Unix socket", `unix:${lab.folder}/monitor.sock`),
      door("QMP over TCP", `qmp:127.0.0.1:${qmp}`),
      door("QMP on a Unix socket", `qmp:unix:${lab.folder}/qmp.sock`),
      door("RAM file beside HMP", hmp, { ram: [lab.ramFile!] }),
      door("ELF dump", `dump:${lab.folder}/core`),
      door("gdbstub", `gdb:127.0.0.1:${lab.gdbPort}`),
    ],
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

/** Has QEMU write the dump anew, for the door to it. */
export async function renewDump({ lab }: BenchGuest): Promise<void> {
  await using live = await connect(lab.monitorPort);
  await dumpGuest(live, `${lab.folder}/core`);
}

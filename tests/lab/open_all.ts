import { getAvailablePort } from "@std/net";
import type { LabGuest } from "./guest.ts";
import type { LabPreset, LabPresetName } from "./presets.ts";
import { startLab } from "./start.ts";

/** A lab guest that can be reached in every way. Disposing of it ends it. */
export interface OpenLab extends AsyncDisposable {
  lab: LabGuest;
  /** The telnet monitor's port. */
  telnetPort: number;
  /** The human monitor's Unix socket. */
  hmpSocket: string;
  /** QMP's TCP port. */
  qmpPort: number;
  /** QMP's Unix socket. */
  qmpSocket: string;
  /** The file that is the guest's RAM. */
  ramFile: string;
}

/** Starts a guest with all its connectors open, besides the two that every one has. */
export async function startOpenLab(preset: LabPreset | LabPresetName): Promise<OpenLab> {
  const [telnetPort, qmpPort] = [getAvailablePort(), getAvailablePort()];
  const lab = await startLab(preset, {
    ramFile: true,
    qemuArguments: [
      ...["-monitor", `telnet:127.0.0.1:${telnetPort},server=on,wait=off`],
      ...["-monitor", "unix:{folder}/monitor.sock,server=on,wait=off"],
      ...["-qmp", `tcp:127.0.0.1:${qmpPort},server=on,wait=off`],
      ...["-qmp", "unix:{folder}/qmp.sock,server=on,wait=off"],
    ],
  });
  return {
    lab,
    ...{ telnetPort, qmpPort },
    hmpSocket: `${lab.folder}/monitor.sock`,
    qmpSocket: `${lab.folder}/qmp.sock`,
    ramFile: lab.ramFile!,
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
}

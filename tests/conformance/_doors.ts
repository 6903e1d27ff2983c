import { connect, type ConnectOptions, type Session } from "../../mod.ts";
import type { RunningBareGuest } from "../../src/testing/mod.ts";

/** What to start a bare guest with, so that each of its doors is open. */
export const ALL_DOORS = { monitorSocket: true, qmp: true, gdb: true, memoryFile: true } as const;

/** Opens one door to a guest. */
export type OpenDoor = (options?: ConnectOptions) => Promise<Session>;

/** Every door to a running guest, by its name. */
export function doorsTo(guest: RunningBareGuest): [name: string, open: OpenDoor][] {
  const ram = { ram: [guest.memoryFile!] };
  const doors: [string, string, ConnectOptions?][] = [
    ["HMP over TCP", `${guest.monitorPort}`],
    ["HMP over a Unix socket", `unix:${guest.monitorSocket}`],
    ["QMP", `qmp:${guest.qmpPort}`],
    ["QMP by its greeting", `127.0.0.1:${guest.qmpPort}`],
    ["gdbstub", `gdb:${guest.gdbPort}`],
    ["RAM file beside HMP", `${guest.monitorPort}`, ram],
    ["RAM file beside QMP", `qmp:${guest.qmpPort}`, ram],
    ["RAM file beside the gdbstub", `gdb:${guest.gdbPort}`, ram],
  ];
  return doors.map(([name, endpoint, options]) => [
    name,
    (more) => connect(endpoint, { ...options, ...more }),
  ]);
}

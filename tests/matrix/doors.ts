import type { TestOutcome } from "./junit.ts";

/** Which door a test goes through, by its file and name; the first that fits. */
const DOORS: readonly [door: string, pattern: RegExp][] = [
  ["bare guest", /^tests\/bare_guest\//],
  ["dump", /^tests\/dump\/|\bdump\b/],
  ["replay", /^tests\/recording\/|\brecording\b/],
  ["libvirt", /libvirt|virsh/i],
  ["RAM file", /ram_file|RAM file/],
  ["gdbstub", /\/gdbstub\/|gdb(stub)?:|over gdb/i],
  ["QMP", /\/qmp|over qmp/i],
  ["telnet", /telnet/],
  ["unix", /over unix/],
  ["tcp", /over tcp/],
  ["conformance", /^tests\/conformance\//],
];

/** The door of a test; `monitor` for those that are about any of the monitor's. */
export function doorOf({ file, name }: TestOutcome): string {
  return DOORS.find(([, pattern]) => pattern.test(`${file} ${name}`))?.[0] ?? "monitor";
}

/** All doors, in the order of the table. */
export const DOOR_ORDER: readonly string[] = [
  ...["conformance", "monitor", "tcp", "telnet", "unix", "QMP", "gdbstub", "RAM file", "libvirt"],
  ...["dump", "replay", "bare guest"],
];

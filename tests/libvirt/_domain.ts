import { qemuPath } from "../../src/testing/mod.ts";

/** A domain that runs. Disposing of it ends it. */
export interface RunningDomain extends AsyncDisposable {
  /** Its name. */
  name: string;
  /** Its QEMU's process id; root alone may ask. */
  pid(): Promise<number>;
  /** Asks it to end. */
  destroy(): Promise<void>;
}

/** What libvirt itself says to QEMU, by what the domain's XML tells it. */
const LIBVIRT_SAYS = new Set(["-name", "-machine", "-M", "-accel", "-m", "-smp", "-display"]);

let domains = 0;

/**
 * Has the system's libvirt run QEMU with the arguments that it would be started with by hand. It runs as
 * root does, so that it may read the same files; QEMU itself must be readable by all, as libvirt asks it
 * what it can do as a user of its own.
 */
export async function startDomain(args: readonly string[]): Promise<RunningDomain> {
  const name = `pagewalk-test-${Deno.pid}-${++domains}`;
  const file = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    await Deno.writeTextFile(file, domainXml(name, args));
    await virsh("create", file);
  } finally {
    await Deno.remove(file);
  }
  let ended: Promise<void> | null = null;
  function destroy(): Promise<void> {
    ended ??= virsh("destroy", name).then(() => {});
    return ended;
  }
  return {
    name,
    pid: async () => Number(await Deno.readTextFile(`/run/libvirt/qemu/${name}.pid`)),
    destroy,
    [Symbol.asyncDispose]: destroy,
  };
}

/**
 * Whether libvirt can run a QEMU at all. One that is years older cannot: 9.0 runs QEMU 5.2 and 7.2, and
 * gets no capabilities from 10.0 and 11.1 ("An error occurred, but the cause is unknown").
 */
export async function libvirtKnows(emulator: string): Promise<boolean> {
  const { success, stderr } = await new Deno.Command("virsh", {
    args: ["-c", "qemu:///system", "domcapabilities", "--virttype", "qemu"]
      .concat("--emulatorbin", emulator),
    env: { LC_ALL: "C" },
  }).output();
  const said = new TextDecoder().decode(stderr).trim();
  if (!success && !/failed to get emulator capabilities/.test(said)) {
    throw new Error(`virsh domcapabilities: ${said}`);
  }
  return success;
}

/** Runs one virsh on the system's libvirt, and returns what it said. */
export async function virsh(...args: string[]): Promise<string> {
  const { success, stderr, stdout } = await new Deno.Command("virsh", {
    args: ["-c", "qemu:///system", ...args],
    env: { LC_ALL: "C" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(`virsh ${args.join(" ")}: ${text(stderr)}`);
  return text(stdout);
}

function domainXml(name: string, args: readonly string[]): string {
  const emulator = qemuPath().includes("/") ? qemuPath() : `/usr/bin/${qemuPath()}`;
  const valueOf = (...options: string[]) =>
    args[args.findIndex((arg) => options.includes(arg)) + 1] ?? "";
  const [machine, ...properties] = valueOf("-machine", "-M").split(",");
  const memoryMib = /^(\d+)M$/.exec(valueOf("-m"))?.[1];
  const passedOn = args.filter((arg, i) =>
    !LIBVIRT_SAYS.has(arg) && !LIBVIRT_SAYS.has(args[i - 1] ?? "")
  );
  if (properties.length > 0) passedOn.push("-machine", properties.join(","));
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <name>${name}</name><memory unit='MiB'>${memoryMib}</memory><vcpu>${valueOf("-smp")}</vcpu>
    <os><type arch='x86_64' machine='${machine}'>hvm</type></os><features><acpi/></features>
    <devices><emulator>${emulator}</emulator><controller type='usb' model='none'/>
      <memballoon model='none'/></devices>
    <seclabel type='static' model='dac' relabel='no'><label>+0:+0</label></seclabel>
    <qemu:commandline>${passedOn.map((arg) => `<qemu:arg value='${escape(arg)}'/>`).join("")}
    </qemu:commandline></domain>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&apos;");
}

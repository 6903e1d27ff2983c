import { given } from "../core/options.ts";
import { escapeMessage, escapeText } from "../core/escape.ts";
import { parseRamLayout, type RamLayout } from "../connectors/dump/ram_layout.ts";
import { monitorPortFor } from "../monitor/endpoint.ts";
import { connectors } from "../connectors/registry.ts";
import type { ConnectOptions } from "../session/connect_parts.ts";
import type { GuestSession } from "../session/guest_session.ts";
import { checkTableChoice, processOf, type TableChoice } from "../session/table_choice.ts";
import type { WantedProcess } from "../linux/processes.ts";
import { activity } from "./activity.ts";
import {
  addressArgument,
  flag,
  type FlagOption,
  type OptionValues,
  value,
  type ValueOption,
  wholeNumber,
} from "./options.ts";
import type { Positional } from "./command_spec.ts";

/** The argument that every script takes first. */
export const MONITOR: Positional = {
  name: "monitor",
  // Read when it is shown, as more connectors may be known by then.
  get purpose() {
    return `${connectors().map(({ usage }) => usage).join(", ")}`;
  },
  isEndpoint: true,
  orOption: "debug-port",
};

/** The argument of a script that asks about one address. */
export const ADDRESS: Positional = {
  name: "virtual_address",
  purpose: "the address, such as 0x7f1234567000",
};

/** What describes the guest and the way to it. */
export type ConnectOptionSpecs = {
  /** The gdbstub's port, by which the monitor's is known. */
  readonly "debug-port": ValueOption<number>;
  /** MAXPHYADDR. */
  readonly "phys-bits": ValueOption<number>;
  /** AMD SEV's C-bit. */
  readonly "private-bit": ValueOption<number>;
  /** Intel TDX's shared bit. */
  readonly "shared-bit": ValueOption<number>;
  /** The files behind the guest's RAM. */
  readonly ram: ValueOption<string[]>;
  /** How long one command may take. */
  readonly timeout: ValueOption<number>;
  /** The ELF file of a kernel that is not Linux. */
  readonly kernel: ValueOption<string>;
  /** A folder for what was learned about kernels. */
  readonly "kernel-cache": ValueOption<string>;
  /** Files with the kernel's types. */
  readonly btf: ValueOption<string[]>;
  /** The path of a recording to write. */
  readonly record: ValueOption<string>;
  /** The kind of page tables at a root. */
  readonly mode: ValueOption<string>;
  /** How a raw memory image lies in memory. */
  readonly layout: ValueOption<RamLayout>;
};

/** What chooses the tables of a device. */
export type DeviceTableOptionSpecs = {
  /** Bus, device and function. */
  readonly device: ValueOption<string>;
};

/** What bounds how a device's tables are found. */
export type DeviceOptionSpecs = {
  /** No register may be read. */
  readonly "no-mmio": FlagOption;
};

/** The option of scripts that look at the tables of devices. */
export const DEVICE_OPTIONS: DeviceOptionSpecs = {
  "no-mmio": flag(
    "do not read the IOMMU register that points to its tables: use Linux's own records",
  ),
};

/** The options of scripts that take a device's tables where others take a process's. */
export const DEVICE_TABLE_OPTIONS: DeviceTableOptionSpecs & DeviceOptionSpecs = {
  device: value(
    "BDF",
    "read the tables that translate the DMA of this PCI device, such as 00:03.0",
    String,
  ),
  ...DEVICE_OPTIONS,
};

/** The options that describe the guest and the way to it. */
export const CONNECT_OPTIONS: ConnectOptionSpecs = {
  "debug-port": wholeNumber("N", "the gdbstub's port, instead of <monitor>, which is 100 above", 1),
  "phys-bits": wholeNumber(
    "N",
    "MAXPHYADDR of the vCPU (default: read from the guest when needed)",
    32,
    52,
  ),
  "private-bit": wholeNumber("N", "AMD SEV's C-bit, if the guest is confidential", 32, 51),
  "shared-bit": wholeNumber("N", "Intel TDX's shared bit, if the guest is confidential", 32, 51),
  ram: value(
    "FILE[,FILE]",
    "read page tables from the mem-path of the guest's memory-backend-file (share=on): fastest",
    pathsIn,
  ),
  timeout: wholeNumber("MS", "timeout of one monitor command in milliseconds (default 30000)", 1),
  kernel: value(
    "ELF",
    "the guest runs this kernel, xv6 or one like it: its processes are found by symbols and DWARF",
    (path) => path,
  ),
  "kernel-cache": value(
    "DIR",
    "cache kernel symbols and offsets in DIR (with --allow-read=DIR --allow-write=DIR)",
    (path) => path,
  ),
  btf: value(
    "FILE[,FILE]",
    "types of a kernel built without BTF: raw BTF or a vmlinux (with --allow-read=FILE); then modules'",
    pathsIn,
  ),
  record: value(
    "FILE",
    "record all monitor traffic to a new file; replay with replay:FILE",
    (path) => path,
  ),
  mode: value(
    "MODE",
    "paging mode of the tables at --root (4-level, Sv39, …), if no vCPU has it (paging off, raw image)",
    (name) => name,
  ),
  layout: value(
    "LAYOUT",
    "memory layout of a raw image: flat, pc, q35, or FIRST-LAST@OFFSET,…",
    parseRamLayout,
  ),
};

/** What chooses a process of a Linux guest. */
export type ProcessOptionSpecs = {
  /** A process's id. */
  readonly pid: ValueOption<number>;
  /** A process's name. */
  readonly comm: ValueOption<string>;
  /** Text of a process's command line. */
  readonly cmdline: ValueOption<string>;
  /** A process's cgroup. */
  readonly cgroup: ValueOption<string>;
  /** A process's id inside its container. */
  readonly nspid: ValueOption<number>;
};

/** What chooses whose page tables are read. */
export type TableOptionSpecs = ProcessOptionSpecs & {
  /** A vCPU's number. */
  readonly cpu: ValueOption<number>;
  /** A root's physical address. */
  readonly root: ValueOption<bigint>;
  /** How long to sample, in milliseconds. */
  readonly sample: ValueOption<number>;
};

/** The options that choose a process; all but the pid describe it together. */
export const PROCESS_OPTIONS: ProcessOptionSpecs = {
  pid: wholeNumber("N", "the process with this pid", 1),
  comm: {
    ...value("NAME", "the process with this name (must be unique)", (text) => text),
    mayBeEmpty: true,
  },
  cmdline: value(
    "TEXT",
    "the process whose command line contains TEXT (must be unique)",
    (text) => text,
  ),
  cgroup: value(
    "PATH",
    "the process in this cgroup: /PATH and below, or part of one, such as a container's id (must be unique)",
    (text) => text,
  ),
  nspid: wholeNumber("N", "the process with this pid inside its container (must be unique)", 1),
};

/** The options that choose whose page tables are read. */
export const TABLE_OPTIONS: TableOptionSpecs = {
  cpu: wholeNumber(
    "N",
    "read the tables that this vCPU runs on (default: the monitor's current vCPU)",
  ),
  root: value(
    "ADDR",
    "read the tables at this physical address: a process's root, or a root register's value",
    addressArgument,
  ),
  sample: wholeNumber(
    "MS",
    "poll all vCPUs this long until one runs on tables that map the address",
  ),
  pid: wholeNumber(
    "N",
    "read the tables of this process (of Linux, or of the kernel of --kernel)",
    1,
  ),
  comm: describing(PROCESS_OPTIONS.comm),
  cmdline: describing(PROCESS_OPTIONS.cmdline),
  cgroup: describing(PROCESS_OPTIONS.cgroup),
  nspid: describing(PROCESS_OPTIONS.nspid),
};

function describing<T>(option: ValueOption<T>): ValueOption<T> {
  return { ...option, purpose: `read the tables of ${option.purpose}` };
}

function pathsIn(text: string): string[] {
  return text.split(",").filter((path) => path !== "");
}

/** The values of {@linkcode PROCESS_OPTIONS}. */
export type ProcessValues = OptionValues<ProcessOptionSpecs>;

/**
 * The process that a script's options choose; undefined if they choose none.
 *
 * @throws {InvalidArgumentError} if a pid and a description are both given
 */
export function processChoice(options: ProcessValues): WantedProcess | undefined {
  const { pid, comm, cmdline, cgroup, nspid } = options;
  checkTableChoice(given({ pid, comm, cmdline, cgroup, nspid }));
  return processOf(options);
}

/** The values of {@linkcode CONNECT_OPTIONS}. */
export type ConnectValues = OptionValues<ConnectOptionSpecs>;

/** The values of {@linkcode DEVICE_OPTIONS}. */
export type DeviceValues = OptionValues<DeviceOptionSpecs>;

/** The values of {@linkcode TABLE_OPTIONS}, and the device of {@linkcode DEVICE_TABLE_OPTIONS}. */
export type TableValues =
  & OptionValues<TableOptionSpecs>
  & Partial<OptionValues<DeviceTableOptionSpecs>>;

/**
 * Connects to the guest that a script's arguments name, by a `connect()` that is loaded here, so that
 * reading a command line stays quick: the REPL shows its prompt before it. What a user should know of the
 * connection, such as that it pauses the guest, is said on standard error.
 */
export async function connectBy<S extends GuestSession>(
  load: () => Promise<(endpoint: string, options: ConnectOptions) => Promise<S>>,
  monitor: string,
  options: ConnectValues & Partial<DeviceValues>,
): Promise<S> {
  const debugPort = options["debug-port"];
  const endpoint = debugPort === undefined ? monitor : String(monitorPortFor(debugPort));
  const connect = await load();
  activity.say(`connecting to ${escapeText(endpoint)}`);
  const onNotice = (text: string) => console.error(`note: ${escapeMessage(text)}`);
  const session = await connect(endpoint, { ...connectOptions(options), onNotice });
  if (session.notice !== null) onNotice(session.notice);
  activity.say("reading the guest");
  return session;
}

/** Turns a script's options into those of {@linkcode connect}. */
export function connectOptions(options: ConnectValues & Partial<DeviceValues>): ConnectOptions {
  return given({
    mmio: options["no-mmio"] ? false : undefined,
    physicalAddressBits: options["phys-bits"],
    privateBit: options["private-bit"],
    sharedBit: options["shared-bit"],
    ram: options.ram,
    commandTimeoutMs: options.timeout,
    kernel: options.kernel,
    kernelCacheDir: options["kernel-cache"],
    btf: options.btf,
    record: options.record,
    mode: options.mode,
    layout: options.layout,
  });
}

/** Turns a script's options into a choice of page table. */
export function tableChoice(options: TableValues): TableChoice {
  const { cpu, root, sample, pid, comm, cmdline, cgroup, nspid, device } = options;
  return given({ cpu, root, sampleMs: sample, pid, comm, cmdline, cgroup, nspid, device });
}

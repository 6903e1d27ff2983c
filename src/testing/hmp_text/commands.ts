import type { Arguments, ArgumentSpec } from "./arguments.ts";
import type { QemuFlavour } from "./flavours.ts";
import { tlbText, translate } from "./guest_tables.ts";
import { hex } from "./hex.ts";
import type { HmpMachine } from "./machine.ts";
import { type DumpFormat, memoryDumpText, valueText } from "./memory_dump.ts";
import { flatMemoryTreeText } from "./memory_tree.ts";
import { pluggableCpusText, propertyText } from "./objects.ts";
import { allRegistersText, oneCpuRegistersText } from "./registers.ts";

/** What a command may use and change. */
export interface CommandContext {
  /** The machine. */
  readonly machine: HmpMachine;
  /** The monitor's current vCPU, as `cpu N` sets it. */
  cpu: number;
  /** How `xp`, `x` and `print` print when they are not told: as the last one did. */
  format: DumpFormat;
  /** The word size likewise, in bytes. */
  wordBytes: 1 | 2 | 4 | 8;
  /** Set by `quit`. */
  quit: boolean;
}

/** One monitor command, as QEMU's table describes it. */
export interface HmpCommand {
  /** The names it answers to, joined with `|`. */
  name: string;
  /** What `help` prints behind the name. */
  params: string;
  /** What `help` prints behind `--`. */
  help: string;
  /** Its arguments. */
  args: readonly ArgumentSpec[];
  /** Returns what it prints, each line ended by `\n`. */
  run(context: CommandContext, args: Arguments): string;
}

const ADDRESS: ArgumentSpec = { kind: "number", name: "addr", bits: 64 };

/** The commands that the simulated guest knows, in the order of `help`. */
export function hmpCommands(flavour: QemuFlavour): readonly HmpCommand[] {
  return [
    { name: "cont|c", params: "", help: "resume emulation", args: [], run: resume },
    {
      name: "cpu",
      params: "index",
      help: "set the default CPU",
      args: [{ kind: "number", name: "index", bits: 32 }],
      run: selectCpu,
    },
    {
      name: "gpa2hva",
      params: "addr",
      help: "print the host virtual address corresponding to a guest physical address",
      args: [ADDRESS],
      run: hostAddress,
    },
    {
      name: "gva2gpa",
      params: "addr",
      help: "print the guest physical address corresponding to a guest virtual address",
      args: [ADDRESS],
      run: guestPhysicalAddress,
    },
    {
      name: flavour.printName,
      params: "/fmt expr",
      help: "print expression value (use $reg for CPU register access)",
      args: [{ kind: "format" }, { kind: "number", name: "val", bits: 64 }],
      run: printValue,
    },
    {
      name: "qom-get",
      params: "path property",
      help: "print QOM property",
      args: [{ kind: "word", name: "path" }, { kind: "word", name: "property" }],
      run: propertyText,
    },
    { name: "quit|q", params: "", help: "quit the emulator", args: [], run: quit },
    { name: "stop|s", params: "", help: "stop emulation", args: [], run: pause },
    {
      name: "x",
      params: "/fmt addr",
      help: "virtual memory dump starting at 'addr'",
      args: [{ kind: "format" }, ADDRESS],
      run: (context, args) => dump(context, args, readVirtual, 16),
    },
    {
      name: "xp",
      params: "/fmt addr",
      help: "physical memory dump starting at 'addr'",
      args: [{ kind: "format" }, ADDRESS],
      run: (context, args) =>
        dump(context, args, readPhysical, context.machine.flavour.physicalAddressDigits),
    },
  ];
}

/** The subcommands of `info`, in the order of `help info`. */
export function infoCommands(flavour: QemuFlavour): readonly HmpCommand[] {
  return [
    { name: "cpus", params: "", help: "show infos for each CPU", args: [], run: cpusText },
    {
      name: "hotpluggable-cpus",
      params: "",
      help: "Show information about hotpluggable CPUs",
      args: [],
      run: pluggableCpusText,
    },
    {
      name: "mtree",
      params: "[-f][-d][-o][-D]",
      help: "show memory tree (-f: dump flat view for address spaces;" +
        "-d: dump dispatch tree, valid with -f only);" +
        "-o: dump region owners/parents;-D: dump disabled regions",
      args: ["f", "d", "o", "D"].map((letter) => ({ kind: "flag", letter })),
      run: memoryTreeText,
    },
    flavour.registersOfOneCpu
      ? {
        name: "registers",
        params: "[-a|vcpu]",
        help: "show the cpu registers (-a: show register info for all cpus; " +
          "vcpu: specific vCPU to query; " +
          "show the current CPU's registers if no argument is specified)",
        args: [{ kind: "flag", letter: "a" }, {
          kind: "number",
          name: "vcpu",
          bits: 32,
          optional: true,
        }],
        run: registersText,
      }
      : {
        name: "registers",
        params: "[-a]",
        help: "show the cpu registers (-a: all - show register info for all cpus)",
        args: [{ kind: "flag", letter: "a" }],
        run: registersText,
      },
    {
      name: "status",
      params: "",
      help: "show the current VM status (running|paused)",
      args: [],
      run: ({ machine }) => `VM status: ${machine.running ? "running" : "paused"}\n`,
    },
    {
      name: "tlb",
      params: "",
      help: "show virtual to physical memory mappings",
      args: [],
      run: ({ machine, cpu }) => tlbText(machine, machine.cpuState(cpu)),
    },
    {
      name: "version",
      params: "",
      help: "show the version of QEMU",
      args: [],
      run: ({ machine: { flavour } }) => `${flavour.version}${flavour.packageVersion}\n`,
    },
  ];
}

function resume({ machine }: CommandContext): string {
  machine.running = true;
  return "";
}

function pause({ machine }: CommandContext): string {
  machine.running = false;
  return "";
}

function quit(context: CommandContext): string {
  context.quit = true;
  return "";
}

function selectCpu(context: CommandContext, { numbers }: Arguments): string {
  const cpu = Number(numbers.get("index"));
  if (cpu >= context.machine.cpuCount) return "invalid CPU index\n";
  context.cpu = cpu;
  return "";
}

const FIRST_THREAD = 2022;

function cpusText({ machine, cpu }: CommandContext): string {
  return Array.from(
    { length: machine.cpuCount },
    (_, i) =>
      `${i === cpu ? "*" : " "} CPU #${i}: thread_id=${FIRST_THREAD + i}` +
      `${machine.flavour.cpuSuffix}\n`,
  ).join("");
}

function registersText({ machine, cpu }: CommandContext, { flags, numbers }: Arguments): string {
  const wanted = Number(numbers.get("vcpu") ?? cpu);
  if (!flags.has("a") && wanted >= machine.cpuCount) return `CPU#${wanted} not available\n`;
  const cpus = machine.sampleCpus();
  return flags.has("a")
    ? allRegistersText(cpus, machine.flavour)
    : oneCpuRegistersText(cpus[wanted]!, machine.flavour);
}

function memoryTreeText({ machine }: CommandContext, { flags }: Arguments): string {
  return flags.has("f")
    ? flatMemoryTreeText(machine)
    : "The simulated guest shows its memory as a flat view only: info mtree -f\n";
}

function guestPhysicalAddress({ machine, cpu }: CommandContext, { numbers }: Arguments): string {
  const address = BigInt.asUintN(64, numbers.get("addr") ?? 0n);
  const physical = translate(machine, machine.cpuState(cpu), address);
  return physical === null ? "Unmapped\n" : `gpa: 0x${hex(physical, 1)}\n`;
}

const HOST_BASE = 0x7ff9_e7e0_0000n;

function hostAddress({ machine }: CommandContext, { numbers }: Arguments): string {
  const address = BigInt.asUintN(64, numbers.get("addr") ?? 0n);
  const row = machine.memoryRows.find(({ start, end }) => address >= start && address < end);
  const shown = `0x${hex(address, 1)}`;
  if (row === undefined) return `No memory is mapped at address ${shown}\n`;
  if (row.type === "i/o") return `Memory at address ${shown} is not RAM\n`;
  const host = HOST_BASE + row.offset + address - row.start;
  return `Host virtual address for ${shown} (${row.name}) is 0x${hex(host, 1)}\n`;
}

function printValue(context: CommandContext, { format, numbers }: Arguments): string {
  const shown = format.format ?? context.format;
  if (shown !== "i") context.format = shown;
  return `${valueText(numbers.get("val") ?? 0n, shown === "i" ? "d" : shown)}\n`;
}

/** Reads a row of `xp` or `x`, or returns null. */
type RowReader = (
  context: CommandContext,
  address: bigint,
  lengthBytes: number,
) => Uint8Array | null;

function dump(
  context: CommandContext,
  { format, numbers }: Arguments,
  readRow: RowReader,
  addressDigits: number,
): string {
  if (format.format === "i") return "The simulated guest has no disassembler\n";
  // QEMU keeps the last format and size for the next command that names none.
  context.format = format.format ?? context.format;
  context.wordBytes = format.wordBytes ?? context.wordBytes;
  return memoryDumpText({
    address: BigInt.asUintN(64, numbers.get("addr") ?? 0n),
    count: format.count,
    wordBytes: context.wordBytes,
    format: context.format,
    addressDigits,
    read: (address, lengthBytes) => readRow(context, address, lengthBytes),
  });
}

function readPhysical(
  { machine }: CommandContext,
  address: bigint,
  lengthBytes: number,
): Uint8Array | null {
  return machine.readBus(address, lengthBytes);
}

function readVirtual(
  { machine, cpu }: CommandContext,
  address: bigint,
  lengthBytes: number,
): Uint8Array | null {
  const state = machine.cpuState(cpu);
  const bytes = new Uint8Array(lengthBytes);
  for (let done = 0; done < lengthBytes;) {
    const at = BigInt.asUintN(64, address + BigInt(done));
    const piece = Math.min(0x1000 - Number(at & 0xfffn), lengthBytes - done);
    const physical = translate(machine, state, at);
    const read = physical === null ? null : machine.readBus(physical, piece);
    if (read === null) return null;
    bytes.set(read, done);
    done += piece;
  }
  return bytes;
}

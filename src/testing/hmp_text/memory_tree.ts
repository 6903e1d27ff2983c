import { hex } from "./hex.ts";
import type { HmpMachine, MemoryRow } from "./machine.ts";
import { pcPortRows } from "./pc_port_rows.ts";

/** Address spaces that share one flat view. */
interface FlatView {
  /** The names of the address spaces. */
  spaces: readonly string[];
  /** What the address spaces are rooted in. */
  root: string;
  /** What the flat view is rendered from: `root`, unless nothing is. */
  rendered: string;
  rows: readonly MemoryRow[];
}

/** `info mtree -f`: every flat view. Which number a view gets varies from run to run in QEMU. */
export function flatMemoryTreeText(machine: HmpMachine): string {
  const cpus = Array.from({ length: machine.cpuCount }, (_, cpu) => cpu);
  const views: FlatView[] = [
    {
      spaces: ["i440FX", "PIIX3", "VGA", "piix3-ide", "PIIX4_PM"],
      root: "bus master container",
      rendered: "(none)",
      rows: [],
    },
    ...cpus.slice(1).map((cpu) => systemManagementView(machine, cpu)),
    {
      spaces: ["memory", ...cpus.map((cpu) => `cpu-memory-${cpu}`)],
      root: "system",
      rendered: "system",
      rows: machine.memoryRows,
    },
    { spaces: ["I/O"], root: "io", rendered: "io", rows: pcPortRows(machine.flavour) },
    systemManagementView(machine, 0),
  ];
  return views.map(viewText).join("");
}

/** System management mode sees RAM where everybody else sees VGA's window. */
function systemManagementView(machine: HmpMachine, cpu: number): FlatView {
  const rows = machine.memoryRows.filter((row) => row.name !== "vga-lowmem");
  const [first, ...others] = rows;
  return {
    spaces: [`cpu-smm-${cpu}`],
    root: "memory",
    rendered: "memory",
    rows: first === undefined ? [] : [{ ...first, end: others[0]?.start ?? first.end }, ...others],
  };
}

function viewText({ spaces, root, rendered, rows }: FlatView, number: number): string {
  const lines = [
    `FlatView #${number}`,
    ...spaces.map((space) => ` AS "${space}", root: ${root}`),
    ` Root memory region: ${rendered}`,
    ...(rows.length === 0 ? ["  No rendered FlatView"] : rows.map(rowText)),
    "",
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function rowText({ start, end, priority, type, name, offset }: MemoryRow): string {
  const at = offset === 0n ? "" : ` @${hex(offset, 16)}`;
  return `  ${hex(start, 16)}-${hex(end - 1n, 16)} (prio ${priority}, ${type}): ${name}${at}`;
}

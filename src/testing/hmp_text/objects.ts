import type { Arguments } from "./arguments.ts";
import type { HmpMachine } from "./machine.ts";

/** What TCG gives a vCPU of x86-64 that is not told otherwise (`TCG_PHYS_ADDR_BITS`, 5.2 to 11.1). */
const PHYSICAL_BITS = 40;

/** `info hotpluggable-cpus`: the last vCPU first, as QEMU lists them; no vCPU can be plugged. */
export function pluggableCpusText({ machine }: { machine: HmpMachine }): string {
  const cpus = Array.from({ length: machine.cpuCount }, (_, i) => machine.cpuCount - 1 - i);
  const rows = cpus.map((cpu) =>
    `  type: "max-x86_64-cpu"\n  vcpus_count: "1"\n  qom_path: "${pathOf(cpu)}"\n` +
    `  CPUInstance Properties:\n    socket-id: "0"\n    core-id: "${cpu}"\n    thread-id: "0"\n`
  );
  return `Hotpluggable CPUs:\n${rows.join("")}`;
}

/** `qom-get`: a vCPU's `phys-bits`, and nothing else. */
export function propertyText(
  { machine }: { machine: HmpMachine },
  { words }: Pick<Arguments, "words">,
): string {
  const [path, property] = [words.get("path")!, words.get("property")!];
  const isCpu = Array.from({ length: machine.cpuCount }, (_, cpu) => pathOf(cpu)).includes(path);
  if (!isCpu) return `Error: Device '${path}' not found\n`;
  if (property === "phys-bits") return `${machine.physicalBits ?? PHYSICAL_BITS}\n`;
  return `Error: Property 'max-x86_64-cpu.${property}' not found\n`;
}

/** The first vCPU is the machine's first unnamed device; the others come after the APIC's container. */
function pathOf(cpu: number): string {
  return `/machine/unattached/device[${cpu === 0 ? 0 : cpu + 1}]`;
}

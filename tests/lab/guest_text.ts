import type { LabGuest } from "./guest.ts";
import type { LabFact } from "./guest_lines.ts";

/** What may be typed while the lab runs; the whole list is at the head of guest/program/main.c. */
export const HELP_TEXT =
  `Typed here, the target does it (PAGE: an address, or 0-255 in the DMA buffer):
  clear PAGE [COUNT]       clear _PAGE_USER       restore PAGE [COUNT]   set it again
  touch read|write PAGE    see what happens       dump PAGE              the guest's own view
  busy on|off              run now and then       pagemap PAGE [COUNT]   from /proc
  !COMMAND                 run it in the guest's shell`;

/** What is printed when a guest is up: what it is, what it holds, and what to try. */
export function guestText(guest: LabGuest, seconds: string): string {
  const { monitorPort, gdbPort, target } = guest;
  const root = hex(target.root);
  const dma = guest.fact("dma");
  const address = hex(dma.address);
  const net = `--allow-net=127.0.0.1:${monitorPort}`;
  const roots = target.userRoot === target.root
    ? `root ${root}`
    : `root ${root} (in user mode ${hex(target.userRoot)})`;
  return `
Linux ${guest.build.release} is up (${seconds} s), ${target.levels} levels. Monitor 127.0.0.1:${monitorPort}, gdbstub 127.0.0.1:${gdbPort}.
${guest.dmaLine ?? "No VFIO in this guest: the buffer is ordinary memory."}
Process: target, pid ${target.pid}, ${roots}. It sleeps; "busy on" makes it run now and then.

${guest.facts.map(factLine).join("\n")}

Try, in another terminal:
  deno run ${net} examples/qemu_verify_pte.ts ${monitorPort} ${address} --root ${root}
      passes; ${
    hex(dma.address + 240n * 4096n)
  } (page 240) does not, pages 240-255 were left on purpose
  deno run ${net} examples/verify_range.ts ${monitorPort} ${address} ${
    hex(BigInt(dma.lengthBytes))
  } --root ${root}
  deno run ${net} --allow-read examples/verify_dmesg.ts ${monitorPort} ${guest.folder}/dmesg.log --root ${root}

${HELP_TEXT}
Ctrl-C ends the guest.`.trimStart();
}

function factLine(fact: LabFact): string {
  return [
    `  ${fact.name.padEnd(13)}`,
    hex(fact.address).padEnd(18),
    `${size(fact.lengthBytes)} in ${size(fact.pageBytes)} pages`.padEnd(24),
    fact.protection.padEnd(5),
    fact.state === "present" ? `_PAGE_USER ${USER_TEXT[fact.user]}` : STATE_TEXT[fact.state],
  ].join(" ");
}

const USER_TEXT: Record<LabFact["user"], string> = {
  set: "set",
  cleared: "cleared",
  mixed: "cleared in pages 0-239, set in 240-255",
  parent: "set in the leaves, cleared one level above",
  none: "",
};

const STATE_TEXT: Record<LabFact["state"], string> = {
  present: "",
  protnone: "PROT_NONE: touched, then protected",
  absent: "never touched",
  swapped: "swapped out",
  unmapped: "no mapping",
};

function size(bytes: number): string {
  if (bytes >= 1 << 30) return `${bytes / (1 << 30)} GiB`;
  return bytes >= 1 << 20 ? `${bytes / (1 << 20)} MiB` : `${bytes / 1024} KiB`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

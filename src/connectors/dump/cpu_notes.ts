import type { GuestRegisters } from "../../arch/registers.ts";
import type { DumpBytes } from "./dump_bytes.ts";
import type { ElfCore } from "./elf_core.ts";
import { DumpFormatError } from "./errors.ts";

/**
 * Reads the registers of each vCPU from QEMU's notes.
 *
 * @throws {DumpFormatError} if there is no such note, or one of an unknown version
 */
export function readCpuNotes(bytes: DumpBytes, core: ElfCore): GuestRegisters[] {
  const { dumped } = core.formats;
  // Without a root register the others are of no use here.
  if (dumped === null) return [];
  const registers: GuestRegisters[] = [];
  const others = new Set<string>();
  for (const { name, description } of readNotes(bytes, core)) {
    if (name === "QEMU") {
      const found = dumped(description, registers.length, core);
      if (typeof found === "string") throw new DumpFormatError(bytes.path, found);
      registers.push(found as GuestRegisters);
    } else others.add(name);
  }
  if (registers.length > 0) return registers;
  throw new DumpFormatError(
    bytes.path,
    `it has no QEMU notes with the registers${
      whoseCore(others)
    }; only cores by dump-guest-memory ` +
      "are read",
  );
}

/** By the names of its notes, what wrote a core. */
function whoseCore(names: ReadonlySet<string>): string {
  if (names.has("VMCOREINFO")) return ": it is a kernel's own core (/proc/vmcore or makedumpfile)";
  if (names.has("VBCORE")) return ": it is a VirtualBox core";
  if (names.has(".note.Xen") || names.has("Xen")) return ": it is a Xen core";
  if (names.has("CORE")) return ": it is the core of a process";
  return "";
}

function* readNotes(
  bytes: DumpBytes,
  core: ElfCore,
): Generator<{ name: string; description: DataView }> {
  for (const { offset, lengthBytes } of core.notes) {
    const view = bytes.at(offset, lengthBytes);
    for (let at = 0; at + 12 <= lengthBytes;) {
      const [nameBytes, descriptionBytes] = [
        view.getUint32(at, true),
        view.getUint32(at + 4, true),
      ];
      const name = at + 12;
      const description = name + aligned(nameBytes);
      const end = description + descriptionBytes;
      if (end > lengthBytes) throw new DumpFormatError(bytes.path, "its notes are damaged");
      yield {
        name: text(view, name, nameBytes),
        description: new DataView(view.buffer, view.byteOffset + description, descriptionBytes),
      };
      at = description + aligned(descriptionBytes);
    }
  }
}

function text(view: DataView, at: number, lengthBytes: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, Math.min(lengthBytes, 64));
  return new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
}

function aligned(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 4) * 4;
}

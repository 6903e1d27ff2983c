/** Writes ELF cores as QEMU does, independently of the reader: for damage, and for rare shapes. */
export interface CoreShape {
  bits: 32 | 64;
  machine?: number;
  segments: { vaddr?: bigint; paddr: bigint; bytes: Uint8Array; fileBytes?: bigint }[];
  cpus: { cr0: bigint; cr3: bigint; cr4: bigint; csFlags?: number; version?: number }[];
  /** Writes the number of headers to section header 0, as beyond 65534 of them. */
  manyHeaders?: boolean;
}

const SEGMENT_WORDS = 3;

/** The bytes of a core. */
export function buildCore(shape: CoreShape): Uint8Array {
  const wide = shape.bits === 64;
  const headerBytes = wide ? 64 : 52;
  const entryBytes = wide ? 56 : 32;
  const sectionBytes = shape.manyHeaders ? (wide ? 64 : 40) : 0;
  const count = shape.segments.length + 1;
  const notes = concat(shape.cpus.flatMap((cpu) => [prstatus(), qemuNote(cpu)]));
  const notesAt = headerBytes + sectionBytes + count * entryBytes;
  const dataAt = notesAt + notes.length;
  const total = dataAt + shape.segments.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  const word = (at: number, value: bigint) =>
    wide ? view.setBigUint64(at, value, true) : view.setUint32(at, Number(value), true);
  out.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, shape.machine ?? (wide ? 62 : 3), true);
  word(wide ? 32 : 28, BigInt(headerBytes + sectionBytes));
  if (shape.manyHeaders) {
    word(wide ? 40 : 32, BigInt(headerBytes));
    view.setUint32(headerBytes + (wide ? 44 : 28), count, true);
  }
  view.setUint16(wide ? 54 : 42, entryBytes, true);
  view.setUint16(wide ? 56 : 44, shape.manyHeaders ? 0xffff : count, true);
  let at = headerBytes + sectionBytes;
  const header = (type: number, offset: bigint, vaddr: bigint, paddr: bigint, size: bigint) => {
    view.setUint32(at, type, true);
    [offset, vaddr, paddr, size, size].forEach((value, i) =>
      word(wide ? at + 8 + i * 8 : at + 4 + i * 4, value)
    );
    at += entryBytes;
  };
  header(4, BigInt(notesAt), 0n, 0n, BigInt(notes.length));
  out.set(notes, notesAt);
  let data = dataAt;
  for (const { vaddr = 0n, paddr, bytes, fileBytes } of shape.segments) {
    header(1, BigInt(data), vaddr, paddr, fileBytes ?? BigInt(bytes.length));
    out.set(bytes, data);
    data += bytes.length;
  }
  return out;
}

function prstatus(): Uint8Array {
  return note("CORE", 1, new Uint8Array(336));
}

function qemuNote(cpu: CoreShape["cpus"][number]): Uint8Array {
  const state = new Uint8Array(8 + 8 * (16 + 2 + 10 * SEGMENT_WORDS + 5) + 8);
  const view = new DataView(state.buffer);
  view.setUint32(0, cpu.version ?? 1, true);
  view.setUint32(4, state.length, true);
  view.setUint32(8 + 18 * 8 + 8, cpu.csFlags ?? 0, true);
  const cr = 8 + 18 * 8 + 10 * SEGMENT_WORDS * 8;
  [cpu.cr0, 0n, 0n, cpu.cr3, cpu.cr4].forEach((value, i) =>
    view.setBigUint64(cr + i * 8, value, true)
  );
  return note("QEMU", 0, state);
}

function note(name: string, type: number, description: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + 8 + Math.ceil(description.length / 4) * 4);
  const view = new DataView(out.buffer);
  view.setUint32(0, name.length + 1, true);
  view.setUint32(4, description.length, true);
  view.setUint32(8, type, true);
  out.set(new TextEncoder().encode(name), 12);
  out.set(description, 20);
  return out;
}

function concat(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

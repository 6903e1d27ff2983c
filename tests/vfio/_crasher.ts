/** Where the program is loaded. */
const LOAD_ADDRESS = 0x40_0000;
const ELF_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;

/**
 * A program for x86-64 Linux that becomes an unprivileged user and then writes to address 0. Its stack
 * is executable, which the kernel reports once with the program's path.
 */
export function crasher(): Uint8Array {
  const code = [
    ...[0xbf, 0xfe, 0xff, 0x00, 0x00], // mov $65534, %edi
    ...[0xb8, 0x69, 0x00, 0x00, 0x00], // mov $105, %eax: setuid
    ...[0x0f, 0x05], // syscall
    ...[0x31, 0xc0], // xor %eax, %eax
    ...[0x89, 0x00], // mov %eax, (%rax)
  ];
  const headers = ELF_HEADER_BYTES + 2 * PROGRAM_HEADER_BYTES;
  const bytes = new Uint8Array(headers + code.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  view.setUint32(24, LOAD_ADDRESS + headers, true); // entry
  view.setUint32(32, ELF_HEADER_BYTES, true); // program headers
  view.setUint16(52, ELF_HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, 2, true);
  const header = (at: number, type: number, flags: number, size: number, address: number) => {
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    view.setUint32(at + 16, address, true);
    view.setUint32(at + 24, address, true);
    view.setUint32(at + 32, size, true);
    view.setUint32(at + 40, size, true);
    view.setUint32(at + 48, 4096, true);
  };
  header(ELF_HEADER_BYTES, 1, 5, bytes.length, LOAD_ADDRESS); // PT_LOAD, readable and executable
  header(ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES, 0x6474_e551, 7, 0, 0); // PT_GNU_STACK, executable
  bytes.set(code, headers);
  return bytes;
}

/**
 * The bare guest's boot code. It is given to QEMU as the machine's firmware (`-bios`), so the first
 * instruction after reset is ours: no BIOS runs, nothing is probed, and the guest is up in a few
 * milliseconds. Application processors are started at the same page by a start-up IPI, so one piece
 * of code serves them all; what differs between vCPUs and paging modes is in a table of registers.
 */
import type { CpuRegisters } from "../../arch/x86/registers.ts";

/** QEMU takes firmware in multiples of 64 KiB; only the last page of it is used. */
const ROM_BYTES = 0x1_0000;
/** The last page of firmware shows below 1 MiB too: SIPI vector 0xff starts a vCPU there. */
export const CODE_PAGE = 0xf_f000n;
const IN_ROM = ROM_BYTES - 0x1000;

// What lies where in the code page.
const PROTECTED_MODE = 0x100;
const PAGING_ON = 0x200;
const GDT = 0x800;
const GDT_POINTER = 0x840;
const VCPUS = 0x900;
const RESET_VECTOR = 0xff0;

const VCPU_BYTES = 32;
/** The most vCPUs that can be described; more than enough. */
export const MAX_VCPUS = (RESET_VECTOR - VCPUS) / VCPU_BYTES;

const CODE_32 = 0x08;
const CODE_64 = 0x18;
const CR4_PCIDE = 1n << 17n;
const EFER_LMA = 1n << 10n;

/** One instruction: its bytes in hexadecimal, and what they mean. */
type Instruction = [bytes: string, meaning: string];

// SDM vol. 3A, "First Instruction Executed": at F000:FFF0, with a CS base of 0xffff0000. The far jump
// gives CS the base 0xff000 that a started application processor has.
const RESET: Instruction[] = [
  ["ea 00 00 00 ff", "jmp far 0xff00:0x0000"],
];

// Every vCPU begins here, in real mode with CS = 0xff00 (SDM, "MP Initialization Protocol": the SIPI's
// vector 0xff gives the address 0xff000).
const REAL_MODE: Instruction[] = [
  ["fa", "cli"],
  ["2e 66 0f 01 16 40 08", "lgdt cs:[GDT_POINTER]"],
  ["0f 20 c0", "mov eax, cr0"],
  ["0c 01", "or al, 1                      ; PE"],
  ["0f 22 c0", "mov cr0, eax"],
  ["66 ea 00 f1 0f 00 08 00", "jmp far CODE_32:0xff100         ; PROTECTED_MODE"],
];

// SDM, "Switching to Protected Mode" and "Initializing IA-32e Mode": CR4, CR3, EFER, then paging on by
// CR0. The addresses of the local APIC and its commands: SDM, "Issuing Interprocessor Interrupts".
const PROTECTED: Instruction[] = [
  ["66 b8 10 00", "mov ax, 0x10                  ; flat data"],
  ["8e d8", "mov ds, ax"],
  ["8e d0", "mov ss, ax"],
  ["8b 1d 20 00 e0 fe", "mov ebx, [0xfee00020]         ; local APIC id"],
  ["c1 eb 18", "shr ebx, 24                   ; = the vCPU's number"],
  ["75 1e", "jnz +30                       ; only vCPU 0 wakes the others:"],
  ["c7 05 f0 00 e0 fe ff 01 00 00", "mov dword [0xfee000f0], 0x1ff ; enable its APIC"],
  ["c7 05 00 03 e0 fe 00 45 0c 00", "mov dword [0xfee00300], 0xc4500 ; INIT to all others"],
  ["c7 05 00 03 e0 fe ff 46 0c 00", "mov dword [0xfee00300], 0xc46ff ; start them at 0xff000"],
  ["3b 1d f8 f8 0f 00", "cmp ebx, [0xff8f8]            ; the number of vCPUs described"],
  ["72 03", "jb +3"],
  ["f4", "hlt                           ; one too many: stays without paging"],
  ["eb fd", "jmp -3"],
  ["89 de", "mov esi, ebx"],
  ["c1 e6 05", "shl esi, 5                    ; * VCPU_BYTES"],
  ["81 c6 00 f9 0f 00", "add esi, 0xff900              ; VCPUS"],
  ["8b 06", "mov eax, [esi]"],
  ["0f 22 e0", "mov cr4, eax"],
  ["8b 46 04", "mov eax, [esi+4]"],
  ["0f 22 d8", "mov cr3, eax"],
  ["8b 46 08", "mov eax, [esi+8]"],
  ["31 d2", "xor edx, edx"],
  ["b9 80 00 00 c0", "mov ecx, 0xc0000080           ; IA32_EFER"],
  ["0f 30", "wrmsr"],
  ["8b 46 0c", "mov eax, [esi+12]"],
  ["0f 22 c0", "mov cr0, eax"],
  ["ff 6e 10", "jmp far [esi+16]              ; PAGING_ON, in 32-bit or 64-bit code"],
];

// These bytes mean the same in 32-bit and in 64-bit code. CR4.PCIDE may only be set in IA-32e mode
// (SDM 4.10.1), which is why CR4 and CR3 are loaded twice.
const WITH_PAGING: Instruction[] = [
  ["89 f6", "mov esi, esi                  ; clears the upper half of rsi"],
  ["8b 46 18", "mov eax, [esi+24]"],
  ["0f 22 e0", "mov cr4, eax"],
  ["8b 46 1c", "mov eax, [esi+28]"],
  ["0f 22 d8", "mov cr3, eax"],
  ["88 d8", "mov al, bl"],
  ["04 30", "add al, '0'"],
  ["e6 e9", "out 0xe9, al                  ; tells QEMU's debug console: vCPU n is up"],
  ["f4", "hlt"],
  ["eb fd", "jmp -3"],
];

// SDM, "Segment Descriptors". The accessed bits are set already: the CPU would set them, but this is ROM.
const DESCRIPTORS = [
  0n,
  0x00cf_9b00_0000_ffffn, // 0x08: 32-bit code, base 0, 4 GiB
  0x00cf_9300_0000_ffffn, // 0x10: data, base 0, 4 GiB
  0x00af_9b00_0000_ffffn, // 0x18: 64-bit code
];

/**
 * Returns the firmware that brings vCPU 0, 1, … to the given registers and halts them there, each
 * after writing its number as a digit to port 0xe9. Of the registers, CR0, CR3, CR4 and EFER count.
 */
export function bareGuestRom(vcpus: readonly CpuRegisters[]): Uint8Array<ArrayBuffer> {
  const rom = new Uint8Array(ROM_BYTES);
  const page = new DataView(rom.buffer, IN_ROM);
  const put = (at: number, code: Instruction[]) => rom.set(assemble(code), IN_ROM + at);
  put(0, REAL_MODE);
  put(PROTECTED_MODE, PROTECTED);
  put(PAGING_ON, WITH_PAGING);
  put(RESET_VECTOR, RESET);

  DESCRIPTORS.forEach((descriptor, i) => page.setBigUint64(GDT + 8 * i, descriptor, true));
  page.setUint16(GDT_POINTER, 8 * DESCRIPTORS.length - 1, true);
  page.setUint32(GDT_POINTER + 2, Number(CODE_PAGE) + GDT, true);

  page.setUint32(VCPUS - 8, vcpus.length, true);
  vcpus.forEach((registers, i) => {
    const { cr0, cr3, cr4, efer } = registers;
    const withoutPcid = cr4 & CR4_PCIDE ? cr3 & ~0xfffn : cr3;
    const selector = efer & EFER_LMA ? CODE_64 : CODE_32;
    [
      cr4 & ~CR4_PCIDE,
      withoutPcid,
      efer & ~EFER_LMA, // the CPU sets LMA itself
      cr0,
      CODE_PAGE + BigInt(PAGING_ON),
      BigInt(selector),
      cr4,
      cr3,
    ].forEach((value, word) =>
      page.setUint32(VCPUS + VCPU_BYTES * i + 4 * word, Number(value), true)
    );
  });
  return rom;
}

function assemble(code: Instruction[]): number[] {
  return code.flatMap(([bytes]) => bytes.split(" ").map((byte) => parseInt(byte, 16)));
}

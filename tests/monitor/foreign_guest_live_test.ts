/** Guests that are no x86, and what is no monitor's socket: every connection says which it is. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  connect,
  DumpFormatError,
  InvalidArgumentError,
  NoBannerError,
  NotX86Error,
  parseEndpoint,
} from "../../mod.ts";
import { dumpGuest } from "../dump/_same_walks.ts";
import { parseRegisters } from "../../src/monitor/commands/registers.ts";
import { qemuAvailable, startQemu } from "../../src/testing/mod.ts";
import { liveTest } from "../live.ts";

/** The machines that start without an image. */
const MACHINES = [
  ["qemu-system-aarch64", "virt -cpu cortex-a57", "AArch64"],
  ["qemu-system-arm", "virt", "Arm"],
  ["qemu-system-ppc64", "pseries", "PowerPC"],
  ["qemu-system-s390x", "s390-ccw-virtio", "s390x"],
  ["qemu-system-loongarch64", "virt", "LoongArch"],
  ["qemu-system-mips64el", "malta", "MIPS"],
  ["qemu-system-sparc64", "sun4u", "SPARC"],
  ["qemu-system-m68k", "virt", "m68k"],
  ["qemu-system-alpha", "clipper", "Alpha"],
  ["qemu-system-or1k", "or1k-sim", "OpenRISC"],
] as const;

/** Those whose memory QEMU dumps, and is little. */
const DUMPED: readonly string[] = ["qemu-system-aarch64", "qemu-system-arm", "qemu-system-s390x"];

liveTest("a guest that is no x86 is said to be so by every connection", async (t) => {
  for (const [binary, machine, architecture] of MACHINES) {
    await t.step({
      name: binary,
      ignore: await qemuAvailable(binary) === null,
      fn: async () => {
        const folder = await Deno.makeTempDir();
        const listening = ["monitor", "qmp", "gdb"].flatMap((option) => [
          `-${option}`,
          `unix:${folder}/${option},server=on,wait=off`,
        ]);
        await using _qemu = await startQemu([
          ...[
            "-display",
            "none",
            "-nodefaults",
            "-S",
            ...DUMPED.includes(binary) ? ["-m", "64M"] : [],
            "-M",
            ...machine.split(" "),
            ...listening,
          ],
        ], { binary });
        while (!await Deno.stat(`${folder}/gdb`).catch(() => null)) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        for (const endpoint of ["unix:monitor", "qmp:unix:qmp", "gdb:unix:gdb"]) {
          await using guest = await connect(endpoint.replace("unix:", `unix:${folder}/`));
          const error = await assertRejects(() => guest.walk(0x1000n), NotX86Error);
          assertEquals(error.architecture, architecture, endpoint);
          if (endpoint === "unix:monitor" && DUMPED.includes(binary)) {
            await dumpGuest(guest, `${folder}/core`);
            await assertRejects(
              () => connect(`dump:${folder}/core`),
              DumpFormatError,
              `but of ${architecture} (ELF machine`,
            );
          }
        }
        await Deno.remove(folder, { recursive: true });
      },
    });
  }
});

Deno.test("registers of architectures that are not at hand are known by QEMU's words for them", () => {
  for (
    const [text, architecture] of [
      [" PC=0000000040080000 X00=0000000000000000 X01=0000000000000000\n", "AArch64"],
      ["\nCPU#0\n PC=0000000040080000 X00=0000000000000000 X01=0000000000000000\n", "AArch64"],
      // As of a Debian guest, 7.2 and 11.1.
      [
        "\nCPU#0\n PC=000000000040122c X00=0000000000000000 X01=0000000000000080\n" +
        "PSTATE=00001000 ---- EL0t  SVCR=00000000 --  BTYPE=0     FPCR=00000000 FPSR=00000000\n",
        "AArch64",
      ],
      [
        "\nCPU#0\n PC=000000001c000000  FCSR0 0x00000000  fp_status 0x00\n" +
        " GPR00: r0 0000000000000000 r1 0000000000000000\nCRMD=00000000000000a8\n",
        "LoongArch",
      ],
      ["R00=00000000 R01=00000000 R02=00000000 R03=00000000\nPSR=400001d3", "Arm"],
      ["NIP 0000000000000100   LR 0000000000000000 CTR 0000000000000000\n", "PowerPC"],
      ["pc=0xffffffffbfc00000 HI=0x0000000000000000 LO=0x0000000000000000\n", "MIPS"],
      ["pc: 00000000  npc: 00000004\n%g0-3: 00000000\n", "SPARC"],
      // What follows is how 7.2 begins.
      ["\nCPU#0\nPSW=mask 0000000180000000 addr 0000000007e003e8 cc 00\n", "s390x"],
      [
        "\nCPU#0\nD0 = 00000000   A0 = 00000000   F0 = 7fff ffffffffffffffff  (         nan)\n",
        "m68k",
      ],
      ["\nCPU#0\nPC      fffffc0000000000 PS      00\nv0      0000000000000000\n", "Alpha"],
      ["\nCPU#0\nPC=00000000\nR00=00000000 R01=00000000 R02=00000000 R03=00000000\n", "OpenRISC"],
      ["\nCPU#0\nIA_F 00000000f0000080 IA_B 00000000f0000084 IIR 00000000\n", "PA-RISC"],
      ["\nCPU#0\npc=0x00000000 msr=0x00000 mode=kernel(saved=kernel) eip=0 ie=0\n", "MicroBlaze"],
      ["\nCPU#0\npc=0xa0000000 sr=0x700000f0 pr=0x00000000 fpscr=0x00040001\n", "SuperH"],
      ["\nCPU#0\npc=0x00000000 psw=0x00000000\nr0=0x00000000 r1=0x00000000\n", "RX"],
      ["\nCPU#0\nPC: 00000000 PSW: 00000b80 ICR: 00000000\nPCXI: 00000000\n", "TriCore"],
      ["\nCPU#0\n\nPC:    000000\nSP:      0000\nrampD:     00\n", "AVR"],
      ["\nCPU#0\nPC=40004000 CCS=0 btaken=0 btarget=0\n", "CRIS"],
      ["\nCPU#0\nPC=fe000000\n\n        LBEG=00000000         LEND=00000000\n", "Xtensa"],
      ["\nCPU#0\nIN: PC=0 \n     zero=00000000        at=00000000\n", "Nios II"],
    ] as const
  ) {
    const error = assertThrows(() => parseRegisters(text), NotX86Error);
    assertEquals(error.architecture, architecture);
    assertStringIncludes(error.message, `not an x86 guest but ${architecture}`);
  }
});

liveTest("a serial console that shares its port with the monitor is thought of", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using _qemu = await startQemu([
    ...["-display", "none", "-nodefaults", "-S"],
    ...["-serial", `mon:tcp:127.0.0.1:${port},server=on,wait=off`],
  ], { port });
  const error = await assertRejects(
    () => connect(port, { bannerTimeoutMs: 200 }),
    NoBannerError,
    "-serial mon:",
  );
  assertStringIncludes(error.message, "a -monitor of its own");
});

Deno.test("a terminal is no Unix socket, and what to do about it is said", () => {
  for (const text of ["/dev/pts/3", "unix:/dev/pts/3", "unix:/dev/ttyS0", "qmp:unix:/dev/pts/1"]) {
    const error = assertThrows(() => parseEndpoint(text), InvalidArgumentError, "is a terminal");
    assertStringIncludes(error.message, "-monitor unix:PATH,server=on,wait=off");
  }
});

/**
 * Bare guests whose vCPUs are made to leave the guest's own page tables: into system-management mode,
 * and into a nested guest. The machine code is put behind the bare guest's own, in its code page.
 */
import { type BareGuest, bareGuest } from "../../src/testing/bare_guest/bare_guest.ts";
import { type QemuProcess, startQemu } from "../../src/testing/qemu_process.ts";

const CODE_PAGE_IN_ROM = 0xf000;
/** Where the bare guest halts in its code page, and where there is room for more code. */
const ENDS_AT = 0x200 + 20;
const OWN_CODE = 0x400;

/** mov dword [0xfee00300], 0xc4200: an SMI to all others (SDM vol. 3, 10.6.1); then again, for ever. */
const SEND_SMI = "85 db 75 0c c7 05 00 03 e0 fe 00 42 0c 00 eb f4 f4 eb fd";
const SMI_HANDLER_AT = 0x3_8000; // SMBASE is 0x30000 after reset, the entry 0x8000 above (SDM vol. 3, 31.4).
const LOOP = [0xeb, 0xfe];

const VMCB_AT = 0x200_0000;
const NESTED_TABLES_AT = 0x202_0000;
/** Where the nested guest's memory lies in the guest's. */
const NESTED_MEMORY_AT = 0x220_0000;
/** The nested guest's CR3. */
export const NESTED_ROOT = 0x1000;
const NESTED_CODE = 0x5000;

// vCPU 0 sets EFER.SVME, names the area for the host's state, and runs the nested guest (AMD APM vol. 2, 15.5).
const RUN_NESTED = "85 db 75 25 b9 80 00 00 c0 0f 32 0d 00 10 00 00 0f 30 " + // EFER |= SVME
  "b9 17 01 01 c0 b8 00 00 01 02 31 d2 0f 30 " + // VM_HSAVE_PA = 0x2010000
  "b8 00 00 00 02 0f 01 d8 f4 eb fd"; // vmrun VMCB_AT

/** A guest of which vCPU 1 loops in system-management mode, and vCPU 0 runs without paging. */
export function smmGuest(): Promise<RunningRom> {
  const guest = bareGuest("none");
  const handler = { address: SMI_HANDLER_AT, bytes: Uint8Array.from(LOOP) };
  // vCPU 1 may be taken away before it says that it is ready.
  return start({ ...guest, readyBytes: "0" }, SEND_SMI, [handler]);
}

/** A guest of which vCPU 0 loops in a nested guest, and vCPU 1 is on the guest's tables. */
export function nestedGuest(): Promise<RunningRom> {
  const guest = bareGuest("4-level");
  return start(guest, RUN_NESTED, [
    { address: VMCB_AT, bytes: controlBlock() },
    { address: NESTED_TABLES_AT, bytes: tables(NESTED_TABLES_AT, NESTED_MEMORY_AT) },
    { address: NESTED_MEMORY_AT + NESTED_ROOT, bytes: tables(NESTED_ROOT, 0) },
    { address: NESTED_MEMORY_AT + NESTED_CODE, bytes: Uint8Array.from(LOOP) },
  ], ["-cpu", "max,svm=on,npt=on"]);
}

/** Three tables, one behind the other, that map 2 MiB at 0 to `target`: present, writable, user. */
function tables(at: number, target: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(0x3000);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(at + 0x1000) | 7n, true);
  view.setBigUint64(0x1000, BigInt(at + 0x2000) | 7n, true);
  view.setBigUint64(0x2000, BigInt(target) | 0x87n, true);
  return bytes;
}

/** The VMCB of a nested guest in long mode (AMD APM vol. 2, appendix B). */
function controlBlock(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(0x1000);
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number | bigint) => view.setBigUint64(at, BigInt(value), true);
  view.setUint32(0x010, 1, true); // Intercept VMRUN.
  view.setUint32(0x058, 1, true); // ASID.
  put(0x090, 1); // Nested paging.
  put(0x0b0, NESTED_TABLES_AT);
  const segment = (at: number, selector: number, attributes: number) => {
    view.setUint16(0x400 + at, selector, true);
    view.setUint16(0x402 + at, attributes, true);
    view.setUint32(0x404 + at, 0xffff_ffff, true);
  };
  for (const at of [0x00, 0x20, 0x30, 0x40, 0x50]) segment(at, 0x10, 0xc93);
  segment(0x10, 0x08, 0x29b);
  segment(0x90, 0x18, 0x08b);
  put(0x4d0, 0x1d00n); // EFER: NXE, LMA, LME and SVME, without which VMRUN fails.
  put(0x548, 0x20); // CR4: PAE.
  put(0x550, NESTED_ROOT);
  put(0x558, 0x8001_0031n); // CR0: PG, WP, NE, ET, PE.
  put(0x560, 0x400);
  put(0x568, 0xffff_0ff0n);
  put(0x570, 2);
  put(0x578, NESTED_CODE);
  put(0x668, 0x0007_0406_0007_0406n);
  return bytes;
}

/** A running guest, its monitor's port, and what it was made of. */
export interface RunningRom extends AsyncDisposable {
  readonly guest: BareGuest;
  readonly monitorPort: number;
  readonly qmpPort: number;
  readonly gdbPort: number;
  readonly process: QemuProcess;
}

async function start(
  guest: BareGuest,
  code: string,
  pieces: readonly { address: number; bytes: Uint8Array<ArrayBuffer> }[],
  extraArgs: readonly string[] = [],
): Promise<RunningRom> {
  await using cleanup = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: "pagewalk-own-rom-" });
  cleanup.defer(() => Deno.remove(directory, { recursive: true }));
  const paths = guest.images.map(({ name }) => `${directory}/${name}`);
  const [rom] = guest.images;
  const own = code.split(" ").map((byte) => parseInt(byte, 16));
  rom!.bytes.set(own, CODE_PAGE_IN_ROM + OWN_CODE);
  // jmp rel32 from where it would halt.
  const jump = new DataView(rom!.bytes.buffer, CODE_PAGE_IN_ROM + ENDS_AT);
  if (jump.getUint8(0) !== 0xf4) throw new Error("The bare guest does not halt where it did");
  jump.setUint8(0, 0xe9);
  jump.setInt32(1, OWN_CODE - ENDS_AT - 5, true);
  await Promise.all(guest.images.map(({ bytes }, i) => Deno.writeFile(paths[i]!, bytes)));
  const loaders = await Promise.all(pieces.map(async ({ address, bytes }, i) => {
    await Deno.writeFile(`${directory}/piece${i}`, bytes);
    return ["-device", `loader,file=${directory}/piece${i},addr=${address},force-raw=on`];
  }));
  const ports = Array.from({ length: 3 }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const [monitorPort, qmpPort, gdbPort] = ports.map(({ addr }) => addr.port);
  for (const port of ports) port.close();
  const process = await startQemu([
    ...guest.qemuArgs(paths),
    ...loaders.flat(),
    ...extraArgs,
    ...["-debugcon", "stdio", "-monitor", `tcp:127.0.0.1:${monitorPort},server=on,wait=off`],
    ...["-qmp", `tcp:127.0.0.1:${qmpPort},server=on,wait=off`, "-gdb", `tcp:127.0.0.1:${gdbPort}`],
  ], { readyBytes: guest.readyBytes });
  cleanup.use(process);
  const owned = cleanup.move();
  return {
    ...{ guest, process, monitorPort: monitorPort!, qmpPort: qmpPort!, gdbPort: gdbPort! },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

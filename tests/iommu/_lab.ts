import { assert, assertEquals } from "@std/assert";
import { connect, type ConnectOptions, formatAddress, type Session } from "../../mod.ts";
import { deviceMappings, groupDevices, type GuestDevice } from "../../src/entries/devices.ts";
import { netTo, runExample } from "../examples/_run.ts";
import type { LabGuest } from "../lab/mod.ts";

/** What may be mapped in the lab: devices' own memory ends below, a huge page lies higher. */
export const LOW_IOVAS = { start: 0n, lengthBytes: 20 << 20 } as const;
export const HUGE_IOVA = 0x4000_0000n;

/** QEMU's arguments for one more monitor: one client at a time talks to each. */
export const SECOND_MONITOR = ["-monitor", "unix:{folder}/second.sock,server=on,wait=off"];

/** Connects to it. */
export function connectSecond(lab: LabGuest, options: ConnectOptions = {}): Promise<Session> {
  return connect(`unix:${lab.folder}/second.sock`, options);
}

/** Every page that a device's tables map: IOVA and physical address, by 4 KiB. */
export async function pagesOf(guest: Session, device: GuestDevice): Promise<Map<bigint, bigint>> {
  const pages = new Map<bigint, bigint>();
  for await (const record of deviceMappings(guest.memory, device, {}, { contiguous: true })) {
    assert(record.kind === "mapping", record.kind);
    for (let at = 0n; at < BigInt(record.lengthBytes); at += 4096n) {
      pages.set(record.address + at, record.physicalAddress! + at);
    }
  }
  return pages;
}

/** Compares a device's tables with what the guest's IOMMU driver says of every page of a range. */
export async function compare(
  lab: LabGuest,
  guest: Session,
  device: GuestDevice,
  range: { start: bigint; lengthBytes: number } = LOW_IOVAS,
): Promise<number> {
  const ours = await pagesOf(guest, device);
  const kernels = await lab.iovas(device.requesterId, range.start, range.lengthBytes);
  const lines = (pairs: Iterable<readonly bigint[]>) =>
    Array.from(pairs, (pair) => pair.map((address) => formatAddress(address)).join(" "));
  assertEquals(lines(ours), lines(kernels.map((line) => [line.iova, line.physicalAddress])));
  return ours.size;
}

/** The same for all domains: how many pages there are. */
export async function compareAll(lab: LabGuest, guest: Session): Promise<number> {
  const { devices, problems } = await (await guest.iommu()).devices();
  assertEquals(problems, []);
  let pages = 0;
  for (const { devices: [first] } of groupDevices(devices)) {
    if (first.state === "translated") pages += await compare(lab, guest, first);
  }
  return pages;
}

/** A huge page that VFIO maps is reached as the kernel says, by one entry of its size. */
export async function checkHugePage(
  lab: LabGuest,
  guest: Session,
  pageSizeBytes: number | null,
): Promise<void> {
  const huge = lab.fact("huge");
  const iova = formatAddress(HUGE_IOVA);
  await lab.request(`dma-map ${formatAddress(huge.address)} ${iova} ${huge.lengthBytes}`);
  const device = await (await guest.iommu()).device("00:03.0");
  const reached = await pagesOf(guest, device);
  const kernels = await lab.iovas(0x18, HUGE_IOVA, huge.lengthBytes);
  for (const { iova, physicalAddress } of kernels) {
    assertEquals(reached.get(iova), physicalAddress, formatAddress(iova));
  }
  assertEquals(kernels.length, huge.lengthBytes / 4096);
  if (pageSizeBytes !== null) {
    const found = await guest.iova("00:03.0", HUGE_IOVA + 0x12_3456n);
    assert(found.outcome === "mapped");
    assertEquals(found.pageSizeBytes, pageSizeBytes);
    assertEquals(found.physicalAddress, kernels[0x123]!.physicalAddress + 0x456n);
  }
  await lab.request(`dma-unmap ${iova} ${huge.lengthBytes}`);
  assertEquals(await compare(lab, guest, await (await guest.iommu()).device("00:03.0")), 256);
}

/** All cleared: both sides agree. A page that is replaced under the live mapping is told. */
export async function checkBothSides(lab: LabGuest): Promise<void> {
  async function run(): Promise<[number, string]> {
    const { code, stdout, stderr } = await runExample(
      "verify_vfio.ts",
      [`${lab.monitorPort}`],
      { permissions: netTo(lab.monitorPort) },
    );
    return [code, stdout + stderr];
  }
  await lab.clear(0, 256);
  const [passed, all] = await run();
  assert(all.includes("; 256 of 256 pages that devices reach pass; not looked at: "), all);
  assertEquals(passed, 0);

  const at = lab.address(7);
  const [before] = await lab.iovas(0x18, 0x7000n, 4096);
  await lab.unmap(at, 4096);
  await lab.map(at, 4096);
  await lab.clear(7);
  const [failed, text] = await run();
  const [now] = await lab.pagemap(7);
  const where = `IOVA 0x7000, 4 KiB of 00:03.0, ${
    formatAddress(at)
  } (pid ${lab.target.pid} target)`;
  const frames = [before!.physicalAddress, frameOf(now!)].map((frame) => formatAddress(frame));
  assert(
    text.includes(
      `${where}: fail: the device reaches frame ${frames[0]}, the process's address leads to ${
        frames[1]
      }`,
    ),
    text,
  );
  const counts = "256 of 256 pinned pages pass; 255 of 256 pages that devices reach pass";
  assert(text.includes(counts), text);
  assertEquals(failed, 1);
}

/** The frame of a line of `/proc/PID/pagemap`. */
export function frameOf({ raw }: { raw: bigint }): bigint {
  return (raw & ((1n << 55n) - 1n)) * 4096n;
}

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connect, formatAddress, isBacked, MonitorMemory, type Session } from "../../mod.ts";
import { groupDevices, type GuestDevices } from "../../src/entries/devices.ts";
import { runExample } from "../examples/_run.ts";
import { checkLines } from "../json/_schema.ts";
import { type LabGuest, labTest, startLab } from "../lab/mod.ts";
import { CountingProxy } from "./_counting_proxy.ts";
import {
  checkBothSides,
  checkHugePage,
  compare,
  compareAll,
  connectSecond,
  SECOND_MONITOR,
} from "./_lab.ts";

/** A device on a bus of PCI, which is behind a bridge from PCI Express. */
const BEHIND_BRIDGE = [
  ...["-device", "pcie-pci-bridge,id=bridge,bus=pcie.0,addr=5"],
  ...["-device", "edu,bus=bridge,addr=4"],
];

Deno.test(
  await labTest("what devices reach is what the kernel says, VT-d", "4-level", async (t) => {
    const qemuArguments = [...BEHIND_BRIDGE, ...SECOND_MONITOR];
    await using lab = await startLab("4-level", { qemuArguments });
    await using guest = await connectSecond(lab);
    await t.step("a bridge, its alias and the device behind it share a domain", async () => {
      const iommu = await guest.iommu();
      const group = groupDevices((await iommu.devices()).devices).find(({ devices }) =>
        devices.some(({ device }) => device === "01:04.0")
      );
      assertEquals(group?.devices.map(({ device, name }) => [device, name.split(":")[0]]), [
        ["00:05.0", "PCI bridge"],
        ["01:00.0", "no device"],
        ["01:04.0", "Class 0255"],
      ]);
      const log = await lab.shell("dmesg | grep -c 'Enabled IRQ remapping'");
      assertEquals(await iommu.interruptsRemapped(), log.trim() === "1");
    });
    await t.step("every page of every domain, by the register and by Linux's records", async () => {
      const byRegister = await (await guest.iommu()).devices();
      const pages = await compareAll(lab, guest);
      await using other = await connect(lab.monitorPort, { mmio: false });
      const byLinux = await (await other.iommu()).devices();
      assertEquals([byRegister.problems, byLinux.problems], [[], []]);
      const shape = ({ devices }: GuestDevices) =>
        devices.map(({ device, state, domain, regime }) => [device, state, domain, regime?.root]);
      assertEquals(byLinux.units, byRegister.units.map((unit) => ({ ...unit, source: "linux" })));
      assertEquals(shape(byLinux), shape(byRegister));
      assert(byRegister.devices.every(({ state }) => state === "translated"));
      assert(pages > 256);
      console.log(`${byRegister.devices.length} devices, ${pages} pages: no difference`);
    });
    await t.step("one address, level by level; a huge page; what is gone again", async () => {
      const [first] = await lab.iovas(0x18, 0x7000n, 4096);
      const walk = await guest.iova("00:03.0", 0x7123n);
      assert(walk.outcome === "mapped");
      assertEquals(walk.physicalAddress, first!.physicalAddress + 0x123n);
      assertEquals(walk.steps.length, 3);
      assertEquals((await guest.iova("00:03.0", 0x4000_0000n)).outcome, "notPresent");
      await checkHugePage(lab, guest, 2 << 20);
    });
    await t.step("all scripts read one register, and nothing else outside RAM", async () => {
      await checkScripts(lab, guest);
    });
    await t.step("verify_vfio.ts holds both sides together without being asked", async () => {
      await checkBothSides(lab);
    });
    await t.step("a device that is plugged in is listed", () => checkHotplug(lab, guest));
  }),
);

/** A device that the machine did not have: none of its DMA gets through before the guest sets something up. */
async function checkHotplug(lab: LabGuest, guest: Session): Promise<void> {
  const find = async () =>
    (await (await guest.iommu()).devices()).devices.find(({ device }) => device === "01:07.0");
  assertEquals(await find(), undefined);
  const plug = "device_add edu,id=plugged,bus=bridge,addr=7";
  assertEquals(await guest.monitor.command(plug, { allowUnsafe: [plug, "device_add"] }), "");
  const found = await find();
  assert(found !== undefined && found.state !== "unknown");
  if (found.state === "translated") await compare(lab, guest, found);
  else assertEquals(found.reason, "its IOMMU has no entry for it");
}

/** Each script at a proxy that keeps all it asks for; then what they printed. */
async function checkScripts(lab: LabGuest, guest: Session): Promise<void> {
  const registers = async () => await guest.monitor.command("xp /140wx 0xfed90000");
  await using proxy = new CountingProxy(lab.monitorPort);
  const { folder } = lab;
  const huge = lab.fact("huge");
  const mapHuge = `dma-map ${formatAddress(huge.address)} 0x40000000 ${huge.lengthBytes}`;
  async function run(script: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runExample(script, args, {
      permissions: [
        `--allow-net=127.0.0.1:${proxy.port}`,
        `--allow-read=${folder}`,
        `--allow-write=${folder}`,
      ],
    });
    const differs = script === "diff.ts" || script === "verify_vfio.ts" ? 1 : 0;
    assertEquals([code, stderr.replaceAll(/^note: .*\n/gm, "")], [differs, ""], stdout);
    return stdout;
  }
  const port = `${proxy.port}`;
  const device = ["--device", "00:03.0"];
  const kernels = await lab.iovas(0x18, 0n, 1 << 20);

  const file = `${folder}/device.pwsnap`;
  await run("snapshot.ts", port, file, ...device);
  await lab.request(mapHuge);
  const changes = await run("diff.ts", file, port, ...device);
  await lab.request(`dma-unmap 0x40000000 ${huge.lengthBytes}`);
  assertMatch(changes, /^\+ 0x0*40000000 .*\n1 appeared, 0 vanished, 0 changed$/m);
  // From here on the guest does nothing that its unit hears of, such as taking a mapping away.
  const before = await registers();
  const text = await run("iommu.ts", port, "--device", "03.0");
  assertStringIncludes(text, "0x0000000000000000-0x00000000000fffff     1 MiB  4 KiB -rw-");
  const json = await run("iommu.ts", port, ...device, "--iova", "0x1000+0x2000", "--json");
  const runs = checkLines("iommu.ts", json).filter(({ kind }) => kind === "mapping");
  assertEquals(runs.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0), 0x2000);
  assertEquals(runs[0], {
    ...{ kind: "mapping", device: "00:03.0", domain: runs[0].domain, iova: "0x1000" },
    physicalAddress: formatAddress(kernels[1]!.physicalAddress),
    ...{ lengthBytes: runs[0].lengthBytes, pageSizeBytes: 4096 },
    pages: runs[0].lengthBytes / 4096,
    ...{ read: true, write: true },
  });
  const csv = (await run("iommu.ts", port, "--device", "1f.0", "--csv")).trim().split("\n");
  assertEquals(
    csv[0],
    "kind,device,domain,iova,physicalAddress,lengthBytes,pageSizeBytes,read,write",
  );
  assertMatch(csv[1]!, /^mapping,00:1f\.0,\d+,0x0,0x0,16777216,4096,1,1$/);

  const rows = await run("mappings.ts", port, ...device, "--pages", "--json");
  assertEquals(
    checkLines("mappings.ts", rows).map(({ address, physicalAddress }) => [
      address,
      physicalAddress,
    ]),
    kernels.map(({ iova, physicalAddress }) =>
      [iova, physicalAddress].map((a) => formatAddress(a))
    ),
  );
  const frame = formatAddress(kernels[7]!.physicalAddress);
  assertMatch(await run("aliases.ts", port, frame, ...device), /^0x0*7000 /);
  const watched = await run("watch_pte.ts", port, "0x7000", "--for", "2000", ...device);
  assertStringIncludes(watched, "mapped: SL-PT entry ");
  assertStringIncludes(await run("audit.ts", port, ...device), "0 high, 0 medium, 0 low");
  assertMatch(await run("audit.ts", port, "--dma"), /^0 high, 0 medium, \d+ low$/m);
  const owner = `mapped by pid ${lab.target.pid} target at ${formatAddress(lab.address(7))}`;
  assertStringIncludes(await run("frame.ts", port, frame), owner);
  await run("report.ts", port, "--devices", "--comm", "target", "-o", `${folder}/report.html`);
  assertStringIncludes(
    await run("verify_vfio.ts", port),
    "240 of 256 pages that devices reach pass",
  );
  const repl = "../repl.ts";
  const code = 'console.log((await iova("00:03.0", 0x7123)).physicalAddress === ' +
    `${kernels[7]!.physicalAddress + 0x123n}n)`;
  assertStringIncludes(await run(repl, port, "--eval", code), "true");

  assertEquals(await registers(), before);
  assert(guest.memory instanceof MonitorMemory);
  const ranges = await guest.memory.ranges();
  const { reads } = proxy;
  const outside = reads.filter(({ address, lengthBytes }) =>
    !isBacked(ranges, address, lengthBytes)
  );
  assertEquals([...new Set(outside.map(({ command }) => command))], ["xp /2wx 0xfed90020"]);
  const others = proxy.commands.filter((command) => !/^(?:xp|info) /.test(command));
  assertEquals(others, []);
  assert(reads.length > 500);

  // Without leave, no register is read, by none of those that could.
  const from = proxy.commands.length;
  await run("iommu.ts", port, "--no-mmio", "--devices");
  await run("verify_vfio.ts", port, "--no-mmio");
  await run("audit.ts", port, "--dma", "--no-mmio");
  await run("mappings.ts", port, "--no-mmio", ...device);
  await run(repl, port, "--no-mmio", "--eval", code);
  assertEquals(proxy.commands.slice(from).filter((command) => command.includes("0xfed9")), []);
  console.log(`${reads.length} reads, ${outside.length} of them of RTADDR, no other outside RAM`);
}

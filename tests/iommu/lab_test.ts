import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkLines } from "../json/_schema.ts";
import {
  AddressSpace,
  connect,
  type ConnectOptions,
  type Finding,
  formatAddress,
  isBacked,
  MonitorMemory,
  parseRecording,
  type Session,
} from "../../mod.ts";
import {
  deviceMappings,
  groupDevices,
  type GuestDevices,
  parseDeviceId,
  readFrameReport,
  readFrameState,
} from "../../src/entries/devices.ts";
import type { LinuxGuest } from "../../src/entries/linux.ts";
import { netTo, runExample } from "../examples/_run.ts";
import { LAB_PRESETS, type LabGuest, labTest, startLab } from "../lab/mod.ts";

/** A device on a bus of PCI, which is behind a bridge from PCI Express. */
const BEHIND_BRIDGE = [
  ...["-device", "pcie-pci-bridge,id=bridge,bus=pcie.0,addr=5"],
  ...["-device", "edu,bus=bridge,addr=4"],
];

/** Every page that a device's tables map: IOVA and physical address, by 4 KiB. */
async function pagesOf(guest: Session, device: string): Promise<Map<bigint, bigint>> {
  const pages = new Map<bigint, bigint>();
  const found = await (await guest.iommu()).device(device);
  for await (const record of deviceMappings(guest.memory, found, {}, { contiguous: true })) {
    assertEquals(record.kind, "mapping");
    if (record.kind !== "mapping") continue;
    for (let at = 0n; at < BigInt(record.lengthBytes); at += 4096n) {
      pages.set(record.address + at, record.physicalAddress! + at);
    }
  }
  return pages;
}

/** Compares a device's tables with what the guest's IOMMU driver says of every page of a range. */
async function compare(
  lab: LabGuest,
  guest: Session,
  device: string,
  range: { start: bigint; lengthBytes: number },
): Promise<number> {
  const ours = await pagesOf(guest, device);
  const kernels = await lab.iovas(parseDeviceId(device), range.start, range.lengthBytes);
  assertEquals(
    [...ours].map((pair) => pair.map((address) => formatAddress(address)).join(" ")),
    kernels.map((line) => [line.iova, line.physicalAddress].map((a) => formatAddress(a)).join(" ")),
  );
  return ours.size;
}

Deno.test(
  await labTest("what devices reach is what the kernel says", "4-level", async (t) => {
    await using lab = await startLab("4-level", { ramFile: true, qemuArguments: BEHIND_BRIDGE });
    await t.step("a bridge, its alias and the device behind it share a domain", async () => {
      const { devices } = await asked(lab, {}, async (guest) => (await guest.iommu()).devices());
      const group = groupDevices(devices).find((group) =>
        group.devices.some(({ device }) => device === "01:04.0")
      );
      assertEquals(
        group?.devices.map(({ device, name }) => [device, name.split(":")[0]]),
        [
          ["00:05.0", "PCI bridge"],
          ["01:00.0", "no device"],
          ["01:04.0", "Class 0255"],
        ],
      );
      const remapped = await asked(
        lab,
        {},
        async (guest) => (await guest.iommu()).interruptsRemapped(),
      );
      const log = await lab.shell("dmesg | grep -c 'Enabled IRQ remapping'");
      assertEquals(remapped, log.trim() === "1");
    });
    await t.step("every page of every domain, by the register and by Linux's records", async () => {
      const [byRegister, pages] = await asked(lab, {}, async (guest) => {
        const found = await (await guest.iommu()).devices();
        let pages = 0;
        for (const { devices: [{ device }] } of groupDevices(found.devices)) {
          pages += await compare(lab, guest, device, { start: 0n, lengthBytes: 20 << 20 });
        }
        return [found, pages] as const;
      });
      const byLinux = await asked(
        lab,
        { mmio: false },
        async (guest) => await (await guest.iommu()).devices(),
      );
      assertEquals([byRegister.problems, byLinux.problems], [[], []]);
      const shape = ({ devices }: GuestDevices) =>
        devices.map(({ device, state, domain, regime }) => [device, state, domain, regime?.root]);
      assertEquals(byLinux.units, byRegister.units.map((unit) => ({ ...unit, source: "linux" })));
      assertEquals(shape(byLinux), shape(byRegister));
      assert(byRegister.devices.every(({ state }) => state === "translated"));
      assert(pages > 256);
      console.log(`${byRegister.devices.length} devices, ${pages} pages: no difference`);
    });

    await t.step("one register is read, and no other address outside RAM", () => countReads(lab));

    await t.step("one address, level by level; a huge page; what is gone again", async () => {
      await using guest = await connect(lab.monitorPort);
      const [first] = await lab.iovas(0x18, 0x7000n, 4096);
      const walk = await guest.iova("00:03.0", 0x7123n);
      assert(walk.outcome === "mapped");
      assertEquals(walk.physicalAddress, first!.physicalAddress + 0x123n);
      assertEquals(walk.steps.length, 3);
      assertEquals((await guest.iova("00:03.0", 0x4000_0000n)).outcome, "notPresent");

      const huge = lab.fact("huge");
      await lab.request(`dma-map 0x${huge.address.toString(16)} 0x40000000 ${huge.lengthBytes}`);
      const large = await guest.iova("00:03.0", 0x4012_3456n);
      assert(large.outcome === "mapped");
      assertEquals(large.pageSizeBytes, 2 << 20);
      const [line] = await lab.iovas(0x18, 0x4012_3000n, 4096);
      assertEquals(large.physicalAddress, line!.physicalAddress + 0x456n);
      await lab.request(`dma-unmap 0x40000000 ${huge.lengthBytes}`);
      assertEquals(await compare(lab, guest, "00:03.0", { start: 0n, lengthBytes: 2 << 20 }), 256);
    });

    await t.step("the script, as text, JSON and CSV", () => checkScript(lab));

    await t.step("scripts take a device's tables as a process's", () => checkDeviceChoice(lab));

    await t.step("frames: pins as the kernel has them, owners as processes do", async () => {
      await using guest = await connect(lab.monitorPort);
      await checkPins(lab, await guest.linux());
      await checkOwners(lab, guest);
    });

    await t.step(
      "verify_vfio.ts holds both sides together without being asked",
      () => checkBothSides(lab),
    );

    // The last one: a child that is forked leaves the target's entries write-protected.
    await t.step("the audit finds what devices can write, and nothing without cause", async () => {
      await checkAudit(lab);
    });
  }),
);

/** Lists all devices and all they reach, and looks at every command that was sent. */
async function countReads(lab: LabGuest): Promise<void> {
  const path = `${lab.folder}/iommu.recording`;
  const registers = () =>
    asked(lab, {}, async ({ monitor }) => await monitor.command("xp /140wx 0xfed90000"));
  const before = await registers();
  const ranges = await asked(lab, { record: path }, async (guest) => {
    for (const { device } of (await (await guest.iommu()).devices()).devices) {
      await pagesOf(guest, device);
    }
    assert(guest.memory instanceof MonitorMemory);
    return await guest.memory.ranges();
  });
  assertEquals(await registers(), before);
  const commands = parseRecording(await Deno.readTextFile(path)).exchanges.map(({ command }) =>
    command
  );
  const reads = commands.filter((command) => !command.startsWith("info "));
  const outside = reads.filter((command) => {
    const [, count, unit, address] = /^xp \/(\d+)([bwg])x (0x[0-9a-f]+)$/.exec(command)!;
    return !isBacked(ranges, BigInt(address!), Number(count) * { b: 1, w: 4, g: 8 }[unit as "b"]);
  });
  assertEquals([...new Set(outside)], ["xp /2wx 0xfed90020"]);
  const listed = await asked(lab, { record: `${path}2`, mmio: false }, async (guest) => {
    return await (await guest.iommu()).devices();
  });
  assert(listed.devices.length > 0);
  const without = await Deno.readTextFile(`${path}2`);
  assertEquals([...without.matchAll(/xp [^"]*0xfed9/g)].length, 0);
  console.log(`${reads.length} reads, ${outside.length} of them of RTADDR, no other outside RAM`);
}

for (const [feature, mode] of [["scalable", "scalable"], ["iommu-pt", "legacy"]] as const) {
  Deno.test(
    await labTest(`what devices reach is what the kernel says, ${feature}`, "4-level", async () => {
      const preset = { ...LAB_PRESETS["4-level"], features: [feature] };
      await using lab = await startLab(preset);
      await using guest = await connect(lab.monitorPort);
      const { units: [unit], devices, problems } = await (await guest.iommu()).devices();
      assertEquals(problems, []);
      assertEquals(unit!.root >> 10n & 3n, mode === "scalable" ? 1n : 0n);
      const states = new Set(
        devices.filter(({ device }) => device !== "00:03.0").map(({ state }) => state),
      );
      assertEquals([...states], [feature === "iommu-pt" ? "passThrough" : "translated"]);
      const rules = (await Array.fromAsync(guest.auditDma())).filter(({ severity }) =>
        severity !== "low"
      ).map(({ rule, evidence }) => `${rule} ${evidence.devices}`);
      const passing = groupDevices(devices.filter(({ state }) => state === "passThrough"));
      assertEquals(
        rules,
        passing.map((group) => `dma-pass-through ${group.devices.map(({ device }) => device)}`),
      );
      const range = { start: 0n, lengthBytes: 20 << 20 };
      let pages = 0;
      for (const { devices: [{ device, state }] } of groupDevices(devices)) {
        if (state === "translated") pages += await compare(lab, guest, device, range);
      }
      assert(pages >= 256);
      console.log(`${feature}: ${devices.length} devices, ${pages} pages: no difference`);
    }),
  );
}

Deno.test(
  await labTest("what devices reach is what the kernel says, AMD-Vi", "amd", async () => {
    await using lab = await startLab("amd", { bootTimeoutMs: 300_000 });
    const range = { start: 0n, lengthBytes: 20 << 20 };
    const pages = await asked(lab, {}, async (guest) => {
      const { units: [unit], devices, problems } = await (await guest.iommu()).devices();
      assertEquals([unit!.kind, unit!.source, problems], ["amdvi", "register", []]);
      let pages = 0;
      for (const { devices: [{ device, state }] } of groupDevices(devices)) {
        if (state === "translated") pages += await compare(lab, guest, device, range);
      }
      console.log(`AMD-Vi: ${devices.length} devices, ${pages} pages: no difference`);
      return pages;
    });
    assert(pages >= 256);
    const byLinux = await asked(lab, { mmio: false }, async (guest) => {
      return await pagesOf(guest, "00:03.0");
    });
    assertEquals(byLinux.size, 256);
    // A huge page is one entry of next level 7, or several.
    const huge = lab.fact("huge");
    await lab.request(`dma-map 0x${huge.address.toString(16)} 0x40000000 ${huge.lengthBytes}`);
    const large = { start: 0x4000_0000n, lengthBytes: huge.lengthBytes };
    const [line] = await lab.iovas(0x18, large.start, large.lengthBytes);
    await asked(lab, {}, async (guest) => {
      const walk = await guest.iova("00:03.0", 0x4012_3456n);
      assert(walk.outcome === "mapped");
      assertEquals(walk.physicalAddress, line!.physicalAddress + 0x12_3456n);
    });
    await lab.request(`dma-unmap 0x40000000 ${huge.lengthBytes}`);
    await checkBothSides(lab);
  }),
);

/** Connects for as long as something is asked: the monitor serves one client at a time. */
async function asked<T>(
  lab: LabGuest,
  options: ConnectOptions,
  ask: (guest: Session) => Promise<T>,
): Promise<T> {
  await using guest = await connect(lab.monitorPort, options);
  return await ask(guest);
}

async function checkScript(lab: LabGuest): Promise<void> {
  async function run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await runExample(
      "iommu.ts",
      [`${lab.monitorPort}`, ...args],
      { permissions: netTo(lab.monitorPort) },
    );
    assertEquals([code, stderr], [0, ""]);
    return stdout;
  }
  const text = await run("--device", "03.0");
  assert(text.includes("00:03.0 "), text);
  assert(text.includes("0x0000000000000000-0x00000000000fffff     1 MiB  4 KiB -rw-"), text);
  const records = checkLines(
    "iommu.ts",
    await run("--device", "00:03.0", "--iova", "0x1000+0x2000", "--json"),
  );
  const runs = records.filter(({ kind }) => kind === "mapping");
  const expected = await lab.iovas(0x18, 0x1000n, 0x2000);
  assertEquals(runs.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0), 0x2000);
  assertEquals(runs[0], {
    kind: "mapping",
    device: "00:03.0",
    domain: runs[0].domain,
    address: "0x1000",
    physicalAddress: formatAddress(expected[0]!.physicalAddress),
    lengthBytes: runs[0].lengthBytes,
    pageSizeBytes: 4096,
    pages: runs[0].lengthBytes / 4096,
    effective: { readable: true, writable: true },
  });
  const csv = (await run("--device", "1f.0", "--csv")).trim().split("\n");
  assertEquals(csv.slice(0, 2), [
    "kind,device,domain,iova,physicalAddress,lengthBytes,pageSizeBytes,read,write",
    `mapping,00:1f.0,${csv[1]!.split(",")[2]},0x0,0x0,16777216,4096,1,1`,
  ]);
}

/** `--device` of the scripts that take `--pid`; a page that is unmapped is a difference. */
async function checkDeviceChoice(lab: LabGuest): Promise<void> {
  const file = `${lab.folder}/device.pwsnap`;
  async function run(script: string, ...args: string[]): Promise<[number, string]> {
    const result = await runExample(script, [...args, "--device", "00:03.0"], {
      permissions: [
        ...netTo(lab.monitorPort),
        `--allow-read=${lab.folder}`,
        `--allow-write=${lab.folder}`,
      ],
    });
    return [result.code, result.stdout + result.stderr];
  }
  const monitor = `${lab.monitorPort}`;
  const [listed, rows] = await run("mappings.ts", monitor, "--pages", "--json");
  assertEquals(listed, 0, rows);
  const pages = checkLines("mappings.ts", rows);
  const kernels = await lab.iovas(0x18, 0n, 1 << 20);
  assertEquals(
    pages.map(({ address, physicalAddress }) => [address, physicalAddress]),
    kernels.map(({ iova, physicalAddress }) =>
      [iova, physicalAddress].map((a) => formatAddress(a))
    ),
  );
  assertEquals((await run("snapshot.ts", monitor, file))[0], 0);
  const huge = lab.fact("huge");
  await lab.request(`dma-map 0x${huge.address.toString(16)} 0x40000000 ${huge.lengthBytes}`);
  const [differs, changes] = await run("diff.ts", file, monitor);
  await lab.request(`dma-unmap 0x40000000 ${huge.lengthBytes}`);
  assertEquals(differs, 1, changes);
  assertMatch(changes, /^\+ 0x0*40000000 .*\n1 appeared, 0 vanished, 0 changed$/m);
  const [, watched] = await run("watch_pte.ts", monitor, "0x7000", "--for", "3000");
  assertStringIncludes(watched, "mapped: SL-PT entry ");
  assertEquals((await run("audit.ts", monitor))[1].split("\n").at(-2), "0 high, 0 medium, 0 low");
}

/**
 * As it is, nothing but what Linux maps for floppy drives; then memory of a process that is gone; then an entry
 * of the device's tables that the host turns to the kernel's text, and to a page table of the process.
 */
async function checkAudit(lab: LabGuest): Promise<void> {
  async function audited(): Promise<Finding[]> {
    return await asked(lab, {}, (guest) => Array.fromAsync(guest.auditDma()));
  }
  const before = await audited();
  assertEquals(before.filter(({ severity }) => severity !== "low"), []);
  for (const { rule, evidence, message } of before) {
    const isShared = rule === "dma-shared-frame" && evidence.devices!.length > 1;
    assert(isShared || message.includes("for floppy drives"), message);
  }
  const at = formatAddress(lab.fact("zero").address);
  const [line] = await lab.request(`dma-child ${at} 0x40000000 4096 exit`);
  const [, child] = line!.match(/^CHILD pid=(\d+)$/)!;
  const entry = await asked(lab, {}, async (guest) => {
    const walk = await guest.iova("00:03.0", 0x7000n);
    const linux = await guest.linux();
    return {
      address: walk.steps.at(-1)!.address,
      raw: walk.steps.at(-1)!.raw,
      text: (await new AddressSpace(guest.memory, linux.context).translate(linux.text))!,
    };
  });
  const table = (await lab.dump(0)).at(-1)!.entryAddress & ~0xfffn;
  using ram = await Deno.open(lab.ramFile!, { write: true });
  async function write(raw: bigint): Promise<void> {
    const bytes = new Uint8Array(new BigUint64Array([raw]).buffer);
    await ram.seek(entry.address, Deno.SeekMode.Start);
    assertEquals(await ram.write(bytes), 8);
  }
  async function found(): Promise<string[]> {
    const high = (await audited()).filter(({ severity }) => severity !== "low");
    return high.map(({ rule, address, lengthBytes }) =>
      `${rule} ${formatAddress(address)} ${lengthBytes}`
    );
  }
  const gone = "dma-owner-gone 0x40000000 4096";
  try {
    await write(entry.text | 3n);
    assertEquals(await found(), ["dma-writes-kernel-text 0x7000 4096", gone]);
    await write(table | 3n);
    assertEquals(await found(), ["dma-writes-page-table 0x7000 4096", gone]);
    const { code, stdout } = await runExample(
      "audit.ts",
      [`${lab.monitorPort}`, "--dma", "--show", "medium"],
      { permissions: netTo(lab.monitorPort) },
    );
    assertEquals(code, 1);
    const whose = `the page tables of pid ${lab.target.pid} target (PT)`;
    assertStringIncludes(stdout, `00:03.0 can write ${whose}`);
    assertStringIncludes(stdout, `00:03.0 reaches memory of pid ${child}, which is gone`);
    await write(table | 1n); // it may only read
    assertEquals(await found(), [gone]);
  } finally {
    await write(entry.raw);
  }
  await lab.request("dma-unmap 0x40000000 4096");
  assertEquals(await found(), []);
}

/** All cleared: both sides agree. A page that is replaced under the live mapping is told. */
async function checkBothSides(lab: LabGuest): Promise<void> {
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
  const frame = frameOf(now!);
  assert(
    text.includes(
      `IOVA 0x7000, 4 KiB of 00:03.0, ${formatAddress(at)} (pid ${lab.target.pid} target): fail: ` +
        `the device reaches frame ${
          formatAddress(before!.physicalAddress)
        }, the process's address ` +
        `leads to ${formatAddress(frame)}`,
    ),
    text,
  );
  assert(
    text.includes("256 of 256 pinned pages pass; 255 of 256 pages that devices reach pass"),
    text,
  );
  assertEquals(failed, 1);
}

/** Frames that are mapped for DMA and others, small and huge: pins and references as the kernel says. */
async function checkPins(lab: LabGuest, linux: LinuxGuest): Promise<void> {
  const huge = lab.fact("huge");
  const at = frameOf((await lab.pagemap(huge.address + 0x5000n))[0]!);
  const others = [
    ...(await lab.pagemap(lab.fact("readonly").address, 4)).map(frameOf),
    ...(await lab.pagemap(lab.fact("parent").address, 4)).map(frameOf),
    ...Array.from({ length: 12 }, (_, i) => 0x100_0000n + BigInt(i) * 0x10_0000n),
    at,
  ];
  const pinned = (await lab.iovas(0x18, 0n, 1 << 20)).map(({ physicalAddress }) => physicalAddress);
  async function agree(frames: readonly bigint[]): Promise<number> {
    let pins = 0;
    for (const frame of frames) {
      const [told] = await lab.frames(frame, 4096);
      const { pinned, references } = await readFrameState(linux, frame);
      assertEquals([pinned, references], [told!.pinned, told!.references], formatAddress(frame));
      if (pinned) pins++;
    }
    return pins;
  }
  assertEquals(await agree(others), 0);
  for (const frame of pinned) assertEquals((await readFrameState(linux, frame)).pinned, true);
  assertEquals(await agree(pinned.slice(0, 20)), 20);
  await lab.request(`dma-map 0x${huge.address.toString(16)} 0x40000000 ${huge.lengthBytes}`);
  assertEquals(await agree([at]), 1);
  await lab.request(`dma-unmap 0x40000000 ${huge.lengthBytes}`);
  assertEquals(await agree([at]), 0);
  console.log(
    `${pinned.length} of ${pinned.length} frames pinned, none of ${others.length} others`,
  );
}

/** A frame of the program that all shells share: every process that maps it, and no other. */
async function checkOwners(lab: LabGuest, guest: Session): Promise<void> {
  const text = 0x40_1000n;
  const leafOf = async (pid: number) => {
    const leaf = (await lab.dumpProcess(pid, text)).find(({ level }) => level === 1);
    return leaf && leaf.raw & 1n ? leaf.raw & 0x000f_ffff_ffff_f000n : null;
  };
  const { owners, state, file, problems } = await readFrameReport(guest, (await leafOf(1))!);
  assertEquals([state.use, file, problems], ["file", "/bin/busybox", []]);
  const expected: number[] = [];
  for (const { pid } of await (await guest.linux()).processes()) {
    if (await leafOf(pid).catch(() => null) === state.frame) expected.push(pid);
  }
  assertEquals(owners.map(({ pid }) => pid).sort(), expected.sort());
  assert(owners.every(({ address }) => address === text) && owners.length > 1);

  const { entryAddress } = (await lab.dump(0)).at(-1)!;
  const table = await readFrameReport(guest, entryAddress);
  assertEquals(table.tables.map(({ pid, level }) => [pid, level]), [[lab.target.pid, 1]]);
}

function frameOf({ raw }: { raw: bigint }): bigint {
  return (raw & ((1n << 55n) - 1n)) * 4096n;
}

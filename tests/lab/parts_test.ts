import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { sourcesList } from "./apt_sources.ts";
import { parseFacts, parsePteDumps, parseTouch } from "./guest_lines.ts";
import { characterDevice, fileEntry, folderEntry, packInitramfs } from "./initramfs.ts";
import { kernelNamed } from "./kernels.ts";
import { LAB_PRESETS, machineFor } from "./presets.ts";

Deno.test("an initramfs is in cpio's newc format", () => {
  const archive = packInitramfs([
    folderEntry("dev"),
    characterDevice("dev/console", 5, 1),
    fileEntry("init", "#!sh\n"),
  ]);
  const text = new TextDecoder().decode(archive);

  assertEquals(archive.length % 4, 0);
  assertEquals(text.split("070701").length - 1, 4);
  assertStringIncludes(text, "TRAILER!!!\0");
  // The file's header: inode 3, mode 100755, and five bytes of data; its name ends on a multiple
  // of four, and its data is padded to one.
  const header = text.slice(text.indexOf("init\0") - 110);
  assertEquals(header.slice(6, 22), "00000003000081ed");
  assertEquals(header.slice(54, 62), "00000005");
  assertEquals(header.slice(116, 124), "#!sh\n\0\0\0");
  // The device's numbers.
  const device = text.slice(text.indexOf("dev/console\0") - 110);
  assertEquals(device.slice(78, 94), "0000000500000001");
});

Deno.test("features add up to one machine", () => {
  const basic = machineFor(LAB_PRESETS["4-level"]);
  const all = machineFor(LAB_PRESETS.all);
  const pae = machineFor(LAB_PRESETS.pae);

  assertEquals([basic.cpu, basic.cpus, basic.memoryMib], ["max,la57=off", 1, 1024]);
  assertEquals([all.cpu, all.cpus, all.memoryMib], ["max,erms=off,fsrm=off", 2, 4096]);
  for (const words of ["pti=on", "hugepages=1", "lab.wide=1", "lab.bystander=decoy"]) {
    assertStringIncludes(all.append, words);
  }
  assertEquals(pae.vfioDevice, undefined);
  assertEquals(pae.append.includes("iommu"), false);
});

Deno.test("a kernel is named by its image package", () => {
  assertEquals(kernelNamed("linux-image-686:i386"), {
    imagePackage: "linux-image-686",
    architecture: "i386",
  });
  assertEquals(kernelNamed("linux-image-amd64").architecture, "amd64");
  assertThrows(() => kernelNamed("vmlinuz"), Error, "must be an image package");
  assertThrows(() => kernelNamed("linux-image-arm64:arm64"), Error, "must be an image package");
});

Deno.test("package sources are written for one architecture, with the archive's key", () => {
  const list = sourcesList([{ uri: "http://mirror/debian/", suite: "bookworm" }], "i386");

  assertMatch(list, /^deb \[arch=i386 signed-by=\S+\] http:\/\/mirror\/debian\/ bookworm main\n$/);
});

Deno.test("the guest's lines are read, and one with a field missing is refused", () => {
  assertEquals(
    parseFacts([
      "WARNING nothing",
      "FACT name=dma vaddr=0x7f1234567000 length=0x100000 page=0x1000 protection=rw state=present user=mixed",
    ]),
    [{
      name: "dma",
      address: 0x7f1234567000n,
      lengthBytes: 0x100000,
      pageBytes: 0x1000,
      protection: "rw",
      state: "present",
      user: "mixed",
    }],
  );
  assertEquals(
    parsePteDumps(["PTE-DUMP vaddr=0x1000 pid=7 level=1 address=0x2008 entry=0x8000000000003867"]),
    [{ address: 0x1000n, pid: 7, level: 1, entryAddress: 0x2008n, raw: 0x8000000000003867n }],
  );
  assertEquals(
    parseTouch(["TOUCH vaddr=0x1000 result=signal signal=11 code=2 address=0x1000 faults=1"]),
    { address: 0x1000n, result: "signal", faults: 1, signal: 11, code: 2 },
  );
  assertThrows(() => parsePteDumps(["PTE-DUMP vaddr=0x1000"]), TypeError, "no pid=");
});

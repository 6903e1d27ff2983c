import { assert, assertEquals, assertThrows } from "@std/assert";
import { ReplyParseError } from "../../src/monitor/errors.ts";
import { parseCpus } from "../../src/monitor/commands/cpus.ts";
import { parseGva2gpa } from "../../src/monitor/commands/translate_by_qemu.ts";
import { parseMemoryMap, parseStatus } from "../../src/monitor/commands/read_state.ts";
import { parseRegisters } from "../../src/monitor/commands/registers.ts";
import { parseTlb } from "../../src/monitor/commands/read_tlb.ts";
import { parseBanner } from "../../src/monitor/_hmp_wire.ts";
import { replyText, type Version, VERSIONS } from "./_fixtures.ts";

/** What the recordings hold, read off them by eye. */
const CR3: Record<Version, bigint> = {
  "5.2.0": 0x2a10000n,
  "7.2.22": 0x5396000n,
  "10.0.13": 0x2a10000n,
  "11.1.3": 0x468c000n,
};

for (const version of VERSIONS) {
  Deno.test(`parseRegisters() reads one vCPU of ${version}`, () => {
    const [registers, ...rest] = parseRegisters(replyText(version, "hmp-info_registers"));
    assertEquals(rest, []);
    assertEquals(registers!.cpu, version === "5.2.0" ? null : 0);
    assertEquals(registers!.cr3, CR3[version]);
    assertEquals([registers!.cr0, registers!.efer], [0x80050033n, 0xd01n]);
    assertEquals([registers!.cpl, registers!.halted], [0, true]);
    assertEquals(registers!.rip >> 32n, 0xffffffffn);
    assertEquals(registers!.cr4, version === "5.2.0" ? 0x7506b0n : 0x750eb0n);
  });

  Deno.test(`parseRegisters() reads all vCPUs of ${version}`, () => {
    const all = parseRegisters(replyText(version, "hmp-info_registers_a"));
    assertEquals(all.map((registers) => registers.cpu), [0, 1]);
    assert(all.every((registers) => registers.cr3 > 0n && registers.efer === 0xd01n));
  });

  Deno.test(`parseRegisters() refuses what ${version} says of a vCPU that is not there`, () => {
    assertThrows(() => parseRegisters(replyText(version, "hmp-info_registers_9")), ReplyParseError);
  });

  Deno.test(`parseMemoryMap() finds RAM and ROM of ${version}`, () => {
    const shadowEnd = version === "10.0.13" ? 0xe4000n : 0xe8000n; // Another firmware.
    const ranges = parseMemoryMap(replyText(version, "hmp-info_mtree_f"));
    assertEquals(
      ranges.map((range) => [range.start, range.end, range.kind, range.name, range.offset]),
      [
        [0x0n, 0xa0000n, "ram", "pc.ram", 0x0n],
        [0xc0000n, 0xca000n, "rom", "pc.ram", 0xc0000n],
        [0xca000n, 0xcd000n, "ram", "pc.ram", 0xca000n],
        [0xcd000n, shadowEnd, "rom", "pc.ram", 0xcd000n],
        [shadowEnd, 0xf0000n, "ram", "pc.ram", shadowEnd],
        [0xf0000n, 0x100000n, "rom", "pc.ram", 0xf0000n],
        [0x100000n, 0x40000000n, "ram", "pc.ram", 0x100000n],
        [0xfd000000n, 0xfe000000n, "ram", "vga.vram", 0x0n],
        [0xfffc0000n, 0x100000000n, "rom", "pc.bios", 0x0n],
      ],
    );
  });

  Deno.test(`parseTlb() reads the rows of ${version}`, () => {
    const text = replyText(version, "hmp-info_tlb-first40");
    const rows = parseTlb(text)!;
    assertEquals(rows.length, 40);
    const printed = rows.map((row) =>
      `${row.virtualAddress.toString(16).padStart(16, "0")}: ` +
      `${row.physicalAddress.toString(16).padStart(16, "0")} ` +
      [
        row.noExecute ? "X" : "-",
        row.global ? "G" : "-",
        row.large ? "P" : "-",
        row.dirty ? "D" : "-",
        row.accessed ? "A" : "-",
        row.cacheDisable ? "C" : "-",
        row.writeThrough ? "T" : "-",
        row.user ? "U" : "-",
        row.writable ? "W" : "-",
      ].join("")
    );
    assertEquals(printed.join("\n"), text);
  });

  Deno.test(`the small parsers read ${version}`, () => {
    assertEquals(parseBanner(replyText(version, "hmp-banner")), version);
    assertEquals(parseStatus(replyText(version, "hmp-info_status")), { running: true, detail: "" });
    assertEquals(parseStatus(replyText(version, "hmp-info_status-paused")), {
      running: false,
      detail: "",
    });
    assertEquals(parseGva2gpa(replyText(version, "hmp-gva2gpa_0x10")), null);
    assertEquals(parseGva2gpa("gpa: 0"), 0n);
    assertEquals(parseGva2gpa(replyText(version, "hmp-gva2gpa_0xffffffff81000123")), 0x1000123n);
    const cpus = parseCpus(replyText(version, "hmp-info_cpus"));
    assertEquals(cpus.map(({ cpu, current }) => [cpu, current]), [[0, true], [1, false]]);
    assert(cpus.every((cpu) => cpu.threadId !== null && cpu.threadId > 1000));
  });
}

Deno.test("parseRegisters() reads 16- and 32-bit code, and long mode's compatibility code", () => {
  const real = "\nCPU#3\nEAX=00000000 EBX=00000000 ECX=00000000 EDX=00000663\n" +
    "ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000\n" +
    "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n" +
    "ES =0000 00000000 0000ffff 00009300\n" +
    "TR =0000 00000000 0000ffff 00008b00\nIDT=     00001000 0000ffff\n" +
    "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\n" +
    "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \n" +
    "EFER=0000000000000000";
  assertEquals(parseRegisters(real), [{
    cpu: 3,
    rip: 0xfff0n,
    rflags: 2n,
    cpl: 0,
    cr0: 0x60000010n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    halted: false,
    smm: false,
    idtBase: 0x1000n,
    trBase: 0n,
  }]);
  const compatibility = real.replace("CPL=0", "CPL=3").replace(
    /CR0=.*/,
    "CR0=80050033 CR2=00007f0000000000 CR3=0000000101279880 CR4=000006f0",
  ).replace(/EFER=.*/, "EFER=0000000000000d01");
  const [registers] = parseRegisters(compatibility);
  assertEquals([registers!.cr3, registers!.cr2], [0x101279880n, 0x7f0000000000n]);
  assertEquals([registers!.cpl, registers!.efer], [3, 0xd01n]);
  // Half of TR's base is missing here.
  assertEquals(registers!.trBase, undefined);
  assertEquals(parseRegisters(real.replace("SMM=0", "SMM=1"))[0]!.smm, true);
});

Deno.test("parseRegisters() names the register that is missing", () => {
  const text = replyText("7.2.22", "hmp-info_registers").replace(/EFER=.*\n/, "");
  assertThrows(() => parseRegisters(text), ReplyParseError, "expected EFER=");
  assertThrows(() => parseRegisters(""), ReplyParseError, "expected registers");
});

Deno.test("parseRegisters() takes no damaged number for a shorter one", () => {
  const text = replyText("7.2.22", "hmp-info_registers");
  assertEquals(parseRegisters(text).length, 1);
  for (const name of ["RIP", "RFL", "CR0", "CR2", "CR3", "CR4", "EFER"]) {
    const digits = new RegExp(`${name}=([0-9a-f]+)`).exec(text)![1]!;
    for (const damage of ["", "\xff", "\0", "x", " ", "00"]) {
      for (const at of [1, digits.length - 1]) {
        const damaged = digits.slice(0, at) + damage + digits.slice(damage === "" ? at + 1 : at);
        const reply = text.replace(`${name}=${digits}`, `${name}=${damaged}`);
        assertThrows(() => parseRegisters(reply), ReplyParseError, `${name}=`);
      }
    }
  }
});

const VIEW = 'FlatView #0\n AS "I/O", root: io\n Root memory region: io\n' +
  "  0000000000000000-0000000000000007 (prio 0, ram): not.ours\n\n" +
  'FlatView #1\n AS "cpu-memory-0", root: system\n AS "memory", root: system\n' +
  " Root memory region: system\n";

Deno.test("parseMemoryMap() takes the system's view alone, and knows each type of region", () => {
  const rows = [
    "  0000000000000000-0000000000000fff (prio 0, ram): my ram",
    "  0000000000001000-0000000000001fff (prio -1000, nv-ram): nvdimm @0000000000001000",
    "  0000000000002000-0000000000002fff (prio 0, nv-rom): nvrom",
    "  0000000000003000-0000000000003fff (prio 0, romd): system.flash0",
    "  0000000000004000-0000000000004fff (prio 0, ramd): 0000:01:00.0 BAR 0 mmaps[0]",
    "  0000000000005000-0000000000005fff (prio 0, i/o): hpet",
    "  0000000000006000-0000000000006fff (prio 0, container): io @0000000000006000",
    "  ffffffffffffff00-ffffffffffffffff (prio 0, rom): last",
  ];
  assertEquals(
    parseMemoryMap(`${VIEW}${rows.join("\n")}\n\nFlatView #2\n AS "x", root: x\n`).map((
      range,
    ) => [range.kind, range.name, range.start, range.end, range.offset]),
    [
      ["ram", "my ram", 0n, 0x1000n, 0n],
      ["ram", "nvdimm", 0x1000n, 0x2000n, 0x1000n],
      ["rom", "nvrom", 0x2000n, 0x3000n, 0n],
      ["rom", "system.flash0", 0x3000n, 0x4000n, 0n],
      ["rom", "last", 0xffffffffffffff00n, 0x10000000000000000n, 0n],
    ],
  );
});

Deno.test("parseMemoryMap() refuses what it does not know rather than leave it out", () => {
  const row = "  0000000000000000-0000000000000fff (prio 0, wax): tablet";
  assertThrows(() => parseMemoryMap(VIEW + row), ReplyParseError, "wax");
  assertThrows(() => parseMemoryMap('FlatView #0\n AS "I/O", root: io\n'), ReplyParseError);
  const error = assertThrows(() => parseMemoryMap("unknown"), ReplyParseError);
  assertEquals([error.command, error.text], ["info mtree -f", "unknown"]);
});

Deno.test("parseTlb() tells paging off from an empty table", () => {
  assertEquals(parseTlb("PG disabled"), null);
  assertEquals(parseTlb(""), []);
  assertThrows(() => parseTlb("0000000000001000: 0000000000001000 -G-DA---"), ReplyParseError);
  assertThrows(() => parseTlb("No CPU available"), ReplyParseError, '"No CPU available"');
});

Deno.test("parseStatus() reads why a guest is paused", () => {
  assertEquals(parseStatus("VM status: paused (prelaunch)"), {
    running: false,
    detail: "prelaunch",
  });
  assertEquals(parseStatus("VM status: running (single step mode)"), { running: true, detail: "" });
  assertEquals(parseStatus("VM status: paused (single step mode) (debug)"), {
    running: false,
    detail: "debug",
  });
  assertThrows(() => parseStatus("running"), ReplyParseError);
});

Deno.test("the small parsers refuse other text", () => {
  assertThrows(() => parseGva2gpa("gpa: 1000"), ReplyParseError);
  assertThrows(() => parseCpus(""), ReplyParseError);
  assertThrows(() => parseCpus("No CPU"), ReplyParseError);
  assertEquals(parseBanner("hello"), "");
  assertEquals(parseCpus("* CPU #0: pc=0x0000 (halted) thread_id=77")[0]!.threadId, 77);
});

Deno.test("ReplyParseError keeps its message to one short line", () => {
  const error = new ReplyParseError("xp", "a\nb".repeat(1000), "a row");
  assert(!error.message.includes("\n") && error.message.length < 300);
});

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readAddress } from "../../src/repl/screen/address_text.ts";
import { readPasted } from "../../src/repl/screen/pasted.ts";
import { testPrompt } from "./_prompt.ts";

const ADDRESSES: readonly (readonly [text: string, address: bigint | undefined])[] = [
  ["ffffffff81000000", 0xffffffff81000000n],
  ["0000000000400000", 0x400000n],
  ["0xffff'8000'0000'0000", 0xffff800000000000n],
  ["0xffff_8000_0000_0000", 0xffff800000000000n],
  ["fffff800`02a5d000", 0xfffff80002a5d000n],
  ["0x7f1234567000", 0x7f1234567000n],
  ["<ffffffff8105b0d9>", 0xffffffff8105b0d9n],
  ["[<ffffffff8105b0d9>]", 0xffffffff8105b0d9n],
  ["00400000", 0x400000n],
  ["FFFFFFFF81000000", 0xffffffff81000000n],
  ["7f00", undefined],
  ["4096", undefined],
  ["12345678", undefined],
  ["deadbeefdeadbeef0", undefined],
  ["_stext", undefined],
  ["", undefined],
];

for (const [text, address] of ADDRESSES) {
  Deno.test(`readAddress() of ${JSON.stringify(text)}`, () => {
    assertEquals(readAddress(text), address);
  });
}

/** Lines in the formats of the tools that print them; a range as its start and end. */
const LINES: readonly (readonly [line: string, found: unknown])[] = [
  // /proc/kallsyms, System.map, nm, crash's sym.
  ["ffffffff81000000 T _stext", [0xffffffff81000000n, "_stext"]],
  ["ffffffffc0401000 t vfio_pci_probe\t[vfio_pci]", [0xffffffffc0401000n, "vfio_pci_probe"]],
  ["0000000000000000 A fixed_percpu_data", [0n, "fixed_percpu_data"]],
  ["ffffffff82a1b540 (D) init_task", [0xffffffff82a1b540n, "init_task"]],
  // /proc/PID/maps and smaps.
  [
    "7f1234567000-7f1234667000 rw-p 00000000 00:00 0 ",
    [0x7f1234567000n, 0x7f1234667000n, "rw-p 00000000 00:00 0"],
  ],
  [
    "55d0c8a00000-55d0c8a02000 r-xp 00002000 fd:01 131108                     /usr/bin/cat",
    [
      0x55d0c8a00000n,
      0x55d0c8a02000n,
      "r-xp 00002000 fd:01 131108                     /usr/bin/cat",
    ],
  ],
  [
    "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]",
    [0xffffffffff600000n, 0xffffffffff601000n, "--xp 00000000 00:00 0                  [vsyscall]"],
  ],
  ["00400000-00401000 r--p 00000000 fe:00 42 /bin/x", [
    0x400000n,
    0x401000n,
    "r--p 00000000 fe:00 42 /bin/x",
  ]],
  // dmesg, whose ends are inclusive.
  [
    "[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable",
    [0n, 0x9fc00n, "usable"],
  ],
  [
    "[    0.004213] ACPI: Reserving FACP table memory at [mem 0xbffe1a64-0xbffe1ad7]",
    [0xbffe1a64n, 0xbffe1ad8n, ""],
  ],
  [
    "[    0.123456][    T0] pci 0000:00:02.0: BAR 0: [mem 0xfd000000-0xfdffffff pref]",
    undefined,
  ],
  [
    "[Wed Nov 25 18:00:38 2026] e820: [mem 0x00100000-0xbffdffff] usable",
    [0x100000n, 0xbffe0000n, "usable"],
  ],
  [
    "Nov 25 18:00:38 host kernel: [    0.5] e820: [mem 0x00100000-0xbffdffff] usable",
    [0x100000n, 0xbffe0000n, "usable"],
  ],
  ["00100000-bffdffff : System RAM", [0x100000n, 0xbffe0000n, "System RAM"]],
  // QEMU's monitor.
  [
    "0000000000400000-0000000000401000 0000000000001000 ur-",
    [0x400000n, 0x401000n, "0000000000001000 ur-"],
  ],
  ["ffff888000000000: 0000000000000000 X-P--A--W", [0xffff888000000000n]],
  ["0000000005109b38: 0x800000011008f063 0x800000011009d063", [0x5109b38n]],
  // gdb.
  ["0xffffffff81000040 <_stext+64>:\t0x4800000000000000", [0xffffffff81000040n, "_stext+64"]],
  ["=> 0xffffffff81a17a0b <default_idle+11>:\tret", [0xffffffff81a17a0bn, "default_idle+11"]],
  ["$1 = (struct task_struct *) 0xffffffff82a1b540 <init_task>", [
    0xffffffff82a1b540n,
    "init_task",
  ]],
  ["rip            0xffffffff81a17a0b  0xffffffff81a17a0b <default_idle+11>", [
    0xffffffff81a17a0bn,
    "default_idle+11",
  ]],
  ["0x7fffffffe3b0:\t0x00000001\t0x00000000", [0x7fffffffe3b0n]],
  // crash: vm.
  ["ffff88803d0a1000     400000     401000 8000875 /bin/x", [
    0x400000n,
    0x401000n,
    "8000875 /bin/x",
  ]],
  // An oops.
  ["CR2: ffffc90000001000", [0xffffc90000001000n]],
  ["RIP: 0010:default_idle+0xb/0x10", ["default_idle", 0xbn]],
  ["[   12.345678]  ? vfio_iommu_type1_ioctl+0x2e/0xb0 [vfio_iommu_type1]", [
    "vfio_iommu_type1_ioctl",
    0x2en,
  ]],
  [" [<ffffffff8105b0d9>] schedule+0x2e/0xb0", ["schedule", 0x2en]],
  // What is none of these.
  ["walk the tables", undefined],
  ["10-5", undefined],
  ["hello-world", undefined],
  ["2026-11-25 18:00", undefined],
  ["", undefined],
];

for (const [line, found] of LINES) {
  Deno.test(`readPasted() of ${JSON.stringify(line)}`, () => {
    const pasted = readPasted(line);
    const seen = pasted?.kind === "address"
      ? [pasted.address, ...pasted.symbol === undefined ? [] : [pasted.symbol]]
      : pasted?.kind === "range"
      ? [pasted.start, pasted.start + pasted.lengthBytes, pasted.note]
      : pasted && [pasted.name, pasted.offset];
    assertEquals(seen, found);
  });
}

/** What is entered as it stands on a screen or as other tools take it, and what it prints. */
const ENTERED: readonly (readonly [line: string, printed: RegExp])[] = [
  [/* hexadecimal without a prefix */ "ffffffff81000000", /^0xffff_ffff_8100_0000\n$/],
  ["0000000000400000", /^0x40_0000\n$/],
  ["7f1234567000 + 0x1000", /^0x7f12_3456_8000\n$/],
  ["7e1234567000", /^0x7e12_3456_7000\n$/],
  ["0xffff'8000'0000'0000", /^0xffff_8000_0000_0000\n$/],
  ["walk(7f1234567000).outcome", /^mapped\n$/],
  ["walk(ffffffff81000000).pageSizeBytes", /^2097152\n$/],
  ['walk("ffffffff81000000 T _stext").outcome', /^mapped\n$/],
  ["translate(\"0x7f12'3456'7000\")", /^0x1_1008_f000\n$/],
  ["translate($rip) === walk($rip).physicalAddress", /^true\n$/],
  ["$cr3", /^0x510_0000\n$/],
  ["[$rax, $r15, $gs_base, $eflags].every((x) => typeof x === 'bigint')", /^true\n$/],
  ['walk("$rip + 8").address === $rip + 8', /^true\n$/],
  ["0xffffffff81000000-0xffffffff81001000", /^0xffff_ffff_8100_0000-.*, 4 KiB\n$/],
  ["0x2000-0x1000", /^0x1000\n$/],
  ["[mem 0x0000000000001000-0x000000000009ffff] usable", /^0x1000-0xa_0000, 636 KiB: usable\n$/],
  ["7f1234567000-7f1234577000 rw-p 00000000 00:00 0", /64 KiB: rw-p/],
  ['mappings("7f1234567000-7f1234577000 rw-p").length', /^1\n$/],
  ['verifyRange("7f1234567000-7f1234577000").verdict', /^pass\n$/],
  ["verifyRange(range(0x7f1234567000, 0x7f1234577000)).verdict", /^pass\n$/],
  ["help walk", /^walk\(va\): walk the page tables/],
  ["help", /Helpers \(help\(name\)/],
  ["info registers", /RIP=/],
  ["info registers rip", /^0x40_\w+\n$/],
  ["info status", /^VM status: running/],
  ["xp /2gx 0x5109b38", /^0x510_9b38 {2}0x8000_0001_1008_f063 {2}0x8000_0001_1009_d063\n$/],
  ["xp/1wx 0x5109b38", /^0x510_9b38 {2}0x1008_f063\n$/],
  ["x/2gx 0x7f1234567000", /^0x7f12_3456_7000 {2}0x6567_6170_2041_4d44 {2}/],
  ["x /4xb 0x7f1234567000", /^0x7f12_3456_7000 {2}0x44 {2}0x4d {2}0x41 {2}0x20\n$/],
  ["x/s 0x7f1234567000", /DMA page 0/],
  ["x/4gx $rip", /^0x40_\w+ {2}0x/],
  ["x/4i $rip", /no disassembler.*x\(\$rip, 16, 1\)/],
  ["p $cr3 + 0x1000", /^0x510_1000\n$/],
  ["print/x 254", /^0xfe\n$/],
  ["p/d 0xfe", /^254\n$/],
  ["walk 0x7f1241000000", /user no \(PDE decides/],
  ["read 0x7f1234567000 16", /^0x7f12_3456_7000 .*\|DMA page 0/],
  ["gva2gpa 0x7f1234567000", /mapped to 0x1_1008_f000/],
  ["vtop 0x7f1234567000", /mapped to 0x1_1008_f000/],
  ["continue", /pagewalk is read-only/],
  ["break start_kernel", /pagewalk is read-only/],
  ["bt", /no stacks/],
  // Names that are wrong.
  ["wak(1)", /wak is not defined: did you mean walk\?/],
  ["wlak(1)", /did you mean walk\?/],
  ["cr3", /cr3 is not defined: did you mean \$cr3\?/],
  ["f(1)", /f is not defined\n$/],
  ["wlak 0x1000", /did you mean walk\(0x1000\)\?/],
  ["walk(0x1000, { rooot: 1 })", /Unknown key "rooot".*did you mean root\?/],
  ["ps({ kernl: true })", /Unknown key "kernl".*did you mean kernel\?/],
  ["eval('walk(0x1000)')", /walk is not defined: eval\(\) and new Function\(\) do not see/],
  // Arguments that are missing or of another kind.
  ["walk()", /walk needs an address: walk\(va\)/],
  ["watch()", /watch needs an address/],
  ["verifyRange()", /needs a start and a length/],
  ["verifyRange(0x7f1234567000)", /needs a start and a length/],
  ["monitor()", /monitor needs a command as text/],
  ['dmesg("error")', /LinuxNotFoundError: /],
  ["dmesg({ lst: 2 })", /Unknown key "lst" in the options of dmesg: did you mean last\?/],
  ["dmesg(-1)", /Not a count of records: -1/],
  ["walk({})", /Not an address: an object with nothing in it/],
  ['walk("no such")', /Not an address: "no such"/],
  ['walk("$nothing")', /No register \$nothing/],
];

for (const [line, printed] of ENTERED) {
  Deno.test(`entering ${line}`, async () => {
    await using prompt = testPrompt();
    assertMatch(await prompt.enter(line), printed);
  });
}

Deno.test("what a line of another tool means has no way out of its text", async () => {
  await using prompt = testPrompt({ globals: { ran: () => print("ran") } });
  const print = (text: string) => prompt.repl.print(text);
  for (
    const line of [
      '7f1234567000-7f1234667000 "); ran(); ("',
      'pid x"); ran(); ("',
      "[mem 0x1-0x2] `${ran()}`",
    ]
  ) {
    assertEquals((await prompt.enter(line)).includes("ran\n"), false, line);
  }
});

Deno.test("a variable goes before what a name means elsewhere", async () => {
  await using prompt = testPrompt();
  await prompt.enter("const $rip = 5, ffffffff81000000 = 6, bt = 7, x = 8, q = 9");
  assertEquals(await prompt.enter("[$rip, ffffffff81000000, x, q]"), "[ 5, 6, 8, 9 ]\n");
  assertEquals(await prompt.enter("bt"), "7\n");
  assertStringIncludes(await prompt.enter("x / 4"), "2");
});

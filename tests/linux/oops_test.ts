import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { connect } from "../../mod.ts";
import { explainOops, type OopsReport, parseOops } from "../../src/entries/linux.ts";
import { oopsLines } from "../../src/report/mod.ts";
import { runExample } from "../examples/_run.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

/** A fault of the kernel's, as 6.1 prints it. */
const PAGE_FAULT = `
[   12.345678] BUG: unable to handle page fault for address: ffffc90000a5d000
[   12.345700] #PF: supervisor write access in kernel mode
[   12.345710] #PF: error_code(0x0002) - not-present page
[   12.345720] PGD 100000067 P4D 100000067 PUD 1001d8067 PMD 105c0e067 PTE 0
[   12.345730] Oops: 0002 [#1] PREEMPT SMP PTI
[   12.345740] CPU: 1 PID: 245 Comm: insmod Tainted: G           OE      6.1.0-13-amd64 #1  Debian 6.1.55-1
[   12.345750] Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-debian-1.16.2-1 04/01/2014
[   12.345760] RIP: 0010:bad_write+0x10/0x20 [oopsmod]
[   12.345770] Code: 90 90 90 90 90 0f 1f 44 00 00 48 8b 05 e8 2f 00 00 <c6> 00 01 c3
[   12.345780] RSP: 0018:ffffc90000a0fc80 EFLAGS: 00010246
[   12.345790] RAX: ffffc90000a5d000 RBX: 0000000000000000 RCX: 0000000000000000
[   12.345800] R13: ffffffffc0401000 R14: ffff888104e5c000 R15: 0000000000000000
[   12.345810] FS:  00007f12345c0740(0000) GS:ffff88807dd00000(0000) knlGS:0000000000000000
[   12.345820] CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033
[   12.345830] CR2: ffffc90000a5d000 CR3: 0000000102e5a000 CR4: 0000000000350ee0
[   12.345840] Call Trace:
[   12.345850]  <TASK>
[   12.345860]  do_one_initcall+0x59/0x220
[   12.345870] ---[ end trace 0000000000000000 ]---
[   12.345880] BUG: unable to handle page fault for address: 0000000000000001
`;

interface Sample {
  readonly name: string;
  readonly text: string;
  readonly told: Partial<OopsReport> & { readonly reason?: string };
}

const SAMPLES: readonly Sample[] = [
  {
    name: "a page fault of the kernel's (6.1)",
    text: PAGE_FAULT,
    told: {
      kind: "pageFault",
      address: 0xffffc90000a5d000n,
      at: "bad_write+0x10/0x20 [oopsmod]",
      pid: 245,
      comm: "insmod",
      reason: "PTE was empty",
    },
  },
  {
    name: "a null pointer (6.12, whose header says Oops twice)",
    text: `BUG: kernel NULL pointer dereference, address: 0000000000000008
#PF: supervisor read access in kernel mode
#PF: error_code(0x0000) - not-present page
PGD 0 P4D 0
Oops: Oops: 0000 [#1] PREEMPT SMP PTI
CPU: 0 UID: 0 PID: 77 Comm: kworker/0:2 Not tainted 6.12.0 #1
RIP: 0010:f+0x1/0x2`,
    told: { address: 8n, pid: 77, comm: "kworker/0:2", reason: "P4D was empty" },
  },
  {
    name: "a write to what is read-only",
    text: `BUG: unable to handle page fault for address: ffffffff81e00000
#PF: supervisor write access in kernel mode
#PF: error_code(0x0003) - permissions violation
PGD 2e15067 P4D 2e15067 PUD 2e16063 PMD 80000000020001e1`,
    told: { reason: "PMD is not writable (_PAGE_RW is cleared)" },
  },
  {
    name: "execution of what is data",
    text: `kernel tried to execute NX-protected page - exploit attempt? (uid: 0)
BUG: unable to handle page fault for address: ffff888104e5c000
#PF: supervisor instruction fetch in kernel mode
#PF: error_code(0x0011) - permissions violation
PGD 2e01067 P4D 2e01067 PUD 2e05067 PMD 104f2d063 PTE 8000000104e5c163`,
    told: { reason: "PTE forbids execution (_PAGE_NX)" },
  },
  {
    name: "SMAP",
    text: `BUG: unable to handle page fault for address: 00007f1234567000
#PF: supervisor read access in kernel mode
#PF: error_code(0x0001) - permissions violation
PGD 105c0e067 P4D 105c0e067 PUD 105c0f067 PMD 105c10067 PTE 8000000104e5c867`,
    told: { reason: "SMAP: the supervisor may not touch a user page while RFLAGS.AC is clear" },
  },
  {
    name: "a broken table",
    text: `BUG: unable to handle page fault for address: ffffc90000a5d000
#PF: error_code(0x0009) - reserved bit violation
PGD 100000067 P4D 100000067 PUD ffffffff00000067 BAD`,
    told: { reason: "an entry had reserved bits set" },
  },
  {
    name: "a kernel of old (4.9)",
    text: `BUG: unable to handle kernel paging request at ffffc90000a5d000
IP: [<ffffffff8105b0d9>] schedule+0x2e/0xb0
PGD 100000067 PUD 1001d8067 PMD 105c0e067 PTE 0
Oops: 0002 [#1] SMP`,
    told: { address: 0xffffc90000a5d000n, reason: "PTE was empty" },
  },
  {
    name: "a general protection fault",
    text:
      `general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] PREEMPT SMP PTI
CPU: 1 PID: 1 Comm: init Not tainted 6.1.0 #1
RIP: 0010:list_del+0x10/0x20`,
    told: {
      kind: "generalProtection",
      address: 0xdead000000000108n,
      reason:
        "the address is not canonical: bits 63 to 47 (with 5-level paging 63 to 56) must be equal",
    },
  },
  {
    name: "a general protection fault (6.12)",
    text:
      "Oops: general protection fault, probably for non-canonical address 0x6b6b6b6b6b6b6b6b: 0000 [#1] SMP",
    told: { kind: "generalProtection", address: 0x6b6b6b6b6b6b6b6bn },
  },
  {
    name: "a segfault",
    text:
      "[  99.1] target[321]: segfault at 7f1234567000 ip 0000000000401136 sp 00007ffc7b598e00 error 5 in target[401000+95000] likely on CPU 0 (core 0, socket 0)",
    told: {
      kind: "segfault",
      address: 0x7f1234567000n,
      pid: 321,
      comm: "target",
      reason: "the pages allowed less than that (the entries were not printed)",
    },
  },
  {
    name: "a page fault that was cut off before its error code",
    text: `BUG: unable to handle page fault for address: 00007f1234567000
#PF: supervisor write access in kernel mode`,
    told: {
      address: 0x7f1234567000n,
      reason: "no page was there, or it allowed less than that (the error code was not printed)",
    },
  },
  {
    name: "KASAN",
    text: `==================================================================
BUG: KASAN: slab-out-of-bounds in kmalloc_oob_right+0x8d/0xa0 [test_kasan]
Write of size 1 at addr ffff888104f4b07b by task insmod/245`,
    told: { kind: "kasan", address: 0xffff888104f4b07bn, lengthBytes: 1, pid: 245, comm: "insmod" },
  },
  {
    name: "KASAN at an address that is not canonical",
    text:
      `Oops: general protection fault, probably for non-canonical address 0xdffffc0000000001: 0000 [#1] SMP KASAN
KASAN: null-ptr-deref in range [0x0000000000000008-0x000000000000000f]`,
    told: { kind: "generalProtection", address: 0xdffffc0000000001n },
  },
  {
    name: "registers alone",
    text: "CR2: 00007f1234567000 CR3: 0000000005100000 CR4: 0000000000750eb0",
    told: {
      kind: "registers",
      address: 0x7f1234567000n,
      reason: "the report does not say which access",
    },
  },
  {
    name: "journalctl's prefix",
    text:
      "Nov 25 18:00:38 host kernel: BUG: unable to handle page fault for address: ffffc90000a5d000",
    told: { kind: "pageFault", address: 0xffffc90000a5d000n },
  },
];

for (const { name, text, told: { reason, ...told } } of SAMPLES) {
  Deno.test(`parseOops() reads ${name}`, async () => {
    const report = parseOops(text);
    for (const [key, value] of Object.entries(told)) {
      assertEquals(report[key as keyof OopsReport], value, key);
    }
    if (reason === undefined) return;
    await using session = await connect("sim:");
    assertEquals((await explainOops(session, text, { cpu: 0 })).reason, reason);
  });
}

Deno.test("parseOops() takes the first report, its registers and its entries", () => {
  const { registers, entries, access } = parseOops(PAGE_FAULT);
  assertEquals(registers.CR3, 0x102e5a000n);
  assertEquals(registers.RAX, 0xffffc90000a5d000n);
  assertEquals(entries.map(({ table, raw }) => [table, raw]), [
    ["PGD", 0x100000067n],
    ["P4D", 0x100000067n],
    ["PUD", 0x1001d8067n],
    ["PMD", 0x105c0e067n],
    ["PTE", 0n],
  ]);
  assertEquals([access?.write, access?.user, access?.isProtection], [true, false, false]);
});

Deno.test("parseOops() refuses what is no report, and takes little time for any text", () => {
  assertThrows(
    () => parseOops("[    0.000000] Linux version 6.1.0"),
    Error,
    "No report of a fault",
  );
  assertThrows(() => parseOops(""), Error, "No report of a fault");
  const hostile = `BUG: unable to handle page fault for address: ${"f".repeat(200_000)}\n`.repeat(
    20,
  );
  const start = cpuTimeMs();
  assertThrows(() => parseOops(hostile));
  assert(cpuTimeMs() - start < 30_000);
});

/** The simulated guest's target page, whose PTE has _PAGE_USER cleared since. */
const TARGET = `BUG: unable to handle page fault for address: 00007f1234567000
#PF: user read access in user mode
#PF: error_code(0x0004) - not-present page
PGD 5107067 P4D 5107067 PUD 5108007 PMD 5109007 PTE 0
CPU: 1 PID: 245 Comm: tar\x1b[31mget Not tainted 6.1.0 #1
CR2: 00007f1234567000 CR3: 0000000005100000 CR4: 0000000000750eb0`;

Deno.test("explainOops() holds the printed entries against those of now", async () => {
  await using session = await connect("sim:");
  const found = await explainOops(session, TARGET);
  assertEquals(found.entries.map(({ table, change }) => [table, change]), [
    ["PGD", "same"],
    ["PUD", "same"],
    ["PMD", "same"],
    ["PTE", "appeared"],
  ]);
  assertEquals(found.walk?.root, 0x5100000n);
  assertEquals(found.walk?.outcome, "mapped");
  assertEquals(found.now?.outcome, "pageFault");
  const text = oopsLines(found).join("\n");
  assertStringIncludes(text, "PTE was empty");
  assertStringIncludes(text, "not present then, present now");
  assertStringIncludes(text, "now the same access faults again");
  assert(!text.includes("\x1b"), "what the guest printed is escaped");
});

Deno.test("examples/oops.ts explains what is piped in", async () => {
  const { code, stdout } = await runExample("oops.ts", ["sim:"], { stdin: TARGET });
  assertEquals(code, 0);
  assertStringIncludes(stdout, "it faulted: PTE was empty");
  const none = await runExample("oops.ts", ["sim:"], { stdin: "nothing" });
  assertEquals(none.code, 3);
  assertStringIncludes(none.stderr, "No report of a fault");
});

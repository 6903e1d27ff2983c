/** Linux's reports of faults as it prints them on RISC-V. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, InvalidArgumentError } from "../../mod.ts";
import { explainOops, type OopsReport, parseOops } from "../../src/entries/linux.ts";
import { RISCV_OOPS } from "../../src/arch/riscv/oops.ts";
import { oopsLines } from "../../src/report/mod.ts";

/** The registers that every report ends with. */
function registers(values: { status?: string; badaddr: string; cause: string }): string {
  const { status = "0000000200000120", badaddr, cause } = values;
  return `[   13.214047] epc : fault_write+0x6e/0xee4 [pagewalk_lab]
[   13.214794]  ra : fault_write+0x52/0xee4 [pagewalk_lab]
[   13.215035] epc : ffffffff01e6c18a ra : ffffffff01e6c16e sp : ffffffc600203a70
[   13.215285]  gp : ffffffff81db6e50 tp : ffffffd602d5e3c0 t0 : ffffffc600203a90
[   13.276174]  s11: 000000002a78bb70 t3 : 0000000000000010 t4 : 0000000000000009
[   13.276713] status: ${status} badaddr: ${badaddr} cause: 00000000000000${cause}
[   13.277165] [<ffffffff01e6c18a>] fault_write+0x6e/0xee4 [pagewalk_lab]
[   13.304085] ---[ end trace 0000000000000000 ]---
`;
}

/** As 6.12 prints it. */
function oops(what: string, address: string, cause: string): string {
  return `[   13.202805] Unable to handle kernel ${what} at virtual address ${address}
[   13.203195] Oops [#1]
[   13.204026] Modules linked in: brd pagewalk_lab(FOE)
[   13.204771] CPU: 0 UID: 0 PID: 152 Comm: sh Tainted: GF          OE      6.12.117+deb13-riscv64 #1  Debian
${registers({ badaddr: address, cause })}`;
}

/** As it does since 6.15. */
function withEntries(entries: string, cause: string, status?: string): string {
  const address = "0000003fc0001000";
  return `Unable to handle kernel paging request at virtual address ${address}
Current cat pgtable: 4K pagesize, 39-bit VAs, pgdp=0x0000000087e00000
[${address}] ${entries}
Oops [#1]
CPU: 1 UID: 0 PID: 83 Comm: cat Not tainted 6.15.0 #1 NONE
${registers({ badaddr: address, cause, ...status !== undefined && { status } })}`;
}

const TABLES = "pgd=0000000021f80401, p4d=0000000021f80401, pud=0000000021f80401, " +
  "pmd=0000000021f80801, pte=";

interface Sample {
  readonly name: string;
  readonly text: string;
  readonly told: Partial<OopsReport> & { readonly reason: string; readonly access?: unknown };
}

function as(cause: bigint, who: { write?: boolean; fetch?: boolean; user?: boolean } = {}) {
  const { write = false, fetch = false, user = false } = who;
  const others = { isProtection: null, isReserved: false, isProtectionKey: false };
  return { errorCode: cause, codeName: "cause", write, fetch, user, ...others };
}

const SUM = "0000000200040120";
const USER = "0000000200000020";

const SAMPLES: readonly Sample[] = [
  {
    name: "an address of user mode, which the kernel may not touch so",
    text: oops("access to user memory without uaccess routines", "0000000000000010", "0d"),
    told: {
      ...{ kind: "pageFault", address: 0x10n, pid: 152, comm: "sh", access: as(13n) },
      at: "fault_write+0x6e/0xee4 [pagewalk_lab]",
      reason: "the supervisor may not touch an address of user mode while SUM is clear",
    },
  },
  {
    name: "a store to the kernel's own text",
    text: oops("paging request", "ffffffff80002000", "0f"),
    told: {
      ...{ address: 0xffffffff80002000n, access: as(15n, { write: true }) },
      reason: "no page was there, or it allowed less than that (the entries were not printed)",
    },
  },
  {
    name: "a fetch",
    text: oops("paging request", "ffffffff81a00000", "0c"),
    told: {
      ...{ access: as(12n, { fetch: true }) },
      reason: "no page was there, or it allowed less than that (the entries were not printed)",
    },
  },
  {
    name: "what is no address",
    text: oops("paging request", "1000000000000000", "0d"),
    told: { reason: "it is not a valid address: bits 63 to 56 must be equal" },
  },
  {
    name: "a null pointer, as 5.10 prints it",
    text: `Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008
Oops [#1]
CPU: 0 PID: 1842 Comm: kworker/0:1H Tainted: G        W         5.10.6+ #26
epc: ffffffe00022affe ra : ffffffe00022afea sp : ffffffe086d3fe30
 gp : ffffffe0018416a8 tp : ffffffe080735040 t0 : ffffffe086d3fcc0
status: 0000000200000120 badaddr: 0000000000000008 cause: 000000000000000d`,
    told: {
      ...{ address: 8n, pid: 1842, comm: "kworker/0:1H", at: "0xffffffe00022affe" },
      reason: "no page was there, or it allowed less than that (the entries were not printed)",
    },
  },
  {
    name: "an entry that is empty",
    text: withEntries(`${TABLES}0000000000000000`, "0d"),
    told: {
      ...{ comm: "cat", pid: 83, reason: "PTE was empty" },
      entries: [
        { table: "PGD", raw: 0x21f80401n },
        { table: "P4D", raw: 0x21f80401n },
        { table: "PUD", raw: 0x21f80401n },
        { table: "PMD", raw: 0x21f80801n },
        { table: "PTE", raw: 0n },
      ],
    },
  },
  {
    name: "a table that is not there",
    text: withEntries("pgd=0000000000000000", "0d"),
    told: { reason: "PGD was empty" },
  },
  {
    name: "a page that is read-only",
    text: withEntries(`${TABLES}00000000201000d3`, "0f", SUM),
    told: { reason: "W is clear in PTE" },
  },
  {
    name: "a page of user mode",
    text: withEntries(`${TABLES}00000000201000d7`, "0d"),
    told: {
      reason: "U is set in PTE: the supervisor may not touch a user page while SUM is clear",
    },
  },
  {
    name: "a page of user mode, executed",
    text: withEntries(`${TABLES}00000000201000df`, "0c", SUM),
    told: { reason: "U is set in PTE: the supervisor never executes a user page" },
  },
  {
    name: "a large page closed to user mode",
    text: withEntries(
      "pgd=0000000021f80401, p4d=0000000021f80401, pud=0000000021f80401, " +
        "pmd=00000000201000c7",
      "0d",
      USER,
    ),
    told: {
      access: as(13n, { user: true }),
      reason: "U is clear in PMD: user mode may not touch the page",
    },
  },
  {
    name: "W without R",
    text: withEntries(`${TABLES}00000000201000c5`, "0d"),
    told: { reason: "PTE had W without R, which is reserved" },
  },
  {
    name: "a clear D",
    text: withEntries(`${TABLES}0000000020100047`, "0f"),
    told: { reason: "D is clear in PTE, and hardware did not set it" },
  },
  {
    name: "an entry that allows it after all",
    text: withEntries(`${TABLES}00000000201000c7`, "0f"),
    told: {
      reason:
        "the printed entries allow the access: they changed in between, or a stale TLB entry " +
        "denied it",
    },
  },
  {
    name: "a program's fault",
    text:
      `[   15.1] crash[158]: unhandled signal 11 code 0x1 at 0x0000000000000010 in crash[10000+1000]
[   15.1] CPU: 0 UID: 0 PID: 158 Comm: crash Not tainted 6.12.117+deb13-riscv64 #1
[   15.1] epc : 00000000000104b2 ra : 00000000000104a0 sp : 0000003fd0c0d860
[   15.1] status: ${USER} badaddr: 0000000000000010 cause: 000000000000000f`,
    told: {
      ...{ kind: "segfault", address: 0x10n, pid: 158, comm: "crash", at: "0x104b2" },
      access: as(15n, { write: true, user: true }),
      reason: "no memory area is there",
    },
  },
  {
    name: "a program's fault in an area that does not allow it",
    text: `crash[158]: unhandled signal 11 code 0x2 at 0x0000003fc0001000
status: ${USER} badaddr: 0000003fc0001000 cause: 000000000000000d`,
    told: { kind: "segfault", reason: "the memory area there does not allow it" },
  },
  {
    name: "memory that is not there",
    text: `Oops - load access fault [#1]
${registers({ badaddr: "ffffffd700000000", cause: "05" })}`,
    told: {
      ...{ kind: "registers", headline: "Oops - load access fault [#1]" },
      address: 0xffffffd700000000n,
      reason: "the physical address may not be read, or nothing is there: no page-table cause",
    },
  },
  {
    name: "an instruction that is none",
    text: `Oops - illegal instruction [#1]
${registers({ badaddr: "0000000000000000", cause: "02" })}`,
    told: { address: null, access: null, reason: "not a page fault: the trap's cause is 2" },
  },
  {
    name: "32 bits",
    text: `Unable to handle kernel paging request at virtual address 00800000
Oops [#1]
epc : 4c054f91 ra : c0550330 sp : c0845ab0
status: 00000120 badaddr: 00800000 cause: 0000000f`,
    told: {
      ...{ address: 0x800000n, access: as(15n, { write: true }), at: "0x4c054f91" },
      reason: "no page was there, or it allowed less than that (the entries were not printed)",
    },
  },
  {
    name: "32 bits, of a kernel's address, as since 6.15",
    text: `Unable to handle kernel paging request at virtual address c0800000
Current cat pgtable: 4K pagesize, 32-bit VAs, pgdp=0x80600000
Oops [#1]
epc : c04f4f91 ra : c0550330 sp : c0845ab0
status: 00000120 badaddr: c0800000 cause: 0000000f`,
    told: {
      ...{ address: 0xc080_0000n, access: as(15n, { write: true }) },
      reason: "no page was there, or it allowed less than that (the entries were not printed)",
    },
  },
];

for (const { name, text, told } of SAMPLES) {
  Deno.test(`RISC-V's report of ${name}`, () => {
    const report = parseOops(text);
    for (const [key, value] of Object.entries(told)) {
      if (key !== "reason") assertEquals(report[key as keyof OopsReport], value, key);
    }
    assertEquals(RISCV_OOPS.reason(report), told.reason);
  });
}

Deno.test("a report's root, entries and access are held against the tables as they are", async () => {
  await using session = await connect("sim:riscv64");
  const text = withEntries(`${TABLES}0000000000000000`, "0d", SUM)
    .replaceAll("0000003fc0001000", "0000000000001000");
  const found = await explainOops(session, text);
  assertEquals(found.walk?.root, 0x87e00000n);
  // With three levels the top entry is printed as P4D and PUD, too.
  assertEquals(found.entries.map(({ table, change }) => `${table} ${change}`), [
    ...["PGD same", "PMD same", "PTE appeared"],
  ]);
  assertEquals(found.now?.outcome, "ok"); // SUM was set then
  const lines = oopsLines(found);
  assertEquals(
    lines[1],
    "then: a supervisor read to 0x1000 by cat (pid 83) at fault_write+0x6e/0xee4 [pagewalk_lab], " +
      "cause 0xd",
  );
  const user = await explainOops(session, text.replace(SUM, USER));
  assertEquals(user.now?.outcome, "ok");
  const closed = await explainOops(session, text.replace(SUM, "0000000200000120"));
  assertEquals(closed.now, {
    ...{ outcome: "pageFault", error: { code: 13, bits: ["load page fault"] } },
    reason: "U is set: the supervisor may not touch a user page while SUM is clear",
  });
});

Deno.test("a report of another architecture is not explained by this guest's tables", async () => {
  const x86 = "BUG: unable to handle page fault for address: 00007f1234567000";
  await using riscv = await connect("sim:riscv64");
  await assertRejects(() => explainOops(riscv, x86), InvalidArgumentError, "architecture is x86");
  await using pc = await connect("sim:");
  const text = oops("paging request", "ffffffff80002000", "0f");
  await assertRejects(() => explainOops(pc, text), InvalidArgumentError, "architecture is riscv");
  const arm = `Unable to handle kernel paging request at virtual address dfff800000000005
Mem abort info:
  ESR = 0x0000000096000004
Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP`;
  assertThrows(() => parseOops(arm), InvalidArgumentError, "No report");
  // What a program wrote into the log hides no report.
  const mixed = text.replace("Oops [#1]", "Oops [#1]\nInternal error: Oops: 5 [#1]");
  assertEquals(parseOops(mixed).address, 0xffffffff80002000n);
});

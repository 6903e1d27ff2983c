import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { parseVfioLog, readVfioLog } from "../../src/linux/vfio_log.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

const CLEARING = "VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x8000000034567867";
const CLEARED =
  "VFIO: Successfully cleared _PAGE_USER at vaddr 0x7f1234567000, new PTE: 0x8000000034567863";
const RECORD = {
  address: 0x7f1234567000n,
  oldEntry: 0x8000000034567867n,
  newEntry: 0x8000000034567863n,
};

/** Both records of a clearing. */
function clearing(old: string, left: string, address = "0x7f1234567000"): string[] {
  return [
    `VFIO: Clearing _PAGE_USER at vaddr ${address}, old PTE: ${old}`,
    `VFIO: Successfully cleared _PAGE_USER at vaddr ${address}, new PTE: ${left}`,
  ];
}

const PREFIXES = [
  "",
  "[   12.345678] ",
  "[Wed Nov 25 17:00:00 2026] ",
  "kern  :info  : [   12.345678] ",
  "kern  :warn  : [Wed Nov 25 17:00:00 2026] ",
  "[   12.345678][    T1] ",
  "[   12.345678] [   C0] ",
  "[   12.345678][ T1234] ",
  "<6>[   12.345678][  T123] ",
  "<6>",
  "6,339,5140900,-;",
  "4,339,5140900,-,caller=T1;",
  "Nov 22 10:00:00 vm kernel: ",
  "Nov 22 10:00:00.123456 vm kernel: ",
  "Nov  2 10:00:00 kernel: ",
  "2026-11-25T17:00:00+0000 vm-1.example kernel: ",
  "2026-11-25T17:00:00.123456+01:00 vm kernel: ",
  "Wed 2026-11-25 17:00:00 UTC vm kernel: ",
  "1764090000.123456 vm kernel: ",
  "[   12.345678] vm kernel: ",
  "Nov 22 10:00:00 vm kernel: [   12.345678] ",
  "Nov 22 10:00:00 vm kern.info kernel: [   12.345678] ",
  "<6>Nov 22 10:00:00 vm kernel: ",
  "[2026-11-25 17:00:00] [   12.345678] ",
  "17:00:00.123 [   12.345678] ",
  "\x1b[32m[   12.345678] \x1b[0m\x1b[33m",
  "[Nov25 17:00] ",
  "[  +0.000012] ",
];

Deno.test("the two records of a page become one, whatever known prefix stands before them", () => {
  for (const prefix of PREFIXES) {
    for (const end of ["\n", "\r\n", "\r\r\n", "  \n", "\x1b[0m\n"]) {
      const log = `${prefix}${CLEARING}${end}${prefix}${CLEARED}${end}`;
      assertEquals(parseVfioLog(log), [RECORD], JSON.stringify(prefix));
    }
  }
});

Deno.test("a record without its partner still names the page", () => {
  assertEquals(parseVfioLog(CLEARING), [{ address: RECORD.address, oldEntry: RECORD.oldEntry }]);
  assertEquals(parseVfioLog(CLEARED), [{ address: RECORD.address, newEntry: RECORD.newEntry }]);
});

Deno.test("records come in the order of the log, and other lines do not matter", () => {
  const text = `VFIO - User Level meta-driver\n${
    CLEARED.replace("7000", "9000")
  }\nVFIO: Clearing\n${CLEARED}\n`;
  assertEquals(parseVfioLog(text).map(({ address }) => address), [0x7f1234569000n, RECORD.address]);
  assertEquals(parseVfioLog(""), []);
});

Deno.test("what a program can bring into the log is no record", () => {
  const lines = [
    // A crashed program's name: at most 15 bytes, at the beginning.
    "VFIO: Clearing [123]: segfault at 7f1234567000 ip 0000000000401000 sp 00007ffc error 4 in a[1+2]",
    `traps: ${CLEARED}[84] general protection fault`,
    `process '/tmp/${CLEARED}' started with executable stack`,
    `x[1]: ${CLEARED}`,
    ` ${CLEARED}`,
    // Another logger's name, or its process id.
    `Nov 22 10:00:00 vm ${CLEARED}`,
    `Nov 22 10:00:00 vm kernel[77]: ${CLEARED}`,
    `Nov 22 10:00:00 vm sshd[77]: ${CLEARED}`,
    `2026-11-25T17:00:00+0000 vm logger: kernel: ${CLEARED}`,
    // A prefix within a prefix.
    `[   12.345678] [   12.345678] ${CLEARED}`,
    `[   12.345678] 6,339,5140900,-;${CLEARED}`,
    `[   12.345678] <6>${CLEARED}`,
  ];
  for (const line of lines) {
    assertEquals(readVfioLog(line), { records: [], fromPrograms: 0, isBare: false }, line);
  }
});

Deno.test("a record of another facility than the kernel's is counted, but says nothing", () => {
  for (const prefix of ["12,340,5,-;", "<14>", "<13>[   12.3] ", "user  :notice: [   12.3] "]) {
    assertEquals(
      readVfioLog(prefix + CLEARED),
      { records: [], fromPrograms: 1, isBare: false },
      prefix,
    );
  }
  const ring = [{ sequence: 0n, facility: 1, text: CLEARED }, {
    sequence: 1n,
    facility: 0,
    text: "",
  }];
  assertEquals(readVfioLog(ring), { records: [], fromPrograms: 1, isBare: false });
});

Deno.test("of a record with several lines the first alone counts", () => {
  const text = `process '/tmp/a\n${CLEARED}\n' started with executable stack`;
  const kernel = (text: string) => [{ sequence: 0n, facility: 0, text }];
  assertEquals(readVfioLog(kernel(text)).records, []);
  assertEquals(readVfioLog(kernel(`${CLEARED}\nand more`)).records.length, 1);
  // As a console prints it: the time before each line.
  const printed = text.split("\n").map((line) => `[   12.345678] ${line}`).join("\n");
  const [onConsole, ...more] = parseVfioLog(printed);
  assertEquals([onConsole!.address, more.length], [null, 0]);
  assertMatch(onConsole!.problem!, /in the middle of another record's lines/);
  // As others print it: without any.
  const [bare] = parseVfioLog(`[   12.345678] ${text}`);
  assertMatch(bare!.problem!, /lacks the prefix of the other lines/);
});

Deno.test("a record that cannot be read is one that names no page, and not the end", () => {
  const unreadable = [
    "VFIO: Clearing _PAGE_USER bit for 0x1000",
    "VFIO: Clearing _PAGE_USER",
    `${CLEARED} and more`,
    `${CLEARED}[84]: segfault at 0`,
    CLEARED.replace("0x7f1234567000", "0x7f1234567000123456789abcd"),
    CLEARED.replace("0x8000000034567863", "0x800000003456786300000000"),
    CLEARED.replace("0x7f1234567000", "0xffffffff81000000"),
    CLEARED.replace("0x7f1234567000", "0x100000000000000"),
    CLEARED.replace("new PTE", "old PTE"),
    CLEARED.replace("0x7f1234567000", "7f1234567000"),
  ];
  for (const line of unreadable) {
    const [bad, good] = parseVfioLog(`${line}\n${CLEARED}`);
    assertEquals(bad!.address, null, line);
    assert(bad!.problem!.length > 20);
    assertEquals(good, { address: RECORD.address, newEntry: RECORD.newEntry });
  }
});

Deno.test("accessed and dirty come and go, and the same may be said twice", () => {
  const lines = [...clearing("0x34567867", "0x34567803"), ...clearing("0x34567807", "0x34567863")];
  assertEquals(parseVfioLog(lines.join("\n")), [
    { address: RECORD.address, oldEntry: 0x34567807n, newEntry: 0x34567863n },
  ]);
  assertEquals(parseVfioLog(`${CLEARED}\n${CLEARED}\n${CLEARING}`), [RECORD]);
});

Deno.test("a later whole clearing with another entry stands, the earlier beside it", () => {
  const lines = [...clearing("0x34567867", "0x34567863"), ...clearing("0x55567867", "0x55567863")];
  assertEquals(parseVfioLog(lines.join("\n")), [{
    address: RECORD.address,
    oldEntry: 0x55567867n,
    newEntry: 0x55567863n,
    earlier: [{ oldEntry: 0x34567867n, newEntry: 0x34567863n }],
  }]);
  // Two processors at once: each pair is told by its entries.
  const [a, b, c, d] = lines as [string, string, string, string];
  assertEquals(parseVfioLog([a, c, d, b].join("\n"))[0]!.newEntry, 0x34567863n);
  assertEquals(parseVfioLog([a, c, b, d].join("\n"))[0]!.newEntry, 0x55567863n);
});

Deno.test("records that contradict each other name the page, but no entry, in every order", () => {
  const [clear, left] = clearing("0x34567867", "0x34567863") as [string, string];
  const [otherClear, otherLeft] = clearing("0x55567867", "0x55567863") as [string, string];
  const contradictions = [
    [left, otherLeft],
    [clear, otherClear],
    [clear, otherLeft],
    [clear, left, otherLeft],
    [otherLeft, clear, left],
    [clear, left, otherClear],
    [clear, otherLeft, left],
    [clear, left, left.replace("0x34567863", "0x34567861")],
  ];
  for (const lines of contradictions.flatMap((lines) => [lines, lines.toReversed()])) {
    const records = parseVfioLog(lines.join("\n"));
    assertEquals(records.length, 1);
    const { address, problem, ...entries } = records[0]!;
    assertEquals([address, entries], [RECORD.address, {}], lines.join("\n"));
    assertMatch(problem!, /^the log /);
  }
});

Deno.test("the first record of a log buffer that has wrapped may have lost its partner", () => {
  const lines = [CLEARED.replace("345678", "555678"), CLEARING, CLEARED];
  const ring = (from: bigint) =>
    lines.map((text, i) => ({ sequence: from + BigInt(i), facility: 0, text }));
  assertEquals(readVfioLog(ring(7n)).records[0]!.newEntry, RECORD.newEntry);
  assertEquals(readVfioLog(ring(0n)).records[0]!.newEntry, undefined);
});

Deno.test("a long line costs time in proportion to its length", () => {
  const long = (part: string) => part.repeat(Math.ceil((4 << 20) / part.length));
  const lines = [
    `VFIO: Clearing _PAGE_USER ${long("0x1 ")}`,
    `VFIO: Clearing _PAGE_USER at vaddr 0x${long("1")}`,
    `[   12.3] VFIO: Clearing _PAGE_USER at vaddr 0x1, old PTE: ${long("0x")}`,
    long("VFIO: Clearing _PAGE_USER "),
    long("<6>"),
    long(" "),
    long("[ 1.2]"),
    long("\x1b[0"),
    long("\r"),
    long("Nov 22 10:00:00 vm "),
  ];
  const start = cpuTimeMs();
  for (const line of lines) readVfioLog(line);
  // 40 MiB. Reading them took quadratic time once: 18 s for 0.8 MB.
  assertLess(cpuTimeMs() - start, 30_000);
});

Deno.test("a text whose lines have no prefix is known as one that any user can have written", () => {
  assertEquals(readVfioLog(`Linux version 6.1\n${CLEARED}`).isBare, true);
  assertEquals(readVfioLog(`[    1.000000] ${CLEARED}`).isBare, false);
  assertEquals(readVfioLog("nothing of it").isBare, false);
});

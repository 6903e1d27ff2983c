import { assertEquals } from "@std/assert";
import { parseVfioLog } from "../../src/linux/vfio_log.ts";

const CLEARING = "VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x8000000034567867";
const CLEARED =
  "VFIO: Successfully cleared _PAGE_USER at vaddr 0x7f1234567000, new PTE: 0x8000000034567863";
const RECORD = {
  address: 0x7f1234567000n,
  oldEntry: 0x8000000034567867n,
  newEntry: 0x8000000034567863n,
};

Deno.test("the two lines of a page become one record, whatever stands before them", () => {
  const prefixes = ["", "[   12.345678] ", "<6>[   12.3][  T123] ", "Nov 22 10:00:00 vm kernel: "];
  for (const prefix of prefixes) {
    assertEquals(parseVfioLog(`${prefix}${CLEARING}\r\n${prefix}${CLEARED}\r\n`), [RECORD]);
  }
});

Deno.test("a line without its partner or without an entry still names the page", () => {
  assertEquals(parseVfioLog(CLEARING), [{ address: RECORD.address, oldEntry: RECORD.oldEntry }]);
  assertEquals(parseVfioLog(CLEARED), [{ address: RECORD.address, newEntry: RECORD.newEntry }]);
  assertEquals(parseVfioLog("VFIO: Clearing _PAGE_USER bit for 0x1000"), [{ address: 0x1000n }]);
});

Deno.test("an address that was cleared again has the record of the last time", () => {
  const again = "VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x867";
  assertEquals(parseVfioLog([CLEARING, CLEARED, again].join("\n")), [
    { address: RECORD.address, oldEntry: 0x867n },
  ]);
});

Deno.test("records come in the order of the log, and other lines do not matter", () => {
  const text = `VFIO - User Level meta-driver\n${
    CLEARED.replace("7000", "9000")
  }\nVFIO: Clearing\n${CLEARED}\n`;
  assertEquals(parseVfioLog(text).map(({ address }) => address), [0x7f1234569000n, RECORD.address]);
  assertEquals(parseVfioLog(""), []);
});

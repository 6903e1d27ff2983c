import { assert, assertEquals } from "@std/assert";
import { simulatedGuest } from "../../src/testing/mod.ts";
import { SEEN } from "./_seen_answers.ts";

Deno.test("monitor text: what QEMU 7.2.22 was seen to answer", () => {
  const guest = simulatedGuest();
  for (const [command, answer] of SEEN) assertEquals(guest.command(command), answer, command);
});

Deno.test("monitor text: help lists each command once, in order", () => {
  const guest = simulatedGuest();
  const names = guest.command("help").trimEnd().split("\n").map((line) => line.split(" ")[0]!);
  assertEquals(names, names.toSorted());
  assertEquals(new Set(names).size, names.length);
  assertEquals(guest.command("?"), guest.command("help"));
  const infos = guest.command("info");
  assertEquals(infos, guest.command("help info"));
  assert(infos.split("\n").slice(0, -1).every((line) => line.startsWith("info ")));
});

Deno.test("monitor text: x follows the vCPU's tables across pages", () => {
  const guest = simulatedGuest();
  const { cleared, neverTouched } = guest.addresses;
  const text = guest.command(`x /24c ${cleared + 0x1000n}`);
  assert(text.startsWith("00007f1234568000: 'D' 'M' 'A' ' ' 'p' 'a' 'g' 'e' ' ' '1' '\\n'"));
  // The row starts in one page and ends in the next, which lies in another frame.
  const across = guest.command(`x /4wx ${cleared + 0x1ff8n}`);
  assertEquals(across, "00007f1234568ff8: 0x00000000 0x00000000 0x20414d44 0x65676170\n");
  assertEquals(
    guest.command(`x /1gx ${neverTouched - 8n}`) + guest.command(`x /2gx ${neverTouched - 8n}`),
    "00007f2000002ff8: 0x0000000000000000\n00007f2000002ff8: Cannot access memory\n",
  );
  guest.command("cpu 1");
  assertEquals(guest.command(`x /1gx ${cleared}`), "00007f1234567000: Cannot access memory\n");
});

Deno.test("monitor text: no line makes a session throw", () => {
  const guest = simulatedGuest();
  const lines = [
    "",
    " ",
    "/",
    "x",
    "xp /",
    "x/",
    "info /",
    "print $",
    "print '",
    "print ''",
    "(",
    "xp (((",
    "help help",
    "help info foo bar",
    "? ?",
    "\x00",
    "cpu 1e9",
    "-",
    "print 1 +",
  ];
  for (const line of lines) assertEquals(typeof guest.command(line), "string", line);
});

import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  BannerFramer,
  encodeCommand,
  FramingError,
  ReplyFramer,
} from "../../src/monitor/hmp_codec.ts";
import {
  bytesOf,
  recorded,
  replyText,
  TYPED_AHEAD_ECHO,
  type Version,
  VERSIONS,
} from "./_fixtures.ts";
import { echoOf } from "./_line_editor.ts";
import { cpuTimeMs } from "../_cpu_time.ts";

const COMMANDS: Record<string, string> = {
  "hmp-info_status": "info status",
  "hmp-info_registers_a": "info registers -a",
  "hmp-xp_2gx_0x1000": "xp /2gx 0x1000",
  "hmp-xp": "xp",
  "hmp-bogus_command": "bogus command",
  "hmp-info_mtree_f": "info mtree -f",
  "hmp-stop": "stop",
};

/** Pushes the bytes in pieces; returns after how many bytes the framer called the reply complete. */
function pushIn(framer: { push(bytes: Uint8Array): boolean }, bytes: Uint8Array, cuts: number[]) {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + cuts[i % cuts.length]!);
    if (framer.push(bytes.subarray(at, end))) return end;
    at = end;
  }
  return null;
}

function stream(version: Version, name: string): Uint8Array {
  return Uint8Array.from([...recorded(version, name), ...bytesOf(TYPED_AHEAD_ECHO)]);
}

Deno.test("encodeCommand() types a blank ahead, behind the line end", () => {
  assertEquals(encodeCommand("info status"), bytesOf("info status\n "));
});

for (const version of VERSIONS) {
  Deno.test(`BannerFramer knows the first prompt of ${version}, one byte at a time`, () => {
    const framer = new BannerFramer();
    const bytes = recorded(version, "hmp-banner");
    assertEquals(pushIn(framer, bytes, [1]), bytes.length);
    assert(framer.text.startsWith(`QEMU ${version} monitor`));
  });

  for (const [name, line] of Object.entries(COMMANDS)) {
    Deno.test(`ReplyFramer reads ${name} of ${version}, at once and one byte at a time`, () => {
      const bytes = stream(version, name);
      for (const cuts of [[bytes.length], [1]]) {
        const framer = new ReplyFramer(line);
        assertEquals(pushIn(framer, bytes, cuts), bytes.length);
        assertEquals(framer.text(), replyText(version, name));
      }
    });
  }

  Deno.test(`QEMU ${version} answers what is typed ahead right behind the prompt`, () => {
    // Two commands in one write: the second one's first character shows as the blank would.
    const text = new TextDecoder().decode(recorded(version, "hmp-pipelined"));
    assert(text.includes("VM status: running\r\n(qemu) i\x1b[K\x1b[Din\x1b[K"));
  });
}

Deno.test("ReplyFramer reads recorded replies cut at random", () => {
  const cases = VERSIONS.flatMap((version) =>
    Object.entries(COMMANDS).map(([name, line]) => ({ version, name, line }))
  );
  fc.assert(fc.property(
    fc.constantFrom(...cases),
    fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 }),
    ({ version, name, line }, cuts) => {
      const framer = new ReplyFramer(line);
      const bytes = stream(version, name);
      assertEquals(pushIn(framer, bytes, cuts), bytes.length);
      assertEquals(framer.text(), replyText(version, name));
    },
  ));
});

Deno.test("ReplyFramer gives back any output, prompts in it or not, however it is cut", () => {
  const piece = fc.constantFrom(
    "(qemu) ",
    "(qemu)",
    "\r\n(qemu) ",
    "\r\n",
    " ",
    "a",
    "é",
    "\x1b[K",
    "x",
  );
  fc.assert(fc.property(
    fc.array(piece).map((pieces) => pieces.join("")).filter((text) =>
      !text.includes("(qemu)  \x1b")
    ),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
    fc.boolean(),
    (output, cuts, first) => {
      const framer = new ReplyFramer("info name");
      const echo = echoOf("info name", first ? "" : " ");
      const bytes = new TextEncoder().encode(`${echo}${output}(qemu) ${TYPED_AHEAD_ECHO}`);
      assertEquals(pushIn(framer, bytes, cuts), bytes.length);
      const expected = output.replaceAll("\r\n", "\n");
      assertEquals(framer.text(), expected.endsWith("\n") ? expected.slice(0, -1) : expected);
    },
  ));
});

Deno.test("ReplyFramer is not deceived by a prompt where a chunk ends", () => {
  const framer = new ReplyFramer("info name");
  assertEquals(framer.push(bytesOf(`${echoOf("info name")}a\r\n(qemu) `)), false);
  assertEquals(framer.push(bytesOf("b\r\n(qemu) ")), false);
  assertEquals(framer.push(bytesOf(TYPED_AHEAD_ECHO)), true);
  assertEquals(framer.text(), "a\n(qemu) b");
});

Deno.test("ReplyFramer reads output without a last line end, and none at all", () => {
  for (
    const [output, text] of [["abc", "abc"], ["", ""], ["\r\n", ""], ["\r\n\r\n", "\n"]] as const
  ) {
    const framer = new ReplyFramer("info x");
    assert(framer.push(bytesOf(`${echoOf("info x", " ")}${output}(qemu) ${TYPED_AHEAD_ECHO}`)));
    assertEquals(framer.text(), text);
  }
});

Deno.test("ReplyFramer refuses another command's echo, and an echo without end", () => {
  const other = new ReplyFramer("info status");
  assertThrows(
    () => other.push(bytesOf(echoOf("info cpus"))),
    FramingError,
    "not that of the command",
  );
  const endless = new ReplyFramer("xp");
  assertThrows(() => endless.push(new Uint8Array(100)), FramingError, "no end");
});

Deno.test("ReplyFramer keeps nothing of a reply that nobody wants, and still finds its end", () => {
  const framer = new ReplyFramer("info tlb");
  framer.push(bytesOf(echoOf("info tlb")));
  for (let i = 0; i < 100; i++) framer.push(new Uint8Array(10_000).fill(0x61));
  assertEquals(framer.lengthBytes, 1_000_000);
  framer.discard();
  assert(framer.lengthBytes < 20);
  for (let i = 0; i < 100; i++) assertEquals(framer.push(new Uint8Array(10_000).fill(0x61)), false);
  assert(framer.lengthBytes < 20);
  assertEquals(pushIn(framer, bytesOf(`(qemu) ${TYPED_AHEAD_ECHO}`), [1]), 11);
});

Deno.test("ReplyFramer takes 64 MiB in small chunks in linear time", () => {
  const framer = new ReplyFramer("info tlb");
  framer.push(bytesOf(echoOf("info tlb")));
  const chunk = new Uint8Array(1024).fill(0x61);
  const started = cpuTimeMs();
  for (let i = 0; i < 64 * 1024; i++) framer.push(chunk);
  assert(framer.push(bytesOf(`(qemu) ${TYPED_AHEAD_ECHO}`)));
  assertEquals(framer.text().length, 64 * 1024 * 1024);
  assert(cpuTimeMs() - started < 30_000);
});

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeHex,
  encodeHex,
  encodePacket,
  PacketFramer,
} from "../../src/connectors/gdbstub/packet.ts";
import { includedFiles, registerNumbers } from "../../src/connectors/gdbstub/target_description.ts";
import { FramingError } from "../../src/monitor/hmp_codec.ts";

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const textOf = (bytes: Uint8Array) => String.fromCharCode(...bytes);

Deno.test("packets are those that QEMU was seen to take", () => {
  for (const packet of ["$qSupported#37", "$p1d#05", "$Hg2#e1", "$D#44", "$D;1#b0", "$?#3f"]) {
    assertEquals(encodePacket(packet.slice(1, -3)), packet);
  }
});

Deno.test("whatever is encoded is decoded, however the bytes are cut", () => {
  const ascii = fc.string({
    unit: fc.integer({ min: 0, max: 127 }).map((c) => String.fromCharCode(c)),
  });
  fc.assert(fc.property(fc.array(ascii, { maxLength: 4 }), fc.nat(20), (texts, cut) => {
    const bytes = latin1(texts.map((text) => `+${encodePacket(text)}`).join(""));
    const framer = new PacketFramer();
    const found: string[] = [];
    for (let at = 0; at < bytes.length; at += cut + 1) {
      for (const data of framer.push(bytes.subarray(at, at + cut + 1))) found.push(textOf(data));
    }
    assertEquals(found, texts);
  }));
});

Deno.test("run lengths are written out, escapes undone", () => {
  const packet = (data: string) => {
    const sum = latin1(data).reduce((total, byte) => (total + byte) & 0xff, 0);
    return latin1(`$${data}#${sum.toString(16).padStart(2, "0")}`);
  };
  // The manual's own example: `0* ` stands for "0000".
  assertEquals(new PacketFramer().push(packet("0* ")).map(textOf), ["0000"]);
  assertEquals(new PacketFramer().push(packet("x}\x03y")).map(textOf), ["x#y"]);
  for (const bad of ["*!", "ab}", "ab*", "a*\x1f"]) {
    assertThrows(() => new PacketFramer().push(packet(bad)), FramingError);
  }
});

Deno.test("what is damaged is an error", () => {
  for (const bad of ["$OK#9b", "$OK#zz", "-", "QEMU 7.2.22 monitor", "\x00"]) {
    assertThrows(() => new PacketFramer().push(latin1(bad)), FramingError);
  }
  assertThrows(() => new PacketFramer().push(latin1(`$${"0".repeat(2 << 20)}`)), FramingError);
});

Deno.test("hex digits", () => {
  assertEquals(encodeHex("info\x01"), "696e666f01");
  assertEquals(decodeHex(latin1("00fFa5")), new Uint8Array([0, 0xff, 0xa5]));
  assertEquals([decodeHex(latin1("E14")), decodeHex(latin1("zz"))], [null, null]);
});

Deno.test("registers are numbered as QEMU numbers them, comments left out", async () => {
  const fixture = new URL("../fixtures/gdbstub/i386-64bit.xml.txt", import.meta.url);
  const numbers = registerNumbers(await Deno.readTextFile(fixture));
  const names = ["rip", "eflags", "cs", "fs_base", "k_gs_base", "cr0", "cr2", "cr3", "cr4", "efer"];
  assertEquals(names.map((name) => numbers.get(name)), [16, 17, 18, 24, 26, 27, 28, 29, 30, 32]);
  assertEquals(
    registerNumbers('<reg name="a"/><reg name="b" regnum="7"/><reg name="c"/>').get("c"),
    8,
  );
  assertEquals(includedFiles('<!-- <xi:include href="no"/> --><xi:include href="i.xml"/>'), [
    "i.xml",
  ]);
});

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { startsTelnet, TelnetFilter } from "../../src/monitor/_hmp_wire.ts";

/** What QEMU greets with on a telnet port (5.2 to 11.1). */
const GREETING = [0xff, 0xfb, 0x01, 0xff, 0xfb, 0x03, 0xff, 0xfb, 0x00, 0xff, 0xfd, 0x00];

Deno.test("TelnetFilter takes QEMU's greeting out, one byte at a time", () => {
  const filter = new TelnetFilter();
  const data = [...GREETING, 0x51, 0x45].flatMap((byte) => [...filter.push(Uint8Array.of(byte))]);
  assertEquals(data, [0x51, 0x45]);
});

Deno.test("TelnetFilter passes plain data through untouched", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  assertStrictEquals(new TelnetFilter().push(bytes), bytes);
});

Deno.test("TelnetFilter reads a doubled 0xFF as one, and skips subnegotiations", () => {
  const filter = new TelnetFilter();
  const bytes = [1, 0xff, 0xff, 2, 0xff, 0xfa, 24, 0xff, 0xff, 9, 0xff, 0xf0, 3, 0xff, 0xf1, 4];
  assertEquals([...filter.push(Uint8Array.from(bytes))], [1, 0xff, 2, 3, 4]);
});

Deno.test("TelnetFilter gives the same data however the stream is cut", () => {
  const piece = fc.oneof(
    fc.integer({ min: 0, max: 0xfe }).map((byte) => ({ wire: [byte], data: [byte] })),
    fc.constant({ wire: [0xff, 0xff], data: [0xff] }),
    fc.tuple(fc.integer({ min: 0xfb, max: 0xfe }), fc.nat(0xff))
      .map(([command, option]) => ({ wire: [0xff, command, option], data: [] })),
    fc.constant({ wire: [0xff, 0xf1], data: [] }),
    fc.array(fc.nat(0xfe)).map((sub) => ({ wire: [0xff, 0xfa, ...sub, 0xff, 0xf0], data: [] })),
  );
  fc.assert(
    fc.property(fc.array(piece), fc.array(fc.integer({ min: 1, max: 9 })), (pieces, cuts) => {
      const wire = Uint8Array.from(pieces.flatMap((one) => one.wire));
      const filter = new TelnetFilter();
      const data: number[] = [];
      for (let at = 0, i = 0; at < wire.length; i++) {
        const end = at + (cuts[i % (cuts.length || 1)] ?? wire.length);
        data.push(...filter.push(wire.subarray(at, end)));
        at = end;
      }
      assertEquals(data, pieces.flatMap((one) => [...one.data]));
    }),
  );
});

Deno.test("startsTelnet() goes by the first byte", () => {
  assert(startsTelnet(Uint8Array.from(GREETING)));
  assert(!startsTelnet(new TextEncoder().encode("QEMU")));
  assert(!startsTelnet(new Uint8Array()));
});

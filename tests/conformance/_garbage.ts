import type { SocketConnector } from "./_socket_connectors.ts";

/** Bytes that no connector's peer says at that moment, by what is wrong with them. */
export type Garbage = [name: string, bytes: Uint8Array];

const encoder = new TextEncoder();
const MIB = 1 << 20;

/** The same bytes in each run, and any value among them (a linear congruential generator). */
function randomBytes(lengthBytes: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length: lengthBytes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

const ANY: Garbage[] = [
  ["random bytes", randomBytes(300, 7)],
  ["other random bytes", randomBytes(5000, 23)],
  ["0xff", new Uint8Array(300).fill(0xff)],
  ["zeros", new Uint8Array(300)],
  ["a line without end", new Uint8Array(MIB).fill("x".charCodeAt(0))],
  ["lines without end", encoder.encode("(qemu) x\r\n".repeat(20_000))],
];

const QMP: readonly (readonly [string, string])[] = [
  ["a reply that is not text", '{"return": 5, "id": 1}'],
  ["a reply to nothing asked", '{"return": "VM status: on fire\\r\\n", "id": 99999}'],
  ["a reply without id", '{"return": "VM status: on fire\\r\\n"}'],
  ["an error that is none", '{"error": "no", "id": 1}'],
  ["an error without words", '{"error": {}, "id": 1}'],
  ["an event that is none", '{"event": 5}'],
  ["an array", "[]"],
  ["null", "null"],
  ["a second greeting", '{"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 1}}}}'],
  ["half an object", '{"return": '],
  ["arrays without end", "[".repeat(200_000)],
];

/** Checksums are right unless the name says otherwise. */
const GDB: readonly (readonly [string, string])[] = [
  ["OK", packet("OK")],
  ["an error", packet("E01")],
  ["nothing", packet("")],
  ["a stop", packet("T05thread:01;")],
  ["console output", packet("O4142")],
  ["threads", packet("m1,2,3")],
  ["eight bytes", packet("0011223344556677")],
  ["a wrong checksum", "$OK#00"],
  ["no checksum", "$OK#zz"],
  ["a packet in a packet", "$$OK#9a"],
  ["a repetition of nothing", packet("*~")],
  ["an escape of nothing", packet("OK}")],
  ["a refusal of what was sent", "-"],
];

function packet(data: string): string {
  const sum = [...data].reduce((total, character) => total + character.charCodeAt(0), 0) & 0xff;
  return `$${data}#${sum.toString(16).padStart(2, "0")}`;
}

/** What may come over a connector by mistake. */
export function garbageFor({ option }: SocketConnector): Garbage[] {
  if (option === "monitor") return ANY;
  const own: Garbage[] = option === "qmp"
    ? QMP.map(([name, text]) => [name, encoder.encode(`${text}\r\n`)])
    : GDB.map(([name, text]) => [name, encoder.encode(text)]);
  return [...ANY, ...own];
}

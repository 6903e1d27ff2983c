/**
 * Peers that never come to an end: what they do, for each language. They serve on loopback, and their
 * clients run in a process of their own, so that neither slows the other down.
 */
import { LineEditor } from "../monitor/_line_editor.ts";

/** Takes what the client has sent, and says what comes next: some bytes, or the flood. */
type Answer = (received: string) => string | typeof FLOOD;

/** From here on nothing but the flood. */
const FLOOD = Symbol("flood");

/** One peer, and what is wrong with it. */
export interface HostilePeer {
  readonly name: string;
  /** What goes before the port for a client. */
  readonly prefix: "" | "qmp:" | "gdb:";
  /** What it says first. */
  readonly greeting: string | typeof FLOOD;
  /** What it says over and over. */
  readonly flood: string;
  /** What it answers until then; made anew for each connection. */
  answers?(): Answer;
}

const BANNER = "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ";
const GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}\r\n';
const PIECE = 64 * 1024;
const EVENT_START =
  '{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "X", "data": {"x": "';

const HMP: HostilePeer[] = [
  hmp("bytes before the banner", FLOOD, "x".repeat(PIECE)),
  hmp("lines before the banner", FLOOD, "QEMU is a fine thing\r\n".repeat(3000)),
  hmp("telnet commands", FLOOD, "\xff\xfb\x01".repeat(20_000)),
  hmp("an echo without end", BANNER, "i".repeat(PIECE)),
  { ...hmp("a reply of lines without end", BANNER, "xx\r\n".repeat(16_000)), answers: echoes },
  { ...hmp("a reply of one line without end", BANNER, "x".repeat(PIECE)), answers: echoes },
  { ...hmp("a reply of prompts without end", BANNER, "(qemu) ".repeat(9000)), answers: echoes },
];

const QMP: HostilePeer[] = [
  qmp("a greeting without end", FLOOD, "{".repeat(PIECE)),
  qmp("greetings without end", FLOOD, GREETING.repeat(900)),
  qmp("events before the greeting", FLOOD, `${EVENT_START}x"}}\r\n`.repeat(600)),
  {
    ...qmp("events and no reply", GREETING, `${EVENT_START}x"}}\r\n`.repeat(600)),
    answers: accepts,
  },
  {
    ...qmp("events of 3 MB and no reply", GREETING, `${EVENT_START}${"x".repeat(3e6)}"}}\r\n`),
    answers: accepts,
  },
  { ...qmp("a reply without end", GREETING, '{"return": "'.repeat(5000)), answers: accepts },
  { ...qmp("empty lines without end", GREETING, "\r\n".repeat(30_000)), answers: accepts },
];

const GDB: HostilePeer[] = [
  gdb("acknowledgements from the start", "+".repeat(PIECE), () => FLOOD),
  gdb("a first packet without end", "$" + "a".repeat(PIECE), () => FLOOD),
  gdb("stops without end", packet("T05thread:01;").repeat(4000), afterGreeting(() => FLOOD)),
  gdb("acknowledgements and no reply", "+".repeat(PIECE), afterGreeting(() => FLOOD)),
  gdb(
    "console output without end",
    packet("O" + "41".repeat(500)).repeat(60),
    (request) => request === consoleRequest("info version") ? "" : FLOOD,
  ),
  gdb(
    "packets that repeat without end",
    packet("x" + "*~".repeat(500_000)),
    afterGreeting(() => FLOOD),
  ),
  gdb("a description without end", "", afterGreeting(() => packet("m" + "<".repeat(0x7f0)))),
  gdb("a description of nothing", "", afterGreeting(() => packet("m"))),
  gdb("a description of comments", "", afterGreeting(() => packet("l" + "<!--".repeat(250_000)))),
  gdb(
    "a description of many files",
    "",
    afterGreeting(() => packet("l" + '<xi:include href="a"/>'.repeat(20_000))),
  ),
  gdb(
    "threads without end",
    "",
    afterGreeting((request) =>
      /ThreadInfo/.test(request) ? packet("m" + "1,".repeat(500) + "1") : description()
    ),
  ),
  gdb(
    "a register of half a megabyte",
    "",
    afterGreeting((request) => {
      if (request.startsWith("p")) return packet("11".repeat(500_000));
      if (request.startsWith("Hg")) return packet("OK");
      if (request.startsWith("qf")) return packet("m1");
      return request.startsWith("qs") ? packet("l") : description();
    }),
  ),
];

/** All of them. */
export const HOSTILE_PEERS: readonly HostilePeer[] = [...HMP, ...QMP, ...GDB];

function hmp(name: string, greeting: HostilePeer["greeting"], flood: string): HostilePeer {
  return { name, prefix: "", greeting, flood };
}

function qmp(name: string, greeting: HostilePeer["greeting"], flood: string): HostilePeer {
  return { name, prefix: "qmp:", greeting, flood };
}

function gdb(name: string, flood: string, answer: Answer): HostilePeer {
  return { name, prefix: "gdb:", greeting: "", flood, answers: () => byPacket(answer) };
}

/** Echoes the first line as QEMU does; then comes the flood. */
function echoes(): Answer {
  const editor = new LineEditor();
  return (received) => {
    let echoed = "";
    for (const character of received) {
      const { echo, line } = editor.type(character.charCodeAt(0));
      echoed += echo;
      if (line !== null) return FLOOD;
    }
    return echoed;
  };
}

/** Accepts `qmp_capabilities`; then comes the flood. */
function accepts(): Answer {
  return (received) =>
    received.includes("qmp_capabilities") ? '{"return": {}, "id": 0}\r\n' : FLOOD;
}

/** Answers packet by packet. */
function byPacket(answer: Answer): Answer {
  let pending = "";
  return (received) => {
    pending += received;
    let said = "";
    for (let end; (end = /#[0-9a-f]{2}/.exec(pending)) !== null;) {
      const request = pending.slice(pending.indexOf("$") + 1, end.index);
      pending = pending.slice(end.index + end[0].length);
      const next = answer(request);
      if (next === FLOOD) return FLOOD;
      said += next;
    }
    return said;
  };
}

/** Greets as QEMU 7.2 does; then does otherwise. */
function afterGreeting(answer: Answer): Answer {
  return (request) => {
    if (request.startsWith("qSupported")) return packet("PacketSize=1000;qXfer:features:read+");
    if (request.startsWith("Qqemu")) return packet("OK");
    if (request !== consoleRequest("info version")) return answer(request);
    return packet("O" + hex("7.2.22\r\n")) + packet("OK");
  };
}

function description(): string {
  const names = ["rip", "eflags", "cs", "cr0", "cr2", "cr3", "cr4", "efer"];
  return packet("l" + names.map((name) => `<reg name="${name}"/>`).join(""));
}

function consoleRequest(line: string): string {
  return `qRcmd,${hex(line)}`;
}

function hex(text: string): string {
  return [...text].map((character) => character.charCodeAt(0).toString(16).padStart(2, "0")).join(
    "",
  );
}

function packet(data: string): string {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data.charCodeAt(i);
  return `$${data}#${(sum & 0xff).toString(16).padStart(2, "0")}`;
}

/** Serves one peer. Only its first connection is hostile: then a gdbstub says OK to all. */
export class HostileServer implements AsyncDisposable {
  readonly port: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #served: Promise<void>;

  constructor(peer: HostilePeer) {
    this.port = this.#listener.addr.port;
    this.#served = this.#serve(peer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) end(connection);
    await this.#served;
  }

  async #serve(peer: HostilePeer): Promise<void> {
    const meek: HostilePeer = {
      ...peer,
      greeting: "",
      answers: () => byPacket(() => packet("OK")),
    };
    const serving: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      const which = peer.prefix === "gdb:" && serving.length > 0 ? meek : peer;
      serving.push(
        talk(connection, which).catch(ignoreGone).finally(() => {
          end(connection);
          this.#open.delete(connection);
        }),
      );
    }
    await Promise.all(serving);
  }
}

async function talk(connection: Deno.Conn, peer: HostilePeer): Promise<void> {
  const answer = peer.answers?.() ?? (() => FLOOD);
  const buffer = new Uint8Array(PIECE);
  for (let say = peer.greeting;;) {
    const isFlood = say === FLOOD;
    const bytes = latin1(isFlood ? peer.flood : say as string);
    do {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    } while (isFlood);
    const count = await connection.read(buffer);
    if (count === null) return;
    say = answer(new TextDecoder("latin1").decode(buffer.subarray(0, count)));
  }
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
}

function ignoreGone(error: unknown): void {
  const { BrokenPipe, ConnectionReset, BadResource, Interrupted } = Deno.errors;
  const gone = [BrokenPipe, ConnectionReset, BadResource, Interrupted];
  if (!gone.some((type) => error instanceof type)) throw error;
}

function end(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

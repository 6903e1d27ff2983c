/**
 * Peers that never come to an end: what they do, for each language. They serve on loopback, and their
 * clients run in a process of their own, so that neither slows the other down.
 */
import { LineEditor } from "../monitor/_line_editor.ts";

/** What comes next: some bytes, and behind them the flood or what the client says. */
interface Saying {
  say: string;
  floods?: boolean;
}

/** Takes what the client has sent, and says what comes next. */
type Answer = (received: string) => Saying;

/** One peer, and what is wrong with it. */
export interface HostilePeer {
  readonly name: string;
  /** What goes before the port for a client. */
  readonly prefix: "" | "qmp:" | "gdb:";
  /** What it says first. */
  readonly greeting: Saying;
  /** What it says over and over. */
  readonly flood: string;
  /** What it answers until then; made anew for each connection. */
  answers(): Answer;
}

const FLOOD: Saying = { say: "", floods: true };
const SILENT: Saying = { say: "" };
const BANNER = "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ";
const GREETING = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}}}\r\n';
const PIECE = 64 * 1024;

const HMP: HostilePeer[] = [
  hmp("bytes before the banner", FLOOD, "x".repeat(PIECE)),
  hmp("lines before the banner", FLOOD, "QEMU is a fine thing\r\n".repeat(3000)),
  hmp("telnet commands", FLOOD, "\xff\xfb\x01".repeat(20_000)),
  hmp("an echo without end", { say: BANNER }, "i".repeat(PIECE)),
  hmp("a reply of lines", { say: BANNER }, "xx\r\n".repeat(16_000), echoes),
  hmp("a reply of one line", { say: BANNER }, "x".repeat(PIECE), echoes),
  hmp("a reply of prompts", { say: BANNER }, "(qemu) ".repeat(9000), echoes),
];

const QMP: HostilePeer[] = [
  qmp("a greeting without end", FLOOD, "{".repeat(PIECE)),
  qmp("greetings", FLOOD, GREETING.repeat(900)),
  qmp("events before the greeting", FLOOD, event("x").repeat(600)),
  qmp("events and no reply", { say: GREETING }, event("x").repeat(600)),
  qmp("events of 1 MB and no reply", { say: GREETING }, event("x".repeat(1_000_000))),
  qmp("a reply without end", { say: GREETING }, '{"return": "'.repeat(5000)),
  qmp("empty lines", { say: GREETING }, "\r\n".repeat(30_000)),
];

const GDB: HostilePeer[] = [
  gdb("acknowledgements from the start", "+".repeat(PIECE), () => FLOOD),
  gdb("a first packet without end", "$" + "a".repeat(PIECE), () => FLOOD),
  gdb("stops", packet("T05thread:01;").repeat(4000), greets(() => FLOOD)),
  gdb("acknowledgements and no reply", "+".repeat(PIECE), greets(() => FLOOD)),
  gdb("a packet without end", "$" + "a".repeat(PIECE), greets(() => FLOOD)),
  gdb("a packet that repeats", packet("x" + "*~".repeat(500_000)), greets(() => FLOOD)),
  gdb(
    "console output",
    packet("O" + "41".repeat(500)).repeat(60),
    greets((request) => request.startsWith("qRcmd") ? FLOOD : answersRegisters(request)),
  ),
  gdb("threads", "", greets((request) => request.includes("ThreadInfo") ? THREADS : SILENT)),
  gdb("a description", "", describes("m" + "<".repeat(0x7f0))),
  gdb("a description of nothing", "", describes("m")),
  gdb("a description of comments", "", describes("l" + "<!--".repeat(250_000))),
  gdb("a description of tags", "", describes("l" + "<reg".repeat(250_000))),
  gdb("a description of files", "", describes("l" + '<xi:include href="a"/>'.repeat(20_000))),
  gdb(
    "a register of half a megabyte",
    "",
    greets((request) =>
      request.startsWith("p") ? { say: packet("11".repeat(500_000)) } : answersRegisters(request)
    ),
  ),
];

/** All of them. */
export const HOSTILE_PEERS: readonly HostilePeer[] = [...HMP, ...QMP, ...GDB];

/** A gdbstub that says OK to all. */
export const MEEK_GDBSTUB: HostilePeer = gdb("nothing", "", () => ({ say: packet("OK") }));

function hmp(
  name: string,
  greeting: Saying,
  flood: string,
  answers: () => Answer = () => () => FLOOD,
): HostilePeer {
  return { name, prefix: "", greeting, flood, answers };
}

function qmp(name: string, greeting: Saying, flood: string): HostilePeer {
  return { name, prefix: "qmp:", greeting, flood, answers: () => accepts };
}

function gdb(name: string, flood: string, answer: Answer): HostilePeer {
  return { name, prefix: "gdb:", greeting: SILENT, flood, answers: () => byPacket(answer) };
}

/** Echoes the first line as QEMU does; then comes the flood. */
function echoes(): Answer {
  const editor = new LineEditor();
  return (received) => {
    let say = "";
    for (const character of received) {
      const { echo, line } = editor.type(character.charCodeAt(0));
      say += echo;
      if (line !== null) return { say, floods: true };
    }
    return { say };
  };
}

/** Accepts `qmp_capabilities`; then comes the flood. */
function accepts(received: string): Saying {
  return received.includes("qmp_capabilities") ? { say: '{"return": {}, "id": 0}\r\n' } : FLOOD;
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
      const { say, floods } = answer(request);
      said += say;
      if (floods) return { say: said, floods };
    }
    return { say: said };
  };
}

/** Greets as QEMU 7.2 does; then does otherwise. */
function greets(answer: Answer): Answer {
  return (request) => {
    if (request.startsWith("qSupported")) {
      return { say: packet("PacketSize=1000;qXfer:features:read+") };
    }
    if (request.startsWith("Qqemu")) return { say: packet("OK") };
    if (request !== `qRcmd,${hex("info version")}`) return answer(request);
    return { say: packet("O" + hex("7.2.22\r\n")) + packet("OK") };
  };
}

const THREADS: Saying = { say: packet(`m${"1,".repeat(500)}1`) };

/** One vCPU, whose registers are all 0. */
function answersRegisters(request: string): Saying {
  const names = ["rip", "eflags", "cs", "cr0", "cr2", "cr3", "cr4", "efer"];
  const description = names.map((name) => `<reg name="${name}"/>`).join("");
  const replies: [RegExp, string][] = [
    [/^qf/, "m1"],
    [/^qs/, "l"],
    [/^qX/, `l${description}`],
    [/^H/, "OK"],
    [/^p/, "0000000000000000"],
  ];
  const [, reply = ""] = replies.find(([pattern]) => pattern.test(request)) ?? [];
  return { say: packet(reply) };
}

/** Answers whatever is asked of the description with the same. */
function describes(reply: string): Answer {
  return greets((request) =>
    request.startsWith("qXfer") ? { say: packet(reply) } : answersRegisters(request)
  );
}

function event(text: string): string {
  return `{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "X", "data": {"x": "${text}"}}\r\n`;
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

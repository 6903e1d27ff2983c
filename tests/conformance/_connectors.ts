import { connect, type ConnectOptions, type PagingModeName, type Session } from "../../mod.ts";
import { dumpGuest } from "../dump/_same_walks.ts";

/** Where the connectors to one running guest are. */
export interface GuestEndpoints {
  /** A human monitor's TCP port. */
  hmpPort: number;
  /** The same by telnet. */
  telnetPort: number;
  /** The same on a Unix socket. */
  hmpSocket: string;
  /** QMP's TCP port. */
  qmpPort: number;
  /** QMP's Unix socket. */
  qmpSocket: string;
  /** The gdbstub's TCP port. */
  gdbPort: number;
  /** The file that is the guest's RAM. */
  ramFile: string;
  /** A folder for what is made of the guest. */
  folder: string;
  /** The kind of its page tables, for raw memory, which has no registers. */
  mode: PagingModeName;
  /** Has libvirt run the guest, if it does not yet, and returns the domain's name. */
  domain(): Promise<string>;
}

/** What a session is asked; some connectors must be asked before they can answer. */
export type Ask = (session: Session) => Promise<unknown>;

/** A way into a guest. */
export interface Connector {
  /** What it is called, in the matrix too. */
  readonly name: string;
  /** What it takes that not every machine has. */
  readonly needs?: "libvirt";
  /** What it holds: a monitor besides registers and memory, or no monitor, or memory alone. */
  readonly holds: "monitor" | "registers" | "memory";
  /** Opens it. */
  open(guest: GuestEndpoints, options: ConnectOptions, ask: Ask): Promise<Session>;
}

const live: [name: string, endpoint: (guest: GuestEndpoints) => string][] = [
  ["HMP over TCP", (guest) => `${guest.hmpPort}`],
  ["HMP over telnet", (guest) => `telnet:127.0.0.1:${guest.telnetPort}`],
  ["HMP on a Unix socket", (guest) => `unix:${guest.hmpSocket}`],
  ["QMP over TCP", (guest) => `qmp:${guest.qmpPort}`],
  ["QMP on a Unix socket", (guest) => `qmp:unix:${guest.qmpSocket}`],
  ["QMP by its greeting", (guest) => `127.0.0.1:${guest.qmpPort}`],
  ["gdbstub", (guest) => `gdb:${guest.gdbPort}`],
];
const withRam: typeof live = [
  ["RAM file beside HMP", (guest) => `${guest.hmpPort}`],
  ["RAM file beside QMP", (guest) => `qmp:${guest.qmpPort}`],
  ["RAM file beside the gdbstub", (guest) => `gdb:${guest.gdbPort}`],
];

/** Every connector, in the order of the matrix. A further kind is one more row here. */
export const CONNECTORS: readonly Connector[] = [
  ...live.map(([name, endpoint]): Connector => ({
    name,
    holds: "monitor",
    open: (guest, options) => connect(endpoint(guest), options),
  })),
  ...withRam.map(([name, endpoint]): Connector => ({
    name,
    holds: "monitor",
    open: (guest, options) => connect(endpoint(guest), { ...options, ram: [guest.ramFile] }),
  })),
  { name: "libvirt", needs: "libvirt", holds: "monitor", open: openDomain },
  { name: "ELF dump", holds: "registers", open: openElf },
  {
    name: "raw RAM image",
    holds: "memory",
    open: (guest, options) => connect(`dump:${guest.ramFile}`, { ...options, mode: guest.mode }),
  },
  { name: "recording replayed", holds: "monitor", open: openReplay },
];

async function openDomain(guest: GuestEndpoints, options: ConnectOptions): Promise<Session> {
  return await connect(`libvirt:///system/${await guest.domain()}`, options);
}

async function openElf(guest: GuestEndpoints, options: ConnectOptions): Promise<Session> {
  const path = `${guest.folder}/core`;
  {
    await using live = await connect(guest.hmpPort);
    await dumpGuest(live, path);
  }
  return await connect(`dump:${path}`, options);
}

async function openReplay(
  guest: GuestEndpoints,
  options: ConnectOptions,
  ask: Ask,
): Promise<Session> {
  const path = `${guest.folder}/recording.jsonl`;
  {
    await using live = await connect(guest.hmpPort, { ...options, record: path });
    await ask(live);
  }
  return await connect(`replay:${path}`, options);
}

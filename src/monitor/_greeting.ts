import { Watchdog } from "../core/watchdog.ts";

/** Something other than a human monitor that a port may turn out to be. */
export interface ForeignPeer {
  /** What it is called. */
  name: string;
  /** What its first bytes look like. */
  greeting: RegExp;
  /** What to do about it. */
  advice: string;
}

/** Peers known by the first thing they say. */
export const FOREIGN_PEERS: readonly ForeignPeer[] = [
  {
    name: "QMP",
    greeting: /^\{"QMP"/,
    advice: "use the port that QEMU was given with -monitor instead of -qmp",
  },
  {
    name: "gdbstub",
    greeting: /^[+-]*\$/,
    advice:
      "the monitor's port is by convention the debug port + 100; connecting to a gdbstub pauses the guest, so it was resumed (to read through the stub, write gdb: before the address)",
  },
  { name: "HTTP", greeting: /^HTTP\//, advice: "check the port" },
  { name: "SSH", greeting: /^SSH-/, advice: "check the port" },
  { name: "VNC", greeting: /^RFB /, advice: "check the port: this one shows the guest's screen" },
  { name: "NBD", greeting: /^NBDMAGIC/, advice: "check the port: this one serves a disk" },
];

/** What a peer is by its first bytes: a monitor, something else, or not known yet. */
export type PeerVerdict =
  | { kind: "monitor" }
  | { kind: "foreign"; name: string; advice: string }
  | { kind: "undecided" };

/** What to do about a peer that says what none of these does. */
export const UNKNOWN_ADVICE =
  "check the port; if it is the guest's serial console (-serial mon:…), give QEMU a -monitor of its own";

const BANNER_START = "QEMU ";
const ENOUGH_CHARACTERS = 16;

/** Tells what a peer is by the text it has sent so far. */
export function identifyPeer(text: string): PeerVerdict {
  if (text.startsWith(BANNER_START)) return { kind: "monitor" };
  const known = FOREIGN_PEERS.find((peer) => peer.greeting.test(text));
  if (known !== undefined) return { kind: "foreign", name: known.name, advice: known.advice };
  if (text.length < ENOUGH_CHARACTERS && !text.includes("\n")) return { kind: "undecided" };
  return { kind: "foreign", name: "unknown", advice: UNKNOWN_ADVICE };
}

/** How long a greeting may take. */
export interface GreetingBounds {
  /** Milliseconds until it must be complete. */
  timeoutMs: number;
  /** Ends the wait as well. */
  signal?: AbortSignal | undefined;
}

/**
 * Closes a connection whose greeting takes too long or is no longer waited for, which ends the pending
 * read. It lasts as long as its scope.
 */
export class GreetingDeadline implements Disposable {
  readonly #clock: Watchdog;
  readonly #signal: AbortSignal | undefined;
  readonly #close: () => void;
  #late = false;

  constructor(close: () => void, { timeoutMs, signal }: GreetingBounds) {
    this.#close = close;
    this.#signal = signal;
    this.#clock = new Watchdog(() => {
      this.#late = true;
      close();
    });
    this.#clock.start(timeoutMs);
    signal?.addEventListener("abort", close, { once: true });
  }

  /** True if the time was up. */
  get late(): boolean {
    return this.#late;
  }

  /** Looks at the clock: a peer that floods lets no timer run. */
  check(): void {
    this.#clock.check();
  }

  [Symbol.dispose](): void {
    this.#clock.stop();
    this.#signal?.removeEventListener("abort", this.#close);
  }
}

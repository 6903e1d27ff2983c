/**
 * What goes wrong with a reply. The echo of the command has been sent by then, as in QEMU. At
 * `connect` the reply is the banner with its prompt.
 */
export type MonitorFault =
  /** Nothing more is said; what the client sends is read and dropped. */
  | { kind: "silence" }
  /** The connection ends after so many bytes of the reply. */
  | { kind: "close"; afterBytes: number }
  /** So many random bytes stand in the reply's place, before the prompt. */
  | { kind: "garbage"; lengthBytes: number }
  /** Lines without end: after `lengthBytes` (@default {1 GiB}) the connection ends. */
  | { kind: "endless"; lengthBytes?: number }
  /** The reply is complete, but no prompt follows. */
  | { kind: "noPrompt" }
  /** The reply comes in pieces with a pause before each. */
  | { kind: "trickle"; chunkBytes: number; delayMs: number }
  /** The reply is held back. */
  | { kind: "delay"; delayMs: number }
  /** Another text stands in the reply's place, before the prompt. Lines end in `\n`. */
  | { kind: "replace"; text: string }
  /** A text is put into the reply, such as a `(qemu) ` that is not a prompt. */
  | { kind: "insert"; atByte: number; text: string }
  /** These bytes and nothing else, not even a prompt. At `connect`: another protocol's greeting. */
  | { kind: "raw"; bytes: Uint8Array | string }
  /** The handler throws; the connection ends. */
  | { kind: "throw"; message: string };

/** When a fault strikes. */
export interface FaultRule {
  /** What goes wrong. */
  fault: MonitorFault;
  /**
   * `connect`, or the commands that it strikes: those that start with a text or match a pattern.
   *
   * @default {every command}
   */
  on?: string | RegExp;
  /**
   * How often it strikes, before it is used up.
   *
   * @default {Infinity}
   */
  times?: number;
}

/** How a fake monitor behaves on the wire. */
export interface FakeMonitorOptions {
  /**
   * The language: the human monitor's, or QMP with `human-monitor-command`.
   *
   * @default {"hmp"}
   */
  protocol?: "hmp" | "qmp";
  /**
   * What it says is cut into writes of at most so many bytes.
   *
   * @default {Infinity}
   */
  chunkBytes?: number;
  /**
   * Milliseconds to wait before each of those writes. Without a wait TCP may join them again.
   *
   * @default {0}
   */
  chunkDelayMs?: number;
  /**
   * Milliseconds between a command and its reply.
   *
   * @default {0}
   */
  delayMs?: number;
  /**
   * `perFlush`: one write for each echoed character and each line, as QEMU does, and over TCP with
   * Nagle's algorithm on, so that a client that waits for the prompt is as slow as with QEMU.
   * `together`: one write for all that one received packet causes.
   *
   * @default {"together"}
   */
  writes?: "together" | "perFlush";
  /**
   * Speaks telnet first, and takes telnet commands out of what it receives.
   *
   * @default {false}
   */
  telnet?: boolean;
  /** What goes wrong from the start. More can be added while it runs. */
  faults?: readonly FaultRule[];
}

/**
 * A two-way stream of bytes to a monitor. A socket is one; the simulated guest gives another that
 * never leaves the process.
 */
export interface Transport extends AsyncDisposable {
  /** What it is connected to, as a user would type it. */
  readonly name: string;
  /** True on TCP, where the peer's kernel holds back what was written in pieces (Nagle). */
  readonly isTcp: boolean;
  /** Returns the next bytes, or null once the peer has closed. One read at a time. */
  read(): Promise<Uint8Array | null>;
  /** Sends all the bytes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Closes both ways; a pending read ends with null. May be called twice. */
  close(): void;
}

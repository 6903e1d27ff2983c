/** Writes registers through QEMU's gdb server. */
const TEXT = { encoder: new TextEncoder(), decoder: new TextDecoder("latin1") };

/** The numbers of the registers in QEMU's i386-64bit.xml, which are the same from 5.2 to 11.1. */
export const GDB_REGISTERS = { cr0: 27, cr3: 29, cr4: 30, efer: 32 } as const;

/** One session with a gdb server. The machine stays paused while it lasts. */
export class GdbRegisters implements Disposable {
  readonly #connection: Deno.UnixConn;
  #received = "";

  private constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
  }

  static async connect(path: string): Promise<GdbRegisters> {
    const gdb = new GdbRegisters(await Deno.connect({ transport: "unix", path }));
    // QEMU 7.2 knows the control registers only once their description was read.
    await gdb.#exchange("qSupported:xmlRegisters=i386");
    await gdb.#exchange("qXfer:features:read:target.xml:0,ffb");
    await gdb.#exchange("qXfer:features:read:i386-64bit.xml:0,ffb");
    return gdb;
  }

  /** Sets a register of the current vCPU. */
  async write(register: number, value: bigint): Promise<void> {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const reply = await this.#exchange(`P${register.toString(16)}=${digits}`);
    if (reply !== "OK") throw new Error(`QEMU did not set register ${register}: ${reply}`);
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }

  async #exchange(command: string): Promise<string> {
    const sum = TEXT.encoder.encode(command).reduce((total, byte) => (total + byte) & 0xff, 0);
    const packet = `$${command}#${sum.toString(16).padStart(2, "0")}`;
    await this.#connection.write(TEXT.encoder.encode(packet));
    const chunk = new Uint8Array(16384);
    for (;;) {
      const [all, reply] = /^\+*\$([^#]*)#../.exec(this.#received) ?? [];
      if (all !== undefined) {
        this.#received = this.#received.slice(all.length);
        await this.#connection.write(TEXT.encoder.encode("+"));
        return reply!;
      }
      const count = await this.#connection.read(chunk);
      if (count === null) throw new Error(`QEMU closed its gdb server after: ${command}`);
      this.#received += TEXT.decoder.decode(chunk.subarray(0, count));
    }
  }
}

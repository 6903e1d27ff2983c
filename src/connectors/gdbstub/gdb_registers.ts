import type { StubRegister } from "../../arch/register_formats.ts";
import type { CpuSource } from "../../arch/cpu_source.ts";
import { ARCHITECTURES } from "../../arch/architectures.ts";
import type { GuestRegisters } from "../../arch/registers.ts";
import { MonitorError, NoSuchCpuError } from "../../monitor/errors.ts";
import type { GdbConnection } from "./gdb_connection.ts";
import { decodeHex } from "./packet.ts";
import { includedFiles, registerNumbers } from "./target_description.ts";

/** How much of a file one request asks for: with its first byte it fits the smallest PacketSize. */
const XFER_BYTES = 0x7f0;
/** Far more than a description has: the files of an x86 machine's are 10 KB together (5.2 to 11.1). */
const MAX_DESCRIPTION_CHARACTERS = 1 << 18;
const MAX_FILES = 64;
/** Far more vCPUs than any machine of QEMU's has. */
const MAX_THREADS = 1 << 16;

/** A vCPU of the stub's: gdb calls it a thread. */
interface Thread {
  cpu: number;
  /** The thread's id as the stub writes it: `01`, or `p01.01` to a client that knows processes. */
  id: string;
}

/**
 * The vCPUs of a guest at a gdbstub. What the stub does not tell, such as whether one is halted, is taken
 * from what the monitor prints.
 */
export class GdbRegisters implements CpuSource {
  readonly #connection: GdbConnection;
  readonly #printed: () => Promise<GuestRegisters[]>;
  #numbers: Promise<ReadonlyMap<string, number>> | null = null;
  #description: Promise<string> | null = null;
  #threads: Promise<Thread[]> | null = null;

  constructor(connection: GdbConnection, printed: () => Promise<GuestRegisters[]>) {
    this.#connection = connection;
    this.#printed = printed;
  }

  async registers(cpu = 0): Promise<GuestRegisters> {
    const threads = await this.#allThreads();
    const thread = threads.find((candidate) => candidate.cpu === cpu);
    if (thread !== undefined) return await this.#read(thread, () => this.#printed());
    const { endpoint } = this.#connection;
    const known = threads.map((candidate) => candidate.cpu).join(", ");
    const message = `The guest at ${endpoint} has no vCPU ${cpu}, only ${known}`;
    throw new NoSuchCpuError(cpu, message, { endpoint, command: "qfThreadInfo" });
  }

  async allRegisters(): Promise<GuestRegisters[]> {
    const threads = await this.#allThreads();
    let asked: Promise<GuestRegisters[]> | null = null;
    const printed = () => asked ??= this.#printed();
    return await Promise.all(threads.map((thread) => this.#read(thread, printed)));
  }

  async #read(
    { cpu, id }: Thread,
    printed: () => Promise<GuestRegisters[]>,
  ): Promise<GuestRegisters> {
    const numbers = await this.#registerNumbers().catch(async (error) => {
      await printed(); // Where there is another reason, the monitor tells it.
      throw error;
    });
    const architecture = ARCHITECTURES.find(({ registers: { stub } }) =>
      stub.wanted[0]!.some((name) => numbers.has(name))
    );
    // A stub of another architecture: the monitor tells which.
    if (architecture === undefined) await printed();
    const { stub } = (architecture ?? ARCHITECTURES[0]).registers;
    // Queued in one go, so that another vCPU's requests come before or after all of them.
    const selected = this.#connection.request(`Hg${id}`);
    const isListed = (names: StubRegister) => names.some((name) => numbers.has(name));
    const values = [
      ...stub.wanted.map((names) => this.#register(numbers, names)),
      ...(stub.optional ?? []).map((names) =>
        isListed(names) ? this.#register(numbers, names) : Promise.resolve(undefined)
      ),
    ];
    const [all, answer, found] = await Promise.all([
      printed(),
      selected,
      Promise.all(values),
    ]);
    if (answer !== "OK") throw this.#unexpected(`Hg${id}`, answer);
    const told = all.find((registers) => registers.cpu === cpu);
    if (told === undefined) throw this.#unexpected("info registers -a", `no vCPU ${cpu}`);
    return { ...stub.combine(found, told), cpu };
  }

  async #register(
    numbers: ReadonlyMap<string, number>,
    names: StubRegister,
  ): Promise<bigint> {
    const number = names.map((name) => numbers.get(name)).find((found) => found !== undefined);
    if (number === undefined) {
      const { endpoint } = this.#connection;
      const message = `The gdbstub at ${endpoint} does not list the register ${
        names[0]
      }: is it an x86 guest's?`;
      throw new MonitorError(message, { endpoint });
    }
    const request = `p${number.toString(16)}`;
    const reply = await this.#connection.request(request);
    const bytes = decodeHex(new TextEncoder().encode(reply));
    if (bytes === null || bytes.length === 0) throw this.#unexpected(request, reply);
    return bytes.reduceRight((value, byte) => value << 8n | BigInt(byte), 0n);
  }

  /**
   * True if the stub is that of a QEMU for 32-bit guests: up to 7.2 it keeps addresses in 32 bits and drops
   * the others without a word, PAE or not.
   */
  async cutsAddresses(): Promise<boolean> {
    return !/<architecture>[^<]*(?:x86-64|rv64)[^<]*<\/architecture>/.test(await this.#target());
  }

  #target(): Promise<string> {
    this.#description ??= this.#file("target.xml");
    this.#description.catch(() => this.#description = null); // A later read may ask again.
    return this.#description;
  }

  #registerNumbers(): Promise<ReadonlyMap<string, number>> {
    this.#numbers ??= this.#describe();
    this.#numbers.catch(() => this.#numbers = null); // A later read may ask again.
    return this.#numbers;
  }

  /** QEMU up to 7.2 answers `p1d` only after the description was read. */
  async #describe(): Promise<ReadonlyMap<string, number>> {
    const target = await this.#target();
    const names = includedFiles(target);
    if (names.length > MAX_FILES) throw this.#endless("target description");
    const files = await Promise.all(names.map((name) => this.#file(name)));
    return registerNumbers(files.join("") || target);
  }

  async #file(name: string): Promise<string> {
    for (let text = "";;) {
      const [offset, length] = [text.length, XFER_BYTES].map((value) => value.toString(16));
      const request = `qXfer:features:read:${name}:${offset},${length}`;
      const reply = await this.#connection.request(request);
      if (!/^[lm]/.test(reply)) throw this.#unexpected(request, reply);
      text += reply.slice(1);
      if (reply.startsWith("l")) return text;
      const isEndless = text.length > MAX_DESCRIPTION_CHARACTERS || reply.length === 1;
      if (isEndless) throw this.#endless("target description");
    }
  }

  #allThreads(): Promise<Thread[]> {
    this.#threads ??= this.#listThreads();
    this.#threads.catch(() => this.#threads = null);
    return this.#threads;
  }

  /** QEMU numbers threads by vCPU, from 1; vCPUs in clusters are processes, numbered from 1 each. */
  async #listThreads(): Promise<Thread[]> {
    const ids: string[] = [];
    for (let request = "qfThreadInfo";; request = "qsThreadInfo") {
      const reply = await this.#connection.request(request);
      if (reply === "l") break;
      if (!reply.startsWith("m")) throw this.#unexpected(request, reply);
      ids.push(...reply.slice(1).split(","));
      if (ids.length > MAX_THREADS) throw this.#endless("list of vCPUs");
    }
    const numberOf = (id: string) => parseInt(id.split(".").at(-1)!.replace(/^p/, ""), 16) - 1;
    return ids.map((id) => ({ cpu: numberOf(id), id })).sort((a, b) => a.cpu - b.cpu);
  }

  #endless(what: string): MonitorError {
    const { endpoint } = this.#connection;
    const message = `The gdbstub at ${endpoint} gives a ${what} without end: is it QEMU's?`;
    return new MonitorError(message, { endpoint });
  }

  #unexpected(request: string, reply: string): MonitorError {
    const { endpoint } = this.#connection;
    const shown = JSON.stringify(reply.slice(0, 40));
    const message = `The gdbstub at ${endpoint} answers ${shown} to "${request}"`;
    return new MonitorError(message, { endpoint, command: request });
  }
}

import type { LabBuild } from "./build.ts";
import { LabError } from "./errors.ts";
import {
  type FrameLine,
  type IovaLine,
  type LabFact,
  type LabProcess,
  type PagemapEntry,
  parseFacts,
  parseFrames,
  parseIovas,
  parsePagemap,
  parseProcesses,
  parsePteDumps,
  parseTouch,
  type PteDump,
  type TouchResult,
} from "./guest_lines.ts";
import type { LabPreset } from "./presets.ts";
import type { LabQemu } from "./qemu_process.ts";
import type { SerialLine } from "./serial_line.ts";

/** A page of the target: its address, or its number within the DMA buffer (0 to 255). */
export type PageReference = bigint | number;

/** What a {@linkcode LabGuest} is made of; `startLab` puts it together. */
export interface LabGuestParts {
  preset: LabPreset;
  build: LabBuild;
  qemu: LabQemu;
  console: SerialLine;
  target: SerialLine;
  shell: SerialLine;
  monitorPort: number;
  gdbPort: number;
  folder: string;
  ramFile: string | undefined;
}

/** How long the guest may take to answer a request. TCG on a busy machine is slow. */
const ANSWER_TIMEOUT_MS = 300_000;

/**
 * A running lab guest: where to reach it from outside, what it says about itself, and the requests
 * that its target process serves (described at the head of `guest/program/main.c`). Disposing of it
 * ends QEMU.
 */
export class LabGuest implements AsyncDisposable {
  readonly #parts: LabGuestParts;
  #last: Promise<unknown> = Promise.resolve();
  /** The mappings that the target holds, as it told them at start. */
  readonly facts: LabFact[];
  /** The target process. */
  readonly target: LabProcess;

  /** Takes over the parts; the target must have said READY. */
  constructor(parts: LabGuestParts) {
    this.#parts = parts;
    this.facts = parseFacts(parts.target.lines);
    const target = parseProcesses(parts.target.lines)[0];
    if (target === undefined) throw new LabError("the target did not say which process it is");
    this.target = target;
  }

  /** What was started. */
  get preset(): LabPreset {
    return this.#parts.preset;
  }

  /** The kernel that runs, and its files. */
  get build(): LabBuild {
    return this.#parts.build;
  }

  /** TCP port of the human monitor, on 127.0.0.1. */
  get monitorPort(): number {
    return this.#parts.monitorPort;
  }

  /** TCP port of the gdbstub, on 127.0.0.1. */
  get gdbPort(): number {
    return this.#parts.gdbPort;
  }

  /** QEMU's process id. */
  get qemuPid(): number {
    return this.#parts.qemu.pid;
  }

  /** Resolves when QEMU has ended. */
  get ended(): Promise<void> {
    return this.#parts.qemu.ended;
  }

  /** A folder that goes when the guest goes: its sockets are there, and tests may add files. */
  get folder(): string {
    return this.#parts.folder;
  }

  /** Path of the file that holds the guest's RAM, if it was asked for. */
  get ramFile(): string | undefined {
    return this.#parts.ramFile;
  }

  /** The `DMA: IOVA=…, VADDR=…, SIZE=…` line, if the guest has VFIO. */
  get dmaLine(): string | undefined {
    return this.#parts.target.lines.find((line) => line.startsWith("DMA: "));
  }

  /** Every line the target said so far. */
  get targetLines(): readonly string[] {
    return this.#parts.target.lines;
  }

  /** What came on the console so far: the kernel's warnings. */
  get consoleText(): string {
    return this.#parts.console.text;
  }

  /**
   * The fact with this name.
   *
   * @throws {LabError} if the target holds no such mapping.
   */
  fact(name: string): LabFact {
    const fact = this.facts.find((fact) => fact.name === name);
    if (fact === undefined) {
      const names = this.facts.map((fact) => fact.name).join(", ");
      throw new LabError(`the target has no mapping named ${name}; it has ${names}`);
    }
    return fact;
  }

  /** The address that a page reference means. */
  address(page: PageReference): bigint {
    return BigInt(page) < 256n ? this.fact("dma").address + BigInt(page) * 4096n : BigInt(page);
  }

  /**
   * Sends the target one request and answers the lines before its OK. Requests queue up.
   *
   * @throws {LabError} if the target answers ERR, or nothing.
   */
  request(line: string): Promise<string[]> {
    return this.#inTurn(async () => {
      const port = this.#parts.target;
      const from = port.lines.length;
      await port.send(line);
      const lines = await port.until((line) => /^(OK$|ERR |EXITED )/.test(line), {
        from,
        timeoutMs: ANSWER_TIMEOUT_MS,
        purpose: `the target's answer to "${line}"`,
      });
      const last = lines.pop();
      if (last !== "OK") throw new LabError(`the target answered "${line}" with: ${last}`);
      return lines;
    });
  }

  /** Clears `_PAGE_USER` in the leaves of `count` 4 KiB pages. */
  async clear(page: PageReference, count = 1): Promise<void> {
    await this.request(`clear ${number(page)} ${count}`);
  }

  /** Sets it again. */
  async restore(page: PageReference, count = 1): Promise<void> {
    await this.request(`restore ${number(page)} ${count}`);
  }

  /** Reads or writes one byte of a page. */
  async touch(kind: "read" | "write", page: PageReference): Promise<TouchResult> {
    return parseTouch(await this.request(`touch ${kind} ${number(page)}`));
  }

  /** `on`: the target wakes every 300 ms and spins for 30 ms; `off`: it sleeps. */
  async busy(state: "on" | "off"): Promise<void> {
    await this.request(`busy ${state}`);
  }

  /** The entries of every level for `count` pages of the target, told by the guest's kernel. */
  async dump(page: PageReference, count = 1): Promise<PteDump[]> {
    return parsePteDumps(await this.request(`dump ${number(page)} ${count}`));
  }

  /** The same for any process and one address. */
  async dumpProcess(pid: number, address: bigint): Promise<PteDump[]> {
    return parsePteDumps(await this.#askModule(`dump 0x${address.toString(16)} 4096 ${pid}`));
  }

  /**
   * What the domain of a PCI device (bus << 8 | device << 3 | function) maps, by the word of the guest's
   * IOMMU driver (`iommu_iova_to_phys`).
   */
  async iovas(bdf: number, start: bigint, lengthBytes: number): Promise<IovaLine[]> {
    return parseIovas(await this.#askModule(`iova 0x${start.toString(16)} ${lengthBytes} ${bdf}`));
  }

  /** What the guest's kernel says of frames: references, and whether they may be pinned. */
  async frames(start: bigint, lengthBytes: number): Promise<FrameLine[]> {
    return parseFrames(await this.#askModule(`frame 0x${start.toString(16)} ${lengthBytes}`));
  }

  /** What `/proc/self/pagemap` says about `count` pages of the target. */
  async pagemap(page: PageReference, count = 1): Promise<PagemapEntry[]> {
    return parsePagemap(await this.request(`pagemap ${number(page)} ${count}`));
  }

  /** Maps anonymous memory and touches it, unless it is to stay `untouched`. */
  async map(address: bigint, lengthBytes: number, protection = "rw"): Promise<void> {
    await this.request(`map ${number(address)} ${lengthBytes} ${protection}`);
  }

  /** Takes a mapping away. */
  async unmap(address: bigint, lengthBytes: number): Promise<void> {
    await this.request(`unmap ${number(address)} ${lengthBytes}`);
  }

  /** Changes what the target may do with pages: `rwx` letters or `none`. */
  async protect(address: bigint, lengthBytes: number, protection: string): Promise<void> {
    await this.request(`protect ${number(address)} ${lengthBytes} ${protection}`);
  }

  /** Where a process's page tables begin. */
  async process(pid: number): Promise<LabProcess> {
    const found = parseProcesses(await this.#askModule(`process ${pid}`))[0];
    if (found === undefined) throw new LabError(`the guest has no process ${pid} with memory`);
    return found;
  }

  /** Every process that has memory of its own. */
  async processes(): Promise<LabProcess[]> {
    return parseProcesses(
      (await this.shell(
        "for p in /proc/[0-9]*; do exec 3<>/proc/pagewalk_lab; " +
          'echo process ${p#/proc/} >&3 2>/dev/null && while read -r line <&3; do echo "$line"; done; ' +
          "done; exec 3>&-",
      )).split("\n"),
    );
  }

  /** Runs one line in the guest's shell and answers what it wrote, standard error included. */
  shell(command: string): Promise<string> {
    return this.#inTurn(async () => {
      const port = this.#parts.shell;
      const from = port.lines.length;
      await port.send(command);
      await port.send("echo; echo LAB-END");
      const lines = await port.until((line) => line === "LAB-END", {
        from,
        timeoutMs: ANSWER_TIMEOUT_MS,
        purpose: `the guest's shell running "${command}"`,
      });
      return lines.slice(0, -1).join("\n").trimEnd();
    });
  }

  /** The kernel's log. */
  dmesg(): Promise<string> {
    return this.shell("dmesg");
  }

  #askModule(request: string): Promise<string[]> {
    return this.shell(
      `exec 3<>/proc/pagewalk_lab; echo ${request} >&3; cat <&3; exec 3>&-`,
    ).then((text) => text.split("\n"));
  }

  /** One exchange at a time: the ports carry no numbers to tell answers apart. */
  #inTurn<T>(exchange: () => Promise<T>): Promise<T> {
    const result = this.#last.then(exchange);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Ends the guest and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { console, folder, qemu, shell, target } = this.#parts;
    await qemu[Symbol.asyncDispose]();
    await Promise.all([console, target, shell].map((port) => port[Symbol.asyncDispose]()));
    await Deno.remove(folder, { recursive: true });
  }
}

function number(value: PageReference): string {
  return `0x${value.toString(16)}`;
}

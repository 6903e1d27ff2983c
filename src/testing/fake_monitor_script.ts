import { InvalidArgumentError } from "../core/errors.ts";
import type { MonitorControl } from "./fake_monitor_control.ts";
import type { FakeMonitorOptions, FaultRule, MonitorFault } from "./fake_monitor_options.ts";

/** So that a test that runs for hours does not fill memory. */
const MAX_RECORDS = 100_000;

/** What a fake monitor keeps of what reached it, and the faults that are to strike. */
export class MonitorScript implements MonitorControl {
  readonly #rules: { rule: FaultRule; left: number }[] = [];
  readonly #commands: string[] = [];
  readonly #errors: unknown[] = [];
  readonly #eventListeners = new Set<(name: string) => void>();
  #clients = 0;

  /** Starts with the faults of the options. */
  constructor({ chunkBytes, faults = [] }: FakeMonitorOptions = {}) {
    if (chunkBytes !== undefined) requireChunk(chunkBytes);
    for (const rule of faults) this.inject(rule);
  }

  get commands(): readonly string[] {
    return this.#commands;
  }

  get clients(): number {
    return this.#clients;
  }

  get errors(): readonly unknown[] {
    return this.#errors;
  }

  count(matching: string | RegExp = ""): number {
    return this.#commands.filter((command) => matches(command, matching)).length;
  }

  inject(rule: FaultRule): void {
    if (rule.fault.kind === "trickle") requireChunk(rule.fault.chunkBytes);
    this.#rules.unshift({ rule, left: rule.times ?? Infinity });
  }

  clearFaults(): void {
    this.#rules.length = 0;
  }

  event(name: string): void {
    for (const listener of this.#eventListeners) listener(name);
  }

  /** Has a connection told of events; returns what ends that. */
  onEvent(listener: (name: string) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Notes that a client is served. */
  noteClient(): void {
    this.#clients++;
  }

  /** Notes a command. */
  noteCommand(command: string): void {
    if (command !== "" && this.#commands.length < MAX_RECORDS) this.#commands.push(command);
  }

  /** Notes what a handler threw. */
  noteError(error: unknown): void {
    if (this.#errors.length < MAX_RECORDS) this.#errors.push(error);
  }

  /** Returns the fault that strikes a command, or the connection, and uses it up once. */
  takeFault(event: { command: string } | "connect"): MonitorFault | undefined {
    const found = this.#rules.find(({ rule, left }) => left > 0 && strikes(rule, event));
    if (found === undefined) return undefined;
    found.left--;
    return found.rule.fault;
  }
}

function requireChunk(chunkBytes: number): void {
  if (chunkBytes >= 1) return;
  throw new InvalidArgumentError(
    `chunkBytes must be at least 1: ${chunkBytes} would never send anything`,
    chunkBytes,
  );
}

function strikes({ on }: FaultRule, event: { command: string } | "connect"): boolean {
  if (event === "connect") return on === "connect";
  return on !== "connect" && event.command !== "" && matches(event.command, on ?? "");
}

function matches(command: string, matching: string | RegExp): boolean {
  return typeof matching === "string" ? command.startsWith(matching) : matching.test(command);
}

import type { Style } from "../report/style.ts";
import { nearest } from "../core/options.ts";
import { complete } from "./completion.ts";
import { Evaluator } from "./evaluate/evaluator.ts";
import type { IncompleteInput, ParsedInput } from "./evaluate/parse.ts";
import { addSdk, makeGlobals } from "./globals.ts";
import { isAsyncIterable, itemsUntilAborted } from "./evaluate/until_aborted.ts";
import type { InterruptWatch } from "./evaluate/runtime/turns.ts";
import type { GuestLink } from "./guest_link.ts";
import type { HelperContext } from "./helper.ts";
import { guestNames } from "./guest_names.ts";
import { symbolText } from "./linux.ts";
import { REGISTER_NAMES } from "./registers.ts";
import { parseTyped } from "./screen/parse_typed.ts";
import { unknownNames } from "./evaluate/unknown_names.ts";
import { HELPERS } from "./helpers/mod.ts";
import { errorText } from "./show/error_text.ts";
import { type ShowOptions, showValue } from "./show/inspect.ts";
import type { Completion } from "./terminal/line_editor.ts";

/** What a {@linkcode Repl} is made of. */
export interface ReplInit {
  readonly guest: GuestLink;
  readonly style: Style;
  readonly colours: boolean;
  /** True on the simulated guest. */
  readonly isSimulated: boolean;
  /** More globals, such as helpers of the embedder's. */
  readonly globals?: object;
  /** Tells of Ctrl-C while code runs that cannot wait. */
  readonly watch?: InterruptWatch;
  /** Told how far a command has come. */
  readonly onProgress?: (text: string) => void;
  /** How wide the terminal is, where there is one. */
  readonly columns?: () => number;
  /** Takes what is printed: whole lines. */
  readonly write: (text: string) => void;
}

/** Reads, evaluates and prints, wherever lines come from. */
export class Repl {
  /** The guest. */
  readonly guest: GuestLink;
  /** The variables, and what ran. */
  readonly evaluator: Evaluator;
  /** What the helpers are given. */
  readonly context: HelperContext;
  readonly #parts: ReplInit;
  readonly #show: ShowOptions;
  readonly #globals: Record<string, unknown>;
  #sdk: Promise<void> | null = null;
  #signal: AbortSignal = AbortSignal.abort();

  /** Makes a prompt's inside. */
  constructor(parts: ReplInit) {
    const { guest, style, colours, isSimulated } = parts;
    const signal = () => this.#signal;
    this.guest = guest;
    this.#parts = parts;
    this.#show = { style, colours, ...parts.columns && { columns: parts.columns } };
    this.context = {
      guest,
      style,
      isSimulated,
      helpers: HELPERS,
      get signal() {
        return signal();
      },
      ...parts.columns && { columns: parts.columns },
      print: (value) => this.print(value),
      onProgress: ({ tables, fraction }) =>
        parts.onProgress?.(`${tables} tables read, ${Math.floor(fraction * 100)} %`),
    };
    this.#globals = makeGlobals(this.context, parts.globals);
    this.evaluator = new Evaluator(this.#globals, parts.watch);
  }

  /**
   * Parses a line, or says that it goes on. What is not JavaScript may be a command as gdb and QEMU's
   * monitor have them, or a line that was copied from a screen.
   *
   * @throws {SyntaxError} if it cannot be made right
   * @throws {InvalidArgumentError} if it is a command that means nothing here
   */
  parse(source: string): ParsedInput | IncompleteInput {
    return parseTyped(source, this.evaluator, this.context.helpers);
  }

  /**
   * Runs a line and prints its result: an asynchronous iterable item by item.
   *
   * @throws whatever the line throws, or the signal's reason
   */
  async run(parsed: ParsedInput, signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    await this.#lendNames(parsed);
    const value = await this.evaluator.run(parsed, signal);
    if (value === undefined) return;
    if (!isAsyncIterable(value)) return await this.#printResult(value);
    for await (const item of itemsUntilAborted(signal, value)) {
      this.evaluator.scope.define("_", item);
      this.print(item);
    }
  }

  /** Adds the SDK's names, which take longer to load than all the rest of a prompt. */
  loadSdk(): Promise<void> {
    return this.#sdk ??= addSdk(this.#globals);
  }

  /** Names that no variable has are the SDK's, or registers, addresses or symbols of the guest. */
  async #lendNames(parsed: ParsedInput): Promise<void> {
    const isKnown = (name: string) => this.evaluator.knows(name);
    const { names, called, asked } = unknownNames(parsed.program, isKnown);
    if (names.size + asked.size === 0) return;
    await this.loadSdk();
    const others = [...names].filter((name) => !isKnown(name));
    if (others.length === 0) return;
    this.evaluator.scope.lend(await guestNames(this.context, others, called));
  }

  /** Prints a result; a kernel address with its symbol, once the guest's Linux is known. */
  async #printResult(result: unknown): Promise<void> {
    const value = this.evaluator.isHexadecimal ? asAddresses(result) : result;
    const symbol = typeof value === "bigint" ? await symbolText(this.guest, value) : null;
    const note = symbol ?? (typeof value === "bigint" ? decimalText(value) : "");
    const { style, write } = this.#parts;
    if (note === "") this.print(value);
    else write(`${showValue(value, this.#show)} ${style.faint(note)}\n`);
  }

  /** Prints a value as a result. */
  print(value: unknown): void {
    this.#parts.write(`${showValue(value, this.#show)}\n`);
  }

  /** Writes what was thrown, for printing. */
  describeError(error: unknown): string {
    const names = this.evaluator.scope.names();
    return errorText(
      error,
      this.#show,
      (name) =>
        names.includes(name)
          ? name
          : REGISTER_NAMES.includes(`$${name}`)
          ? `$${name}`
          : nearest(name, [...names, ...REGISTER_NAMES, "exit", "Math", "BigInt", "console"]),
    );
  }

  /** Completes what stands before the cursor. */
  async complete(text: string, commands: readonly string[]): Promise<Completion> {
    await this.loadSdk();
    return await complete(text, { scope: this.evaluator.scope, context: this.context, commands });
  }
}

/** What came of numbers in hexadecimal is printed so: bigints are. */
function asAddresses(value: unknown): unknown {
  if (Array.isArray(value) && value.every((each) => typeof each === "number")) {
    return value.map(asAddresses);
  }
  return Number.isSafeInteger(value) ? BigInt(value as number) : value;
}

/** What is smaller than a page, such as a table's index, is wanted in decimal as often. */
function decimalText(value: bigint): string {
  return value >= 10n && value < 0x1000n ? `(${value})` : "";
}

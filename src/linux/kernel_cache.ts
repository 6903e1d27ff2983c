import { FileRefusedError, readRegularFile } from "../core/regular_file.ts";
import type { KernelCache, KernelKnowledge } from "./kernel_knowledge.ts";

/** The form of the files; another one is not read. */
const VERSION = 2;
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_CANDIDATES = 8;
const BUILD_ID = /^[0-9a-f]{8,64}$/;
const DISTANCE = /^-?[0-9]{1,19}$/;

/**
 * Keeps what was learned about kernels as one small file a build in a folder: a few kilobytes of offsets
 * and addresses relative to the image. Later attaches to the same build take a third of the time.
 *
 * It reads and writes files there and nowhere else: `--allow-read=DIR --allow-write=DIR`.
 */
export class DirectoryKernelCache implements KernelCache {
  readonly #folder: string;

  /** Uses a folder; it is made when there is something to keep. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async find(shape: string): Promise<KernelKnowledge[]> {
    const found: KernelKnowledge[] = [];
    for (const name of await this.#names(`.${shape}.json`)) {
      const path = `${this.#folder}/${name}`;
      const knowledge = parseKnowledge(await this.#read(path));
      if (knowledge?.shape === shape) found.push(knowledge);
      if (found.length === MAX_CANDIDATES) break;
    }
    return found;
  }

  async keep(knowledge: KernelKnowledge): Promise<void> {
    const { buildId, shape } = knowledge;
    // Both come from a guest's memory, and become part of a path.
    if (!BUILD_ID.test(buildId) || !/^[0-9a-f-]{1,64}$/.test(shape)) return;
    await Deno.mkdir(this.#folder, { recursive: true });
    const path = `${this.#folder}/${buildId}.${shape}.json`;
    const temporary = `${path}.${crypto.randomUUID()}`;
    await Deno.writeTextFile(temporary, JSON.stringify({ version: VERSION, ...knowledge }));
    await Deno.rename(temporary, path);
  }

  /** A file's text; empty if it is not a file of ours. */
  async #read(path: string): Promise<string> {
    try {
      return new TextDecoder().decode(await readRegularFile(path, MAX_FILE_BYTES));
    } catch (error) {
      if (error instanceof FileRefusedError) return "";
      throw error;
    }
  }

  async #names(ending: string): Promise<string[]> {
    const names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#folder)) {
        if (name.endsWith(ending)) names.push(name);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return names.sort();
  }
}

/** Reads a file's text; null if it is not of this form, as after an update or a crash. */
export function parseKnowledge(text: string): KernelKnowledge | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (!isRecord(value) || value.version !== VERSION) return null;
  const { buildId, shape, kallsyms, symbols, offsets } = value;
  const isKnowledge = typeof buildId === "string" && BUILD_ID.test(buildId) &&
    typeof shape === "string" && isTables(kallsyms) &&
    isRecord(symbols) &&
    Object.values(symbols).every((each) => each === null || isDistance(each)) &&
    isRecord(offsets) &&
    Object.values(offsets).every((group) =>
      isRecord(group) && Object.values(group).every((each) => isCount(each))
    );
  if (!isKnowledge) return null;
  return { buildId, shape, kallsyms, symbols, offsets } as unknown as KernelKnowledge;
}

function isTables(value: unknown): boolean {
  return isRecord(value) && isCount(value.count) && isCount(value.namesBytes) &&
    ["percpu", "base", "self"].includes(String(value.offsetKind)) &&
    [value.relativeBase, value.seqs].every((each) => each === null || isDistance(each)) &&
    [value.offsets, value.names, value.markers, value.tokenTable].every(isDistance);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}

function isDistance(value: unknown): boolean {
  return typeof value === "string" && DISTANCE.test(value);
}

import { formatError } from "./errors.ts";
import { escapeMessage } from "./escape.ts";

/** What is to be done before the process ends, such as resuming a guest that was paused. */
export interface EndTask {
  /** Does it; called once, and waited for. It should bound its own time. */
  finish(): Promise<unknown>;
  /** Does what can be done without waiting, as after `Deno.exit()` nothing is waited for. */
  finishNow?(): void;
}

const SIGNALS: ReadonlyMap<Deno.Signal, number> = new Map([
  ["SIGHUP", 1],
  ["SIGINT", 2],
  ["SIGQUIT", 3],
  ["SIGTERM", 15],
]);
/** A shell's exit code for a program that signal N ended is 128 + N. */
const SIGNAL_EXIT = 128;

const tasks = new Set<EndTask>();
const onSignal = new Map<Deno.Signal, () => void>();
let finishing: Promise<unknown> | null = null;

/**
 * Has a task done however the process ends: at the end of the script, by a signal, an error nobody
 * caught, or `Deno.exit()`. Only SIGKILL gets past it. Disposing of it calls it off.
 *
 * Tasks run in the reverse order of their registration, all of them, and only then does the process end:
 * by a signal with the exit code that shells give it (Ctrl-C 130, SIGTERM 143).
 */
export function atProcessEnd(task: EndTask): Disposable {
  if (tasks.size === 0) listen();
  tasks.add(task);
  return {
    [Symbol.dispose]() {
      if (tasks.delete(task) && tasks.size === 0) unlisten();
    },
  };
}

function finishAll(): Promise<unknown> {
  finishing ??= finishEach().finally(() => finishing = null);
  return finishing;
}

async function finishEach(): Promise<void> {
  for (const task of [...tasks].reverse()) {
    try {
      await task.finish();
    } catch (error) {
      // The process ends, so nobody else will say it.
      console.error(`error: ${escapeMessage(formatError(error))}`);
      tasks.delete(task);
    }
  }
}

function listen(): void {
  globalThis.addEventListener("beforeunload", onLastTurn);
  globalThis.addEventListener("unload", onExit);
  globalThis.addEventListener("error", onError);
  globalThis.addEventListener("unhandledrejection", onRejection);
  for (const [name, number] of SIGNALS) {
    const listener = () => void finishAll().then(() => Deno.exit(SIGNAL_EXIT + number));
    onSignal.set(name, listener);
    Deno.addSignalListener(name, listener);
  }
}

function unlisten(): void {
  globalThis.removeEventListener("beforeunload", onLastTurn);
  globalThis.removeEventListener("unload", onExit);
  globalThis.removeEventListener("error", onError);
  globalThis.removeEventListener("unhandledrejection", onRejection);
  for (const [name, listener] of onSignal) Deno.removeSignalListener(name, listener);
  onSignal.clear();
}

/** Nothing is left to do: the event comes again when the tasks are done. */
function onLastTurn(event: Event): void {
  event.preventDefault();
  void finishAll();
}

/** `Deno.exit()` was called. */
function onExit(): void {
  for (const task of [...tasks].reverse()) task.finishNow?.();
}

// Deno ends the process right after these two, unless somebody prevents it. Then it is prevented here,
// and the error put forward again when the tasks are done. Whoever prevented it before lives on.

function onError(event: ErrorEvent): void {
  if (event.defaultPrevented) return;
  event.preventDefault();
  void finishAll().then(() => {
    unlisten();
    reportError(event.error);
  });
}

function onRejection(event: PromiseRejectionEvent): void {
  if (event.defaultPrevented) return;
  event.preventDefault();
  void finishAll().then(() => {
    unlisten();
    return Promise.reject(event.reason);
  });
}

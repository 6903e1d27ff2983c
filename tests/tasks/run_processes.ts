/** A process that a run of tests started, directly or not. */
export interface RunProcess {
  readonly pid: number;
  /** What tells it from a later process with the same id: when it started, in ticks since boot. */
  readonly startedAt: string;
  /** Its name, as the kernel has it. */
  readonly name: string;
}

/** How long processes may take to end after SIGTERM, before SIGKILL. */
const GRACE_MS = 3000;

const POLL_MS = 50;

/**
 * The processes that have a variable in their environment, and their children. Sessions and process groups
 * do not tell: tmux, libvirt and terminals make their own, and a test that is killed loses its children.
 * Without Linux's /proc there are none.
 */
export function processesWith(variable: string): RunProcess[] {
  const all = everyProcess(variable);
  const found = new Set(all.filter(({ marked }) => marked).map(({ pid }) => pid));
  // libvirt clears the environment of what it starts: such processes are known by their parent.
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return all.filter(({ pid }) => found.has(pid));
}

/**
 * Waits until no process has a variable in its environment, and returns those that still do after
 * `timeoutMs`.
 */
export async function processesLeft(variable: string, timeoutMs: number): Promise<RunProcess[]> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const left = processesWith(variable);
    if (left.length === 0 || performance.now() > deadline) return left;
    await pause();
  }
}

/**
 * Ends the processes that have a variable in their environment, and their children: with SIGTERM, and those
 * that are still there after `graceMs` with SIGKILL. Returns once they are gone.
 */
export async function endProcessesWith(variable: string, graceMs = GRACE_MS): Promise<void> {
  const asked = new Map<string, RunProcess>();
  const deadline = performance.now() + graceMs;
  for (;;) {
    // A child that has lost its parent is found no more, so those found before count as well.
    const known = [...processesWith(variable), ...asked.values()].filter(isThere);
    if (known.length === 0) return;
    const late = performance.now() > deadline;
    for (const process of known) {
      const id = `${process.pid} ${process.startedAt}`;
      if (late) kill(process.pid, "SIGKILL");
      else if (!asked.has(id)) kill(process.pid, "SIGTERM");
      asked.set(id, process);
    }
    await pause();
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

function isThere({ pid, startedAt }: RunProcess): boolean {
  return statOf(pid)?.startedAt === startedAt;
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // It has just ended.
  }
}

type KnownProcess = RunProcess & { parent: number; marked: boolean };

function everyProcess(variable: string): KnownProcess[] {
  if (Deno.build.os !== "linux") return [];
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name))
    .filter((pid) => Number.isInteger(pid) && pid !== Deno.pid);
  return pids.flatMap((pid) => {
    const stat = statOf(pid);
    if (stat === null) return [];
    const environment = `\0${textOf(pid, "environ") ?? ""}`;
    return [{ pid, ...stat, marked: environment.includes(`\0${variable}=`) }];
  });
}

/** What /proc/PID/stat says, or null if the process has ended. */
function statOf(pid: number): Omit<KnownProcess, "pid" | "marked"> | null {
  // The name stands in parentheses, and may hold some itself.
  const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(textOf(pid, "stat") ?? "") ?? [];
  const [state, parent, ...others] = (rest ?? "").split(" ");
  if (name === undefined || state === "Z") return null;
  return { name, parent: Number(parent), startedAt: others[17]! };
}

/** A file of a process's folder, or null if the process is gone or somebody else's. */
function textOf(pid: number, file: string): string | null {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch (error) {
    // The kernel answers ESRCH while a process goes.
    const gone = error instanceof Error && /\(os error 3\)/.test(error.message);
    const { NotFound, PermissionDenied } = Deno.errors;
    if (gone || error instanceof NotFound || error instanceof PermissionDenied) return null;
    throw error;
  }
}

import { PagewalkError, type Session } from "../../mod.ts";

/** What came of going in by a connector and asking: the answer, or the error that it ended in. */
export type Outcome = { answer: string; error: null } | { answer: null; error: PagewalkError };

/** Far longer than any timeout in these tests: what takes so long hangs. */
const HANGS_MS = 300_000;

/** Asks one thing of a guest, and gives the answer as text. */
export type Ask = (session: Session) => Promise<string>;

/** One command's text: the shortest session that there is. */
export function askStatus(session: Session): Promise<string> {
  return session.monitor.command("info status");
}

/** A vCPU's registers and some memory. */
export async function askRegistersAndMemory(session: Session): Promise<string> {
  const { rip, cr0, cr3, cr4, efer } = await session.registers(0);
  const bytes = await session.memory.read(0x1000n, 16);
  return [rip, cr0, cr3, cr4, efer, ...bytes].map((value) => value.toString(16)).join(" ");
}

/**
 * Goes in, asks, and leaves. Whatever goes wrong must be a PagewalkError of one line, and come before
 * long; closing must never fail.
 */
export async function attempt(
  open: () => Promise<Session>,
  ask: Ask,
  at: string,
): Promise<Outcome> {
  return await orHangs(run(open, ask, at), at);
}

async function run(open: () => Promise<Session>, ask: Ask, at: string): Promise<Outcome> {
  let session: Session | undefined;
  try {
    session = await open();
    return { answer: await ask(session), error: null };
  } catch (error) {
    if (!(error instanceof PagewalkError)) throw new Error(`${at}: not typed`, { cause: error });
    if (error.message.includes("\n")) throw new Error(`${at}: of several lines`, { cause: error });
    return { answer: null, error };
  } finally {
    await session?.close();
  }
}

/** Fails if something does not come to its end. */
export async function orHangs<T>(work: Promise<T>, at: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${at}: it hangs`)), HANGS_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

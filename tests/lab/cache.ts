import { LabUnavailableError } from "./errors.ts";

/**
 * The folder for everything that is downloaded or built: `PAGEWALK_LAB_CACHE`, else
 * `$XDG_CACHE_HOME/pagewalk/lab`, else `~/.cache/pagewalk/lab`.
 */
export function labCacheDir(): string {
  const own = Deno.env.get("PAGEWALK_LAB_CACHE");
  if (own) return own;
  const home = Deno.env.get("HOME");
  const base = Deno.env.get("XDG_CACHE_HOME") || (home ? `${home}/.cache` : "");
  if (!base) {
    throw new LabUnavailableError(
      "no place to keep the lab's downloads: HOME is not set; run: export PAGEWALK_LAB_CACHE=DIR",
    );
  }
  return `${base}/pagewalk/lab`;
}

/** Whether a file or folder is there. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes a file or folder, if it is there. */
export async function removeTree(path: string): Promise<void> {
  if (await exists(path)) await Deno.remove(path, { recursive: true });
}

/**
 * Makes a folder's content in a temporary folder next to it and renames it into place, so that what
 * an interrupted run left behind is never taken for a finished one.
 */
export async function makeFolder(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${Deno.pid}.part`;
  await removeTree(temporary);
  await Deno.mkdir(temporary, { recursive: true });
  try {
    await fill(temporary);
    await removeTree(path);
    await Deno.rename(temporary, path);
  } catch (error) {
    await removeTree(temporary);
    throw error;
  }
}

/** Runs `block` while no other process holds the lock file; test runs build one lab at a time. */
export async function withLock<T>(path: string, block: () => Promise<T>): Promise<T> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  using file = await Deno.open(path, { create: true, write: true });
  await file.lock(true);
  return await block();
}

/** SHA-256 of several texts or byte strings, as hexadecimal. */
export async function hashOf(parts: readonly (string | Uint8Array)[]): Promise<string> {
  const encoder = new TextEncoder();
  const digests: string[] = [];
  for (const part of parts) digests.push(await sha256(encoder, part));
  return await sha256(encoder, digests.join("\n"));
}

async function sha256(encoder: TextEncoder, part: string | Uint8Array): Promise<string> {
  const bytes = typeof part === "string" ? encoder.encode(part) : new Uint8Array(part);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

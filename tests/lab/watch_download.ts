import type { Progress } from "./progress.ts";

const EVERY_MS = 2000;

/**
 * Says what is downloaded into a folder that is empty at first, and every two seconds how far it is, until
 * it is disposed of. `sizeBytes` is NaN if nobody knows it.
 */
export function watchDownload(
  what: string,
  folder: string,
  sizeBytes: number,
  progress: Progress,
  everyMs = EVERY_MS,
): AsyncDisposable {
  const size = Number.isFinite(sizeBytes) ? mebibytes(sizeBytes) : "?";
  progress(`downloading ${what}, ${size} MiB`);
  let said = 0;
  let looking = Promise.resolve();
  const timer = setInterval(() => looking = look(), everyMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await looking;
    },
  };

  async function look(): Promise<void> {
    const bytes = await bytesIn(folder);
    if (bytes === said) return;
    said = bytes;
    const percent = Number.isFinite(sizeBytes) ? ` (${Math.floor(100 * bytes / sizeBytes)}%)` : "";
    progress(`downloaded ${mebibytes(bytes)} of ${size} MiB${percent}`);
  }
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile) bytes += (await Deno.stat(`${folder}/${name}`)).size;
  }
  return bytes;
}

function mebibytes(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(1);
}

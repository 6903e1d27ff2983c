/** The folder with the guest's own sources. */
export const GUEST_FOLDER: string = new URL("./guest", import.meta.url).pathname;

/** A source file of the guest. */
export interface GuestSource {
  /** Path below {@linkcode GUEST_FOLDER}. */
  path: string;
  /** Its content. */
  text: string;
}

/** Reads every source of the guest, in a fixed order: what the build depends on. */
export async function readGuestSources(): Promise<GuestSource[]> {
  const paths: string[] = ["init"];
  for (const folder of ["program", "module"]) {
    for await (const entry of Deno.readDir(`${GUEST_FOLDER}/${folder}`)) {
      if (entry.isFile && /(\.[chS]|^Makefile)$/.test(entry.name)) {
        paths.push(`${folder}/${entry.name}`);
      }
    }
  }
  paths.sort();
  return await Promise.all(
    paths.map(async (path) => ({ path, text: await Deno.readTextFile(`${GUEST_FOLDER}/${path}`) })),
  );
}

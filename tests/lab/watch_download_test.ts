import { assertEquals } from "@std/assert";
import { watchDownload } from "./watch_download.ts";

Deno.test("a download is announced with its size, and said how far it is when it has grown", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const said: string[] = [];
    let grown = Promise.withResolvers<void>();
    const progress = (line: string) => {
      said.push(line);
      grown.resolve();
    };
    await using _watch = watchDownload("linux 6.1", folder, 4 << 20, progress, 1);
    for (const mebibytes of [1, 3]) {
      grown = Promise.withResolvers();
      await Deno.writeFile(`${folder}/part`, new Uint8Array(mebibytes << 20));
      await grown.promise;
    }
    // A file may be seen while it is being written.
    const steps = said.filter((line) => /^downloading|\b[13]\.0 of/.test(line));
    assertEquals(steps, [
      "downloading linux 6.1, 4.0 MiB",
      "downloaded 1.0 of 4.0 MiB (25%)",
      "downloaded 3.0 of 4.0 MiB (75%)",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

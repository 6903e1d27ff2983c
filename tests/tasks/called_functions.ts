import { formatAddress } from "../../src/core/address.ts";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";

/** What V8 says of one file's functions, by `deno run --coverage`. */
interface FileCoverage {
  url: string;
  functions: { ranges: { endOffset: number; count: number }[] }[];
}

/**
 * Checks a page that passes and one that fails by the bundled command, has its prompt run a line, and tells
 * which functions were called: by file, the offsets at which they end.
 *
 * @param command the path of the bundled command
 */
export async function calledFunctions(command: string): Promise<Map<string, Set<number>>> {
  const called = new Map<string, Set<number>>();
  const guest = simulatedGuest();
  await using monitor = fakeMonitor(guest);
  const { cleared, stillSet } = guest.addresses;
  const port = `${monitor.port}`;
  for (
    const args of [
      ["verify", port, formatAddress(cleared)],
      ["verify", port, formatAddress(stillSet)],
      ["repl", port, "--eval", `walk(${formatAddress(cleared)})`],
    ]
  ) {
    const folder = await Deno.makeTempDir({ prefix: "pagewalk-called-" });
    try {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-net=127.0.0.1", `--coverage=${folder}`, command, ...args],
        stdout: "null",
      }).output();
      // A page that fails is 1.
      if (code > 1) throw new Error(`${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
      for await (const { name } of Deno.readDir(folder)) {
        const { url, functions } = JSON.parse(
          await Deno.readTextFile(`${folder}/${name}`),
        ) as FileCoverage;
        const file = url.slice(url.lastIndexOf("/") + 1);
        const ends = called.get(file) ?? new Set();
        for (const { ranges: [whole] } of functions) {
          if (whole!.count > 0) ends.add(whole!.endOffset);
        }
        called.set(file, ends);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  return called;
}

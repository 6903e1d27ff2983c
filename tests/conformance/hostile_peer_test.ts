/** Peers that never come to an end cost neither much memory nor more time than the timeouts. */
import { assert, assertEquals } from "@std/assert";
import type { HostileOutcome } from "./_hostile_client.ts";
import { HOSTILE_PEERS } from "./_hostile_peers.ts";
import { HostileServer } from "./_hostile_server.ts";

/** What may be kept: past this V8 gives up, however late its collector comes. */
const MAX_HEAP_MIB = 64;
/** What the process may take beyond a session with the simulated guest, what is outside V8 included. */
const MAX_GROWTH_MIB = 256;
/** Far longer than all of the timeouts together: what takes so long hangs. */
const HANGS_MS = 120_000;
const LANGUAGES = { "": "HMP", "qmp:": "QMP", "gdb:": "gdbstub" };

for (const [prefix, language] of Object.entries(LANGUAGES)) {
  Deno.test(`${language} peers without end are typed errors, in bounded memory`, async () => {
    const peers = HOSTILE_PEERS.filter((peer) => peer.prefix === prefix);
    await using servers = new AsyncDisposableStack();
    const endpoints = peers.map((peer) => {
      const { port } = servers.use(new HostileServer(peer));
      return `${prefix}127.0.0.1:${port}`;
    });
    const [idle, ...outcomes] = await runClient(endpoints);
    assertEquals(idle!.error, null);
    assertEquals(outcomes.length, peers.length);
    for (const [i, { error, untyped }] of outcomes.entries()) {
      const { name } = peers[i]!;
      assert(error !== null, `${name}: ${untyped ?? "an answer"}`);
      assert(error.message.length < 500 && !error.message.includes("\n"), error.message);
    }
    const growthMiB = outcomes.at(-1)!.peakMiB - idle!.peakMiB;
    console.log(`  ${language}: ${peers.length} peers, ${growthMiB} MiB more at most`);
    assert(growthMiB < MAX_GROWTH_MIB, `${growthMiB} MiB`);
  });
}

async function runClient(endpoints: string[]): Promise<HostileOutcome[]> {
  const script = new URL("_hostile_client.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      `--v8-flags=--max-old-space-size=${MAX_HEAP_MIB}`,
      script,
      ...endpoints,
    ],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), HANGS_MS);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  assert(success, `it hung or died: ${decoder.decode(stderr)}`);
  return decoder.decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}

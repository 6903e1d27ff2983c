/**
 * A prompt with a connected session, for looking into a guest's page tables by hand.
 *
 *     deno run --allow-net=127.0.0.1:1334 repl.ts 1334
 *
 * Without an argument it starts on a simulated guest. Lines may come from a pipe.
 */
import { activity } from "./src/cli/activity.ts";
import { runCommand } from "./src/cli/command.ts";
import { CONNECT_OPTIONS, connectOptions, DEVICE_OPTIONS } from "./src/cli/guest_options.ts";
import { value } from "./src/cli/options.ts";
import { monitorPortFor } from "./src/monitor/endpoint.ts";
// Not the SDK, which is loaded when the prompt stands there already.
import { startRepl } from "./src/repl/start_repl.ts";

await runCommand({
  name: "repl.ts",
  purpose: "Open a prompt for looking into a guest's page tables",
  positionals: [{
    name: "monitor",
    purpose: "a port, host:port, unix:/path, …; without it, the simulated guest",
    isEndpoint: true,
    optional: true,
    orOption: "debug-port",
  }],
  options: {
    eval: value("CODE", "run this instead of what is typed, and print its value", String),
    history: value(
      "FILE",
      "keep the lines entered in this file (--allow-read, --allow-write)",
      String,
    ),
    ...DEVICE_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  examples: ["1334", "1334 --eval 'walk(0x7f1234567000)'", "1334 < lines.js"],
  exits: { 1: "a line threw (in a pipe, or with --eval)" },
}, async ({ positionals: [monitor], options }) => {
  // The prompt says itself what it is at.
  activity.yieldTo();
  const debugPort = options["debug-port"];
  const named = debugPort === undefined ? monitor : String(monitorPortFor(debugPort));
  const { eval: code, history } = options;
  return await startRepl({
    ...named !== undefined && { endpoint: named },
    ...code !== undefined && { code },
    ...history !== undefined && { historyFile: history },
    open: async (endpoint, onNotice) => {
      const { connect } = await import("./src/session/connect.ts");
      return await connect(String(endpoint), { ...connectOptions(options), onNotice });
    },
  });
});

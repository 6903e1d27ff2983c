/**
 * Runs one read-only monitor command and prints its text, clean of echo and escapes.
 *
 *     deno run --allow-net=127.0.0.1:1334 monitor.ts 1334 info registers
 */
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeLines,
  MONITOR,
  runCommand,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "monitor.ts",
  purpose: "Run one read-only monitor command and print its text",
  positionals: [MONITOR, {
    name: "command",
    purpose: "the command, such as info registers, with or without quotes",
    repeated: true,
    takesDashes: true,
  }],
  options: CONNECT_OPTIONS,
  examples: ["1334 info registers", "1334 xp /2gx 0x1000", "sim: info mtree -f"],
}, async ({ positionals: [monitor, ...words], options }) => {
  await using guest = await connectTo(monitor!, options);
  console.log(escapeLines(await guest.monitor.command(words.join(" "))));
});

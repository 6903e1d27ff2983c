/**
 * Watches the entries that map an address, and prints each change with the bits that flipped. The
 * guest is never paused.
 *
 *     deno run --allow-net=127.0.0.1:1334 watch_pte.ts 1334 0x7f1234567000 --until cleared
 */
import {
  ADDRESS,
  addressArgument,
  CONNECT_OPTIONS,
  connectTo,
  describeSource,
  DEVICE_TABLE_OPTIONS,
  escapeText,
  EXIT,
  formatAddress,
  MONITOR,
  oneOf,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  type WatchEvent,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "watch_pte.ts",
  purpose: "Watch the entries that map an address, and print each change",
  positionals: [MONITOR, ADDRESS],
  options: {
    until: oneOf(["cleared", "set"], "exit 0 once _PAGE_USER has this state"),
    for: wholeNumber("MS", "stop after this time (with --until: exit 2)", 1),
    interval: wholeNumber("MS", "polling interval in milliseconds (default 10)", 1),
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  examples: ["1334 0x7f1234567000", "1334 0x7f1234567000 --until cleared --for 60000"],
  exits: { 2: "timed out before the bit had this state" },
}, async ({ positionals: [monitor, virtualAddress], options }) => {
  const address = addressArgument(virtualAddress!);
  await using guest = await connectTo(monitor!, options);
  const end = new AbortController();
  const timer = options.for === undefined ? undefined : setTimeout(() => end.abort(), options.for);
  try {
    const watch = guest.watch(address, {
      ...tableChoice(options),
      ...options.interval !== undefined && { intervalMs: options.interval },
      signal: end.signal,
    });
    for await (const event of watch) {
      print(event, escapeText(describeSource(event.walk.source)));
      const { walk } = event;
      const wanted = options.until === "set";
      if (options.until && walk.outcome === "mapped" && walk.leaf.user === wanted) return EXIT.PASS;
    }
    return options.until ? EXIT.INCONCLUSIVE : EXIT.PASS;
  } finally {
    clearTimeout(timer);
  }
});

/** Prints the first look as it is, and a later one as what has changed. */
function print({ timeMs, walk, changes }: WatchEvent, source: string): void {
  const time = new Date(timeMs).toISOString();
  const last = walk.steps.at(-1);
  const entry = last ? `${last.name} entry ${formatAddress(last.raw)}` : "no entry";
  if (changes.length === 0) {
    console.log(`${time} ${walk.outcome}: ${entry} (root ${formatAddress(walk.root)}, ${source})`);
  }
  for (const { name, before, after, fields } of changes) {
    const flips = fields.map((f) => `${f.linuxName ?? f.name} ${hex(f.before)} -> ${hex(f.after)}`);
    console.log(
      `${time} ${walk.outcome}: ${name} entry ${hex(before)} -> ${hex(after)}: ${flips.join(", ")}`,
    );
  }
}

function hex(value: bigint): string {
  return formatAddress(value);
}

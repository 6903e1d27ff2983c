/**
 * Saves the page tables of an address space of a running guest to a file, for diff.ts.
 *
 *     deno run --allow-net=127.0.0.1:1334 --allow-write=. snapshot.ts 1334 before.pwsnap
 */
import { encodeSnapshot } from "@pagewalk/pagewalk";
import {
  CONNECT_OPTIONS,
  connectTo,
  DEVICE_TABLE_OPTIONS,
  escapeText,
  EXIT,
  formatSize,
  FREEZE_OPTION,
  LISTING_OPTIONS,
  listingBounds,
  MONITOR,
  ProgressBar,
  readingOnce,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "snapshot.ts",
  purpose: "Save the page tables of an address space to a file",
  positionals: [MONITOR, { name: "file", purpose: "the file to write, such as before.pwsnap" }],
  options: {
    ...LISTING_OPTIONS,
    ...FREEZE_OPTION,
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-write=.",
  examples: ["1334 before.pwsnap", "1334 --device 00:03.0 before.pwsnap", "sim: sim.pwsnap"],
  exits: { 2: "too many tables: the snapshot is partial" },
}, async ({ positionals: [monitor, file], options }) => {
  using bar = new ProgressBar();
  await using guest = await connectTo(monitor!, options);
  const take = () => guest.snapshot({ ...tableChoice(options), ...listingBounds(options, bar) });
  const taken = await readingOnce(guest, options, take);
  bar.stop();
  const bytes = await encodeSnapshot(taken);
  await Deno.writeFile(file!, bytes);
  console.log(
    `[+] ${escapeText(file!)}: ${taken.memory.pieces.length} tables, ${formatSize(bytes.length)}`,
  );
  return taken.isWhole ? EXIT.PASS : EXIT.INCONCLUSIVE;
});

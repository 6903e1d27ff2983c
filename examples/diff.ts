/**
 * Says which page-table entries appeared, vanished or changed between two snapshots, or a snapshot and
 * a running guest.
 *
 *     deno run --allow-net=127.0.0.1:1334 --allow-read=. diff.ts before.pwsnap 1334
 */
import { diff, type PageTableSource } from "@pagewalk/pagewalk";
import { differenceLine, differenceRecord } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  describeSource,
  DEVICE_TABLE_OPTIONS,
  escapeText,
  EXIT,
  flag,
  formatAddress,
  FREEZE_OPTION,
  isSnapshotFile,
  LineWriter,
  LISTING_OPTIONS,
  listingBounds,
  ProgressBar,
  reading,
  readingOnce,
  readSnapshot,
  runCommand,
  type Session,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "diff.ts",
  purpose: "List which page-table entries appeared, vanished or changed",
  positionals: [
    {
      name: "before",
      purpose: "a snapshot file (*.pwsnap), or a monitor such as 1334",
      isEndpoint: true,
    },
    { name: "after", purpose: "the same", isEndpoint: true },
  ],
  options: {
    ...LISTING_OPTIONS,
    "accessed-and-dirty": flag("report entries of which only these bits changed, too"),
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...FREEZE_OPTION,
    json: flag("print one JSON object per line"),
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-read=.",
  examples: ["before.pwsnap after.pwsnap", "before.pwsnap 1334 --root 0x246f000", "sim: sim:"],
  exits: { 1: "there are differences", 2: "a part could not be compared" },
}, async ({ positionals, options }) => {
  await using guests = new AsyncDisposableStack();

  const live: Session[] = [];
  async function open(side: string): Promise<() => Promise<Side>> {
    if (isSnapshotFile(side)) {
      const taken = await readSnapshot(side);
      const from = taken.source === "" ? "" : ` of ${taken.source}`;
      const of = `${side}, taken${from} at ${taken.takenAt.toISOString()}`;
      return () => Promise.resolve({ ...taken, whose: of });
    }
    const guest = guests.use(await connectTo(side, options));
    live.push(guest);
    return async () => {
      const { context, source } = await guest.pageTable(tableChoice(options), options.range?.start);
      return { memory: guest.memory, context, whose: `${side}, ${describeSource(source)}` };
    };
  }

  using bar = new ProgressBar();
  using out = new LineWriter();
  const [findBefore, findAfter] = [await open(positionals[0]!), await open(positionals[1]!)];
  const count = { appeared: 0, vanished: 0, changed: 0, notCompared: 0 };
  await frozen(live, async () => {
    const [before, after] = [await findBefore(), await findAfter()];
    for (const [name, { whose, context }] of Object.entries({ before, after })) {
      const root = formatAddress(context.root);
      const line = `[+] ${name}: root ${root} (${escapeText(whose)})`;
      // JSON's lines are differences alone.
      if (options.json) console.error(line);
      else out.line(line);
    }
    const differences = diff(before, after, {
      ...listingBounds(options, bar),
      accessedAndDirty: options["accessed-and-dirty"],
    });
    for await (const difference of differences) {
      count[difference.kind]++;
      out.line(
        options.json
          ? toJson(differenceRecord(difference))
          : differenceLine(difference, after.context),
      );
    }
  });
  bar.stop();
  const { appeared, vanished, changed, notCompared } = count;
  if (!options.json) out.line(`${appeared} appeared, ${vanished} vanished, ${changed} changed`);
  if (appeared + vanished + changed > 0) return EXIT.FAIL;
  return notCompared > 0 ? EXIT.INCONCLUSIVE : EXIT.PASS;

  /** Compares while all guests are paused, if they are to be. */
  async function frozen([guest, ...others]: Session[], block: () => Promise<void>): Promise<void> {
    if (guest === undefined) return await block();
    const read = guest === live[0] ? readingOnce : reading;
    await read(guest, options, () => frozen(others, block));
  }
});

/** One side, and where its tables come from. */
type Side = PageTableSource & { whose: string };

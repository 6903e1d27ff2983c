/**
 * Says which page-table entries appeared, vanished or changed between two snapshots, or a snapshot and
 * a running guest, or a guest now and after some time.
 *
 *     deno run --allow-net=127.0.0.1:1334 --allow-read=. diff.ts before.pwsnap 1334
 *     deno run --allow-net=127.0.0.1:1334 diff.ts 1334 --comm target --after 5s
 */
import { diff, type EntryDifference, type PageTableSource, snapshot } from "@pagewalk/pagewalk";
import { differenceRecord, differenceRunLine, differenceRuns } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  describeSource,
  DEVICE_TABLE_OPTIONS,
  durationArgument,
  escapeText,
  EXIT,
  flag,
  formatAddress,
  FREEZE_OPTION,
  InvalidArgumentError,
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
  value,
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
    {
      name: "after",
      purpose: "another of these, or use --after TIME",
      isEndpoint: true,
      orOption: "after",
    },
  ],
  options: {
    after: value(
      "TIME",
      "compare a guest with itself after this time, such as 5s, 500ms or 2m",
      durationArgument,
    ),
    ...LISTING_OPTIONS,
    "accessed-and-dirty": flag("report entries of which only these bits changed, too"),
    ...TABLE_OPTIONS,
    ...DEVICE_TABLE_OPTIONS,
    ...FREEZE_OPTION,
    json: flag("print one JSON object per line"),
    ...CONNECT_OPTIONS,
  },
  permissions: "--allow-read=.",
  examples: [
    "before.pwsnap after.pwsnap",
    "before.pwsnap 1334 --root 0x246f000",
    "1334 --comm target --after 5s",
    "sim: sim:",
  ],
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
  const [first, second = first] = positionals;
  const findFirst = await open(first!);
  const findBefore = options.after === undefined
    ? findFirst
    : await takenNow(findFirst, options.after);
  const findAfter = options.after === undefined ? await open(second!) : findFirst;
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
    for await (const run of differenceRuns(counted(differences))) {
      if (!options.json) out.line(differenceRunLine(run, after.context));
    }
  });
  bar.stop();
  const { appeared, vanished, changed, notCompared } = count;
  if (!options.json) out.line(`${appeared} appeared, ${vanished} vanished, ${changed} changed`);
  if (appeared + vanished + changed > 0) return EXIT.FAIL;
  return notCompared > 0 ? EXIT.INCONCLUSIVE : EXIT.PASS;

  /** Counts differences on their way; as JSON each is a line of its own. */
  async function* counted(differences: AsyncIterable<EntryDifference>) {
    for await (const difference of differences) {
      count[difference.kind]++;
      if (options.json) out.line(toJson(differenceRecord(difference)));
      yield difference;
    }
  }

  /** Keeps a guest's tables as they are, and waits. */
  async function takenNow(find: () => Promise<Side>, milliseconds: number) {
    if (live.length === 0) {
      throw new InvalidArgumentError(
        "--after compares a guest with itself: a file does not change",
        first,
      );
    }
    let taken: Side;
    await frozen(live, async () => {
      const { memory, context, whose } = await find();
      const kept = await snapshot(memory, context, {
        ...options.range && { range: options.range },
      });
      taken = { ...kept, whose: `${whose}, at ${kept.takenAt.toISOString()}` };
    });
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return () => Promise.resolve(taken);
  }

  /** Compares while all guests are paused, if they are to be. */
  async function frozen([guest, ...others]: Session[], block: () => Promise<void>): Promise<void> {
    if (guest === undefined) return await block();
    const read = guest === live[0] ? readingOnce : reading;
    await read(guest, options, () => frozen(others, block));
  }
});

/** One side, and where its tables come from. */
type Side = PageTableSource & { whose: string };

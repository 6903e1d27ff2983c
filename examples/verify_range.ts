/**
 * Says whether `_PAGE_USER` is cleared on every page of a buffer of a running guest.
 *
 *     deno run --allow-net=127.0.0.1:1334 verify_range.ts 1334 0x7f1234567000 1M
 */
import { partCase, rangeRecord, rangeText } from "@pagewalk/pagewalk/report";
import {
  addressArgument,
  CONNECT_OPTIONS,
  connectTo,
  describeSource,
  exitCodeOf,
  EXPECT_OPTIONS,
  expectationOf,
  FREEZE_OPTION,
  MONITOR,
  OUTPUT_OPTIONS,
  parseSize,
  ProgressBar,
  reading,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  verdictOutput,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "verify_range.ts",
  purpose: "Check whether _PAGE_USER is cleared on every page of a range",
  positionals: [
    MONITOR,
    { name: "start", purpose: "the first address, such as 0x7f1234567000" },
    { name: "length", purpose: "the length in bytes, such as 1048576, 0x100000 or 1M" },
  ],
  options: {
    ...EXPECT_OPTIONS,
    ...TABLE_OPTIONS,
    ...FREEZE_OPTION,
    list: wholeNumber("N", "list at most N failures and N gaps (default 100)"),
    ...OUTPUT_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  examples: [
    "1334 0x7f1234567000 1M",
    "1334 0x7f1234567000 1M --sample 5000 --json",
    "sim: 0x7f1234567000 16K",
  ],
  exits: { 1: "a page is not as expected", 2: "a page is not mapped or could not be judged" },
}, async ({ positionals: [monitor, start, length], options }) => {
  const address = addressArgument(start!);
  const lengthBytes = parseSize(length!);
  const output = await verdictOutput(options, "verify_range");
  const isReport = options.tap || options.junit;
  using bar = new ProgressBar();
  await using guest = await connectTo(monitor!, options);

  const verify = () =>
    guest.verifyRange(address, lengthBytes, expectationOf(options), {
      ...tableChoice(options),
      ...options.list !== undefined && { keep: options.list },
      ...isReport && { onParts: (parts) => parts.forEach((part) => output.add(partCase(part))) },
      onProgress: bar.counting("pages"),
    });
  const verdict = await reading(guest, options, verify);
  bar.stop();

  const source = describeSource(verdict.source);
  if (output.isJson) console.log(toJson(rangeRecord(verdict, verdict.source)));
  output.say(rangeText(verdict, { source }));
  output.end(verdict.verdict);
  return exitCodeOf(verdict.verdict);
});

/**
 * Says whether `_PAGE_USER` is cleared in the entry that maps an address of a running guest.
 *
 *     deno run --allow-net=127.0.0.1:1334 qemu_verify_pte.ts 1334 0x7f1234567000
 */
import {
  ADDRESS,
  addressArgument,
  CONNECT_OPTIONS,
  connectTo,
  describeSource,
  escapeText,
  exitCodeOf,
  EXPECT_OPTIONS,
  expectationOf,
  formatAddress,
  FREEZE_OPTION,
  MONITOR,
  notMappedAdvice,
  oneOf,
  OUTPUT_OPTIONS,
  reading,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  verdictOutput,
  verdictRecord,
  verificationText,
  whoMapsIt,
  xv6WalkText,
} from "@pagewalk/pagewalk/cli/check";

await runCommand({
  name: "qemu_verify_pte.ts",
  purpose: "Check whether _PAGE_USER is cleared in the entry that maps an address",
  positionals: [MONITOR, ADDRESS],
  options: {
    ...EXPECT_OPTIONS,
    ...TABLE_OPTIONS,
    ...FREEZE_OPTION,
    style: oneOf(["xv6"], "print the entries on the way as xv6's course does"),
    ...OUTPUT_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  examples: [
    "1334 0x7f1234567000 --comm target",
    "1334 0x7f1234567000 --sample 5000",
    "sim: 0x7f1234567000",
  ],
  exits: { 1: "not as expected", 2: "no page is mapped there" },
}, async ({ positionals: [monitor, virtualAddress], options }) => {
  const address = addressArgument(virtualAddress!);
  const output = await verdictOutput(options, "qemu_verify_pte");
  await using guest = await connectTo(monitor!, options);
  output.say(`[+] Connected to QEMU monitor at ${escapeText(guest.endpoint)}`);

  const verdict = await reading(
    guest,
    options,
    () => guest.verify(address, expectationOf(options), tableChoice(options)),
  );

  const source = describeSource(verdict.walk.source);
  if (output.isJson) console.log(toJson(verdictRecord(verdict, verdict.walk.source)));
  if (output.isText) {
    if (options.style === "xv6") console.log(xv6WalkText(verdict.walk));
    console.log(verificationText(verdict, { source }));
    if (verdict.walk.outcome === "notPresent") console.log(`[!] ${notMappedAdvice(verdict.walk)}`);
    const holders = await whoMapsIt(guest, verdict.walk);
    if (holders !== null) console.log(`[!] ${holders}`);
  }
  const { verdict: kind, reason } = verdict;
  output.add({ name: formatAddress(address), verdict: kind, reason });
  output.end(kind);
  return exitCodeOf(verdict.verdict);
});

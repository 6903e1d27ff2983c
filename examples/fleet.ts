/**
 * Says of many guests whether `_PAGE_USER` is cleared in the entry that maps an address.
 *
 *     deno run --allow-net=127.0.0.1:1334,10.0.0.7:1334 fleet.ts 1334 10.0.0.7:1334 0x7f1234567000
 *     deno run --allow-net --allow-read=hosts.txt fleet.ts 0x7f1234567000 --file hosts.txt --json
 */
import { checkFleet } from "@pagewalk/pagewalk";
import {
  ADDRESS,
  addressArgument,
  addressNotation,
  CONNECT_OPTIONS,
  ConnectError,
  connectOptions,
  counted,
  describeSource,
  type Endpoint,
  escapeMessage,
  escapeText,
  EXIT,
  exitCodeOf,
  EXPECT_OPTIONS,
  expectationOf,
  formatAddress,
  FREEZE_OPTION,
  InvalidArgumentError,
  OUTPUT_OPTIONS,
  parseEndpoint,
  permissionFor,
  reading,
  readListInput,
  runCommand,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  value,
  verdictOutput,
  verdictRecord,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

const { "debug-port": _, record: __, ...GUEST_OPTIONS } = CONNECT_OPTIONS;

await runCommand({
  name: "fleet.ts",
  purpose: "Check on many guests whether _PAGE_USER is cleared in the entry that maps an address",
  positionals: [
    {
      name: "endpoint",
      purpose: "a guest, as for the other scripts",
      optional: true,
      repeated: true,
      isEndpoint: true,
    },
    ADDRESS,
  ],
  options: {
    file: value(
      "FILE",
      "read the endpoints from a file, one per line; --file=- is standard input",
      String,
    ),
    jobs: wholeNumber("N", "check N guests at a time (default 8)", 1),
    ...EXPECT_OPTIONS,
    ...TABLE_OPTIONS,
    ...FREEZE_OPTION,
    ...OUTPUT_OPTIONS,
    ...GUEST_OPTIONS,
  },
  examples: [
    "1334 1434 unix:/run/vm.sock 0x7f1234567000",
    "0x7f1234567000 --file hosts.txt --json",
  ],
  exits: { 1: "a guest is not as expected", 2: "in a guest, no page is mapped there" },
}, async ({ positionals, options }) => {
  const [given, virtualAddress] = splitArguments(positionals);
  const address = addressArgument(virtualAddress);
  const listed = options.file === undefined ? [] : await readListInput(options.file);
  const endpoints = [...given, ...listed].filter((endpoint) => endpoint !== "");
  if (endpoints.length === 0) {
    throw new InvalidArgumentError("No guest is named: give endpoints, or --file FILE", endpoints);
  }

  const output = await verdictOutput(options, "fleet");
  const width = Math.max(...endpoints.map((endpoint) => escapeText(endpoint).length));
  const expectation = expectationOf(options);
  const counts = { pass: 0, fail: 0, inconclusive: 0, error: 0 };
  let [worst, permission] = [EXIT.PASS as number, false];
  const check = checkFleet(
    endpoints,
    (guest) =>
      reading(guest, options, () => guest.verify(address, expectation, tableChoice(options))),
    {
      ...connectOptions({ ...options, "debug-port": undefined, record: undefined }),
      ...options.jobs !== undefined && { limit: options.jobs },
    },
  );
  for await (const row of counted(check, "guests", endpoints.length)) {
    const { endpoint } = row;
    const verdict = "error" in row ? "error" : row.result.verdict;
    counts[verdict]++;
    worst = Math.max(worst, verdict === "error" ? EXIT.CANNOT_CHECK : exitCodeOf(verdict));
    if ("error" in row) {
      const { name, message } = row.error;
      permission ||= row.error instanceof ConnectError && row.error.failure === "permission";
      output.add({ name: endpoint, verdict, reason: message });
      if (output.isJson) console.log(toJson({ endpoint, verdict, error: { name, message } }));
      print(endpoint, verdict, message);
      continue;
    }
    const { result } = row;
    const source = describeSource(result.walk.source);
    const reason = `${result.reason} (${source})`;
    output.add({ name: endpoint, verdict, reason });
    if (output.isJson) {
      console.log(toJson({ endpoint, ...verdictRecord(result, result.walk.source) }));
    }
    print(endpoint, verdict, reason);
  }
  const words = Object.entries(counts).filter(([, count]) => count > 0);
  const said = words.map(([word, count]) => `${count} ${word}`).join(", ");
  output.say(`[${worst === EXIT.PASS ? "+" : "-"}] ${formatAddress(address)}: ${said}`);
  output.end((["pass", "fail", "inconclusive", "error"] as const)[worst]!);
  if (permission) {
    const needed = escapeMessage(permissionFor(...readable(endpoints)));
    console.error(`error: To reach all of them, run deno with ${needed}`);
  }
  return worst;

  function print(endpoint: string, verdict: string, text: string): void {
    output.say(
      `${escapeText(endpoint).padEnd(width)}  ${verdict.padEnd(12)}  ${escapeMessage(text)}`,
    );
  }
});

/** The endpoints and the address behind them, or before them where that is plain: `0x1000 1334`. */
function splitArguments(words: readonly string[]): [readonly string[], string] {
  const [first, last] = [words[0]!, words.at(-1)!];
  if (words.length === 1) return [[], first];
  // Bare digits may be a port or an address.
  const isAddress = (word: string) =>
    /^0x/i.test(word) || addressNotation(word) !== null && readable([word]).length === 0;
  if (isAddress(last)) return [words.slice(0, -1), last];
  if (isAddress(first)) return [words.slice(1), first];
  const message = "Which argument is the address is not plain: write it last, such as 0x400000";
  throw new InvalidArgumentError(message, words);
}

/** The endpoints that are any. */
function readable(endpoints: readonly string[]): Endpoint[] {
  return endpoints.flatMap((endpoint) => {
    try {
      return [parseEndpoint(endpoint)];
    } catch (error) {
      if (error instanceof InvalidArgumentError) return [];
      throw error;
    }
  });
}

/**
 * Walks addresses of one guest by two connectors and by QEMU's own `gva2gpa`, and lists what differs.
 *
 *     deno run --allow-net=127.0.0.1:1334,127.0.0.1:4444 crosscheck.ts 1334 qmp:4444
 *     deno run --allow-net=127.0.0.1:1334 --allow-read=core crosscheck.ts 1334 dump:core 0x7f1234567000
 */
import { crosscheck, crosscheckTables, listTables } from "@pagewalk/pagewalk";
import {
  addressArgument,
  CONNECT_OPTIONS,
  connectTo,
  counted,
  escapeText,
  EXIT,
  flag,
  formatAddress,
  FREEZE_OPTION,
  MONITOR,
  PagewalkError,
  reading,
  readListInput,
  runCommand,
  type Session,
  TABLE_OPTIONS,
  tableChoice,
  toJson,
  value,
  type Walk,
  walkRecord,
  wholeNumber,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "crosscheck.ts",
  purpose: "Walk addresses by two connectors and by gva2gpa, and list what differs",
  positionals: [
    MONITOR,
    {
      name: "other",
      purpose: "the same guest by another connector, such as qmp:4444 or dump:core",
      isEndpoint: true,
    },
    {
      name: "address",
      purpose: "what to walk (default: each page of the listing)",
      optional: true,
      repeated: true,
    },
  ],
  options: {
    file: value(
      "FILE",
      "read the addresses from a file, one per line; --file=- is standard input",
      String,
    ),
    every: wholeNumber("N", "check every N-th page of the listing (default 1)", 1),
    ...FREEZE_OPTION,
    ...TABLE_OPTIONS,
    json: flag("print one JSON object per difference"),
    ...CONNECT_OPTIONS,
  },
  examples: ["1334 qmp:4444", "1334 qmp:4444 --every 100 --freeze", "sim: sim: 0x7f1234567000"],
  exits: { 1: "they differ" },
}, async ({ positionals: [monitor, other, ...given], options }) => {
  await using first = await connectTo(monitor!, options);
  await using second = await connectTo(other!, {
    ...options,
    "debug-port": undefined,
    record: undefined,
  });
  const choice = tableChoice(options);
  const check = async (): Promise<number> => {
    const tables = await crosscheckTables([first, second], choice);
    if (tables.first.mode !== tables.second.mode) {
      const line = `[-] The modes differ: ${tables.first.mode} and ${tables.second.mode}`;
      if (options.json) console.error(line);
      else console.log(line);
      return EXIT.FAIL;
    }
    if (tables.secondRoot !== tables.first.root && !options.json) {
      console.log("[!] The roots differ, as on a running guest: both walk from the first one's");
    }
    const [counts, addresses] = [{ walks: 0, byQemu: 0, different: 0 }, await addressesOf()];
    const results = crosscheck([first, second], tables, addresses, choice);
    for await (const result of counted(results, "addresses")) {
      counts.walks++;
      if (result.qemu !== undefined) counts.byQemu++;
      if (result.agree) continue;
      counts.different++;
      const { address, qemu } = result;
      if (options.json) {
        const walks = { first: walkRecord(result.first), second: walkRecord(result.second) };
        console.log(toJson({ address, ...walks, qemu }));
        continue;
      }
      const answers = [
        `${escapeText(first.endpoint)} says ${text(result.first)}`,
        `${escapeText(second.endpoint)} says ${text(result.second)}`,
        ...qemu === undefined ? [] : [`gva2gpa says ${translation(qemu)}`],
      ];
      console.log(`[-] ${formatAddress(address)}: ${answers.join("; ")}`);
    }
    if (counts.walks === 0) throw new PagewalkError("There is no address to check");
    if (!options.json) {
      console.log(
        `[${counts.different ? "-" : "+"}] ${counts.walks} addresses by ${
          escapeText(first.endpoint)
        } and ` +
          `${escapeText(second.endpoint)}, ${counts.byQemu} of them by gva2gpa: ` +
          `${counts.different || "no"} difference${counts.different > 1 ? "s" : ""}`,
      );
    }
    return counts.different > 0 ? EXIT.FAIL : EXIT.PASS;

    async function addressesOf(): Promise<Iterable<bigint> | AsyncIterable<bigint>> {
      if (options.file !== undefined) {
        return (await readListInput(options.file)).map(addressArgument);
      }
      if (given.length > 0) return given.map(addressArgument);
      return everyPage(first, options.every ?? 1);
    }

    async function* everyPage(guest: Session, every: number): AsyncGenerator<bigint> {
      let pages = 0;
      for await (const parts of listTables(guest.memory, tables.first, { start: 0n })) {
        for (const part of parts) {
          if (part.kind === "page" && pages++ % every === 0) yield part.address;
        }
      }
    }
  };
  return await reading(first, options, check);
});

function text(walk: Walk): string {
  const entry = walk.steps.at(-1);
  const by = entry ? ` by ${entry.name} entry ${formatAddress(entry.raw)}` : "";
  return `${walk.outcome === "mapped" ? formatAddress(walk.physicalAddress) : walk.outcome}${by}`;
}

function translation(physical: bigint | null): string {
  return physical === null ? "notPresent" : formatAddress(physical);
}

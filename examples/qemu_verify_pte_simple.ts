/**
 * Verifies `_PAGE_USER` by hand: every monitor command with its reply, every step of the arithmetic.
 * It is what one would type at the monitor, done right for large pages, 5 levels and NX.
 *
 *     deno run --allow-net=127.0.0.1:1334 qemu_verify_pte_simple.ts 1334 0x7f1234567000
 */
import {
  ADDRESS,
  addressArgument,
  CONNECT_OPTIONS,
  connectTo,
  describeNoTables,
  describeReservedBits,
  escapeLines,
  EXIT,
  formatAddress,
  FREEZE_OPTION,
  MONITOR,
  PagewalkError,
  parseAddress,
  reading,
  runCommand,
  type Session,
  spanAt,
  tableIndex,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "qemu_verify_pte_simple.ts",
  purpose: "Verify _PAGE_USER by hand: each monitor command, each step of the arithmetic",
  positionals: [MONITOR, ADDRESS],
  options: { ...FREEZE_OPTION, ...CONNECT_OPTIONS },
  examples: ["1334 0x7f1234567000", "sim: 0x7f1234567000"],
  exits: { 1: "_PAGE_USER is set", 2: "no page is mapped there" },
}, async ({ positionals: [monitor, virtualAddress], options }) => {
  const address = addressArgument(virtualAddress!);
  await using guest = await connectTo(monitor!, options);

  return await reading(guest, options, () => verify(guest, address));
});

async function verify(guest: Session, address: bigint): Promise<number> {
  // Step 1: the page-table root, shown as it is asked for: the next moment the vCPU is on other tables.
  const { monitor } = guest;
  const ask = monitor.command.bind(monitor);
  monitor.command = async (line, options) => {
    const text = await ask(line, options);
    if (line === "info registers") show(line, text, /\b(?:CR3|EFER)=|^ (?:satp|V|priv) /);
    return text;
  };
  const { context } = await guest.pageTable();
  monitor.command = ask;
  if (context.noTables) {
    console.log(`\nNo entry to check: ${describeNoTables(context.noTables)}`);
    return EXIT.INCONCLUSIVE;
  }
  const { rules } = context;
  const span = spanAt(context, address);
  if (span === undefined) {
    console.log(`\n${formatAddress(address)} is not an address of ${context.mode} paging`);
    return EXIT.INCONCLUSIVE;
  }
  const decoders = span.levels;
  console.log(`\n${rules.rootName} = ${formatAddress(context.root)}, ${context.mode} paging`);

  // Step 2: the index into the table of each level.
  for (const { format: level } of decoders) {
    const mask = (1 << level.indexBits) - 1;
    console.log(
      `${level.name} index = (${formatAddress(address)} >> ${level.shift}) & 0x${
        mask.toString(16)
      } = ` +
        tableIndex(address, level),
    );
  }

  // Step 3: one entry a level, until one maps a page.
  let table = context.root;
  for (const decoder of decoders) {
    const { name, entryName, shift } = decoder.format;
    const index = tableIndex(address, decoder.format);
    const entryAddress = table + BigInt(index * decoder.entryBytes);
    const size = decoder.entryBytes === 8 ? "g" : "w";
    console.log(
      `\n${entryName} address = ${formatAddress(table)} + ${index} * ${decoder.entryBytes}`,
    );
    await requireRam(entryAddress);
    const command = `xp /1x${size} ${formatAddress(entryAddress)}`;
    console.log(`(qemu) ${command}`);
    const reply = await guest.monitor.command(command);
    console.log(escapeLines(reply));
    const raw = parseAddress(reply.split(": ").at(-1)!);
    const entry = decoder.decode(raw, entryAddress, index);
    if (entry.kind === "notPresent") {
      console.log(`${formatAddress(raw)} & 0x1 = 0x0: the ${name} entry is not present`);
      return EXIT.INCONCLUSIVE;
    }
    if (entry.reservedBits) {
      console.log(
        `the ${name} entry ${describeReservedBits(entry, context)}: it maps nothing`,
      );
      return EXIT.INCONCLUSIVE;
    }
    if (entry.kind === "table") {
      table = entry.frame;
      continue;
    }
    const isX86 = rules.architecture === "x86";
    const sign = isX86 ? "Bit 7 is set" : "R, W or X is set";
    if (shift > 12) console.log(`${sign}: this entry maps a page of 2^${shift} bytes`);
    if (isX86 && entry.frame >> 36n) {
      const bits = await guest.physicalAddressBits();
      if (bits === null || entry.frame >> BigInt(bits)) {
        console.log(`MAXPHYADDR is ${bits ?? "not known"}: the page may lie beyond it`);
        return EXIT.INCONCLUSIVE;
      }
    }
    const { mask } = rules.rights.bits.user!;
    const user = raw & mask;
    console.log(`\n${formatAddress(raw)} & ${formatAddress(mask)} = ${formatAddress(user)}`);
    console.log(user ? "_PAGE_USER is set (user page)" : "_PAGE_USER is cleared (kernel page)");
    return user ? EXIT.FAIL : EXIT.PASS;
  }
  throw new PagewalkError("A paging mode's last level must map pages");

  /** xp on a device's registers would be a real read of the device, so only RAM is asked for. */
  async function requireRam(entryAddress: bigint): Promise<void> {
    await guest.memory.read(entryAddress, 1);
  }
}

/** Prints a command and the lines of its reply that matter. */
function show(command: string, text: string, what: RegExp): void {
  const shown = text.split("\n").filter((line) => what.test(line));
  console.log(`(qemu) ${command}\n${escapeLines(shown.join("\n"))}`);
}

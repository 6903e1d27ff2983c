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
  notes: [
    "A verdict is pass or fail only if an entry was read from the tables asked for, of a vCPU that " +
    "translates with them; everything else is inconclusive, with the reason and the next step.",
    "No tables: there is no entry while paging is off, on a vCPU that the kernel has not started, and in " +
    "system-management mode. Choose another vCPU (--cpu) or give a root (--root), which is read in the " +
    "paging mode of another vCPU, or in that of --mode.",
    "Nested guests: with virtualization on, QEMU shows the registers of L1 or L2 without saying which. A " +
    "vCPU counts as L1's only if its IDT and TR are where Linux has them and its tables map them. --pid, " +
    "--comm and --root use another vCPU, or retry for three seconds. A malicious nested guest can imitate " +
    "all of that: use --root then, and under a hypervisor other than Linux.",
    "Reserved bits: such an entry is present, but every access through it faults: no verdict. MAXPHYADDR is " +
    "read from QEMU, else from the guest's Linux, and only for pages at 2^36 or above; --phys-bits gives it.",
    "Changing tables: each entry that a verdict depends on is read three times, in random order; if one " +
    "differs (apart from accessed and dirty bits), the page is inconclusive. A guest that flips two entries " +
    "at every read got a wrong pass in up to 8 % of attempts; only --freeze rules that out.",
    "A pass does not cover later changes (watch_pte.ts), other mappings of the frame (aliases.ts), stale TLB " +
    "entries, DMA (verify_vfio.ts), or, without --effective, upper levels.",
  ],
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

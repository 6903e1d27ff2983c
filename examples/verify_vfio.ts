/**
 * The VFIO check in one command: is `_PAGE_USER` cleared on each page that the guest's own log says VFIO
 * has cleared, and on all memory that VFIO has pinned for DMA, as the driver's own list has it?
 *
 *     deno run --allow-net=127.0.0.1:1334 verify_vfio.ts 1334
 */
import { verifyVfio, type VfioJudgement, type VfioSource, VfioTally } from "@pagewalk/pagewalk";
import { vfioCase, vfioLine, vfioRecord, vfioSummary } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  counted,
  DEVICE_OPTIONS,
  escapeText,
  exitCodeOf,
  flag,
  formatAddress,
  FREEZE_OPTION,
  InvalidArgumentError,
  LimitedLines,
  MONITOR,
  OUTPUT_OPTIONS,
  PROCESS_OPTIONS,
  processChoice,
  reading,
  runCommand,
  toJson,
  verdictOutput,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "verify_vfio.ts",
  purpose:
    "Verify that `_PAGE_USER` is cleared on what the guest's log names and what VFIO has pinned",
  positionals: [MONITOR],
  options: {
    "log-only": flag("only the pages that the guest's log names"),
    "vfio-maps": flag("only what VFIO has pinned, including device memory; ignores the log"),
    iommu: flag(
      "pass nothing unless the IOMMU lets devices reach exactly the pinned frames (default: compare " +
        "them where the IOMMU can be read)",
    ),
    "no-iommu": flag("do not look at what devices reach"),
    ...PROCESS_OPTIONS,
    ...OUTPUT_OPTIONS,
    ...FREEZE_OPTION,
    ...DEVICE_OPTIONS,
    ...CONNECT_OPTIONS,
  },
  notes: [
    "The guest's log: each page that the patch's lines name is judged in the process that has it. A record " +
    "counts only if the kernel wrote it and it has exactly the patch's format. One that cannot be read, " +
    "contradictory records of one address, and a page whose owner is ambiguous are inconclusive. Of several " +
    "processes that map an address, the one with the logged frame is checked, never one started later.",
    "What is pinned: found through every open file that holds a container, a group or a device, in the " +
    "driver's own list. Memory of a process that has exited, or of a program that ran before an exec, has no " +
    "page tables left: it is reported and does not pass. A kernel without type data (BTF) needs --btf FILE " +
    "(pahole --btf_encode_detached FILE vmlinux); without it the log alone is judged, and the result says so.",
    "What devices reach: the device must reach the same frame as the process's address, and the IOMMU must " +
    "map exactly what VFIO lists: after mmap(MAP_FIXED) or MADV_DONTNEED over a mapped buffer a device still " +
    "reaches the old frames. Where the IOMMU cannot be read, the result says so; with --iommu it does not pass.",
  ],
  examples: ["1334", "1334 --json", "1334 --comm target", "1334 --log-only", "1334 --vfio-maps"],
  exits: {
    1: "a page is not cleared, or not as logged",
    2: "something could not be judged, or nothing was found",
  },
}, async ({ positionals: [monitor], options }) => {
  const sources = sourcesOf(options["log-only"], options["vfio-maps"]);
  const iommu = iommuOf(options.iommu, options["no-iommu"]);
  const wanted = processChoice(options);
  const process = wanted === undefined ? {} : { process: wanted };
  const output = await verdictOutput(options, "verify_vfio");
  await using guest = await connectTo(monitor!, options);
  output.say(`[+] Connected to QEMU monitor at ${escapeText(guest.endpoint)}`);
  output.say(`[+] Linux ${escapeText((await guest.linux()).version)}`);
  const tally = new VfioTally();
  const roots = new Set<bigint>();
  await reading(guest, options, async () => {
    const judged = verifyVfio(guest, { sources, ...iommu, ...process });
    using lines = new LimitedLines();
    for await (const judgement of counted(judged, "results")) {
      tally.add(judgement);
      const one = vfioCase(judgement);
      if (one !== null) output.add(one);
      if (output.isJson) console.log(toJson(vfioRecord(judgement)));
      if (output.isText) tell(judgement, { roots, lines, pinned: sources.includes("pinned") });
    }
  });
  const { verdict } = tally;
  if (output.isJson) console.log(toJson({ kind: "summary", verdict, sources: tally.sources }));
  output.say(vfioSummary(tally).join("\n"));
  output.end(verdict);
  return exitCodeOf(verdict);
});

/** Where it is told, what was told already, and whether pinned ranges are told by themselves. */
interface Telling {
  readonly lines: LimitedLines;
  readonly roots: Set<bigint>;
  readonly pinned: boolean;
}

/** Whose tables are read, once for each; then what does not pass, and each range. */
function tell(judgement: VfioJudgement, { lines, roots, pinned }: Telling): void {
  const process = "process" in judgement ? judgement.process : null;
  if (process && !roots.has(process.root!)) {
    roots.add(process.root!);
    const whose = `pid ${process.pid} ${escapeText(process.comm)}`;
    lines.line(`[+] CR3 (Page Table Base): ${formatAddress(process.root!)} (${whose})`);
  }
  const isOneOfMany = (judgement.kind === "logged" || judgement.kind === "dma") &&
    judgement.verdict === "pass";
  // Where both sides agree, what is wrong is the process's page, and its range says so.
  const isTold = pinned && judgement.kind === "dma" && judgement.verdict === "fail" &&
    judgement.physicalAddress === judgement.processPhysicalAddress;
  const line = isOneOfMany || isTold ? null : vfioLine(judgement);
  if (line !== null) lines.line(line);
}

function iommuOf(required: boolean, skipped: boolean): { iommu?: boolean } {
  if (required && skipped) {
    throw new InvalidArgumentError("Choose one: --iommu and --no-iommu exclude each other", {});
  }
  return required || skipped ? { iommu: required } : {};
}

function sourcesOf(logOnly: boolean, vfioMaps: boolean): Exclude<VfioSource, "iommu">[] {
  if (logOnly && vfioMaps) {
    throw new InvalidArgumentError("Choose one: --log-only and --vfio-maps exclude each other", {});
  }
  if (logOnly) return ["log"];
  return vfioMaps ? ["pinned", "device"] : ["log", "pinned"];
}

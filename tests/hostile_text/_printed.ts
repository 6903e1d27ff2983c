/** What printers are given: results of the simulated guest, with hostile text wherever some can come from elsewhere. */
import * as mod from "../../mod.ts";
import * as report from "../../src/report/mod.ts";
import type { Finding, JudgedPart, MappingRecord, VfioJudgement } from "../../mod.ts";
import type { FrameReport } from "../../src/entries/devices.ts";
import { type LinuxProcess, parseVfioLog } from "../../src/entries/linux.ts";
import type { Style } from "../../src/report/mod.ts";
import { HOSTILE } from "./_hostile_text.ts";

/** All that prints. */
export const sdk = { ...mod, ...report };

await using guest = await sdk.connect("sim:");
export const PAGE = 0x7f1234567000n;
const LOGGED = "VFIO: Clearing _PAGE_USER at vaddr 0x7f1234567000, old PTE: 0x8000000110080867";
export const walk = await guest.walk(PAGE);
export const verdict = { ...await guest.verify(PAGE), reason: HOSTILE };
export const inconclusive = { ...await guest.verify(0x10000n), reason: HOSTILE };
export const range = await guest.verifyRange(PAGE, 32 * 4096, { user: false });
export const parts: JudgedPart[] = [...range.failures, ...range.gaps];
export const hostileRange = {
  ...range,
  failures: range.failures.map((page) => ({ ...page, reason: HOSTILE })),
  gaps: range.gaps.map((gap) => ({ ...gap, reason: HOSTILE })),
};
const found = await Array.fromAsync(guest.audit());
export const hostileFindings: Finding[] = found.map((finding) => ({
  ...finding,
  message: HOSTILE,
}));
export const listed: MappingRecord[] = await Array.fromAsync(guest.mappings());
export const { context } = await guest.pageTable();
export const listedRights = { user: true, writable: true, executable: true };
export const xv6Listed = await Array.fromAsync(
  sdk.xv6Tables(guest.memory, context, { maxTables: 5 }),
);
export const differences = await Array.fromAsync(
  sdk.diff(await guest.snapshot({ range: { start: PAGE, lengthBytes: 4096 } }), {
    memory: guest.memory,
    context,
  }, { accessedAndDirty: true }),
);
export const process = {
  pid: 1,
  state: "S",
  comm: HOSTILE,
  root: 0n,
  userRoot: null,
  threadCount: 1,
} as const;
export const pages = {
  ...{ mappedBytes: new Map([[4096, 4096]]), untouchedBytes: 0, swappedBytes: 0 },
  ...{ supervisorBytes: 4096, readOnlyBytes: 0, tooWritableBytes: 0, unknownBytes: 0 },
  protNoneBytes: 0,
};
export const member = { offset: 8, type: HOSTILE, name: HOSTILE, bits: { first: 0, width: 1 } };
export const entryBits = sdk.bits(0x8000000000000067n);
/** Marks what a printer paints, without an escape of its own. */
const marked = (text: string): string => `<${text}>`;
export const FRAME: FrameReport = {
  state: {
    ...{ frame: 0x5000n, head: 0x5000n, use: "file", flags: ["lru"], references: 2, mapCount: 1 },
    ...{ pinned: false, mapping: 0n },
  },
  file: HOSTILE,
  owners: [{ pid: 7, comm: HOSTILE, address: PAGE }],
  tables: [{ pid: 7, comm: HOSTILE, address: PAGE, level: 1, name: "PT" }],
  problems: [HOSTILE],
};
export const DEVICE = {
  ...{ device: "00:03.0", requesterId: 24, state: "translated", domain: 1 } as const,
  ...{ regime: context, name: HOSTILE },
};
export const STYLE: Style = {
  good: marked,
  bad: marked,
  value: marked,
  faint: marked,
  strong: marked,
};
export const source = HOSTILE;
export const rootSource = { kind: "process", pid: 7, comm: HOSTILE };
const owner: LinuxProcess = { ...process, isKernelThread: false, task: 0n, startNs: null, mm: 0n };
const failure = { verdict: "fail", reason: HOSTILE } as const;
const unread = { kind: "unread", source: "pinned", verdict: "inconclusive" } as const;
export const vfio: VfioJudgement[] = [
  {
    ...{ kind: "logged", ...failure, process: owner, walk },
    record: parseVfioLog(LOGGED)[0]!,
  },
  {
    ...{ kind: "device", ...failure, process: owner, name: HOSTILE },
    ...{ address: PAGE, lengthBytes: 4096, range: hostileRange },
  },
  { ...unread, reason: HOSTILE },
];

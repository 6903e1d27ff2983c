import { given } from "../core/options.ts";
import { formatAddress } from "../core/address.ts";
import { escapeText } from "../core/escape.ts";
import type { FrameReport } from "../linux/frame_report.ts";
import type { FrameUse } from "../linux/frames.ts";

const USES: Readonly<Record<FrameUse, string>> = {
  anonymous: "anonymous memory",
  file: "a file",
  merged: "memory of several programs, merged (KSM)",
  table: "a page table",
  slab: "the kernel's small objects (slab)",
  reserved: "reserved by the kernel",
  free: "free",
  kernel: "the kernel",
};

/**
 * Writes what is known of a frame, a line each: what it belongs to, its references, and who maps it.
 *
 * @param address how an address is written
 *
 * @example Usage
 * ```ts
 * import type { FrameState } from "@pagewalk/pagewalk/devices";
 * import { frameText } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const state: FrameState = {
 *   ...{ frame: 0x5000n, head: 0x5000n, use: "anonymous", flags: ["lru"], references: 1025 },
 *   ...{ mapCount: 1, pinned: true, mapping: 0n },
 * };
 * const owners = [{ pid: 7, comm: "vm", address: 0x7f0000000000n }];
 * assertEquals(frameText({ state, owners, tables: [], problems: [] }), [
 *   "frame 0x5000: anonymous memory, pinned for DMA",
 *   "references 1025, mapped 1 time, flags lru",
 *   "mapped by pid 7 vm at 0x7f0000000000",
 * ]);
 * ```
 */
export function frameText(
  report: FrameReport,
  address: (value: bigint) => string = (value) => formatAddress(value),
): string[] {
  const { state, file, owners, tables, problems } = report;
  const { frame, head, use, references, mapCount, flags, pinned } = state;
  const what = file ? `${USES[use]}, ${escapeText(file)}` : USES[use];
  const part = head === frame ? "" : `, part of the large page at ${address(head)}`;
  const mapped = mapCount === null
    ? ""
    : `, mapped ${mapCount} ${mapCount === 1 ? "time" : "times"}`;
  const whose = ({ pid, comm }: { pid: number; comm: string }) => `pid ${pid} ${escapeText(comm)}`;
  return [
    `frame ${address(frame)}: ${what}${part}${pinned ? ", pinned for DMA" : ""}`,
    `references ${references}${mapped}, flags ${flags.join(" ") || "none"}`,
    ...tables.map((table) =>
      `${table.name} (level ${table.level}) of ${whose(table)}, for ${address(table.address)} on`
    ),
    ...owners.map((owner) => `mapped by ${whose(owner)} at ${address(owner.address)}`),
    ...owners.length + tables.length === 0 ? ["mapped by no process"] : [],
    ...problems.map((problem) => `not certain: ${escapeText(problem)}`),
  ];
}

/**
 * What is known of a frame as plain data for JSON.
 *
 * @example Usage
 * ```ts
 * import type { FrameState } from "@pagewalk/pagewalk/devices";
 * import { frameRecord } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * const state: FrameState = {
 *   ...{ frame: 0x5000n, head: 0x5000n, use: "free", flags: [], references: 0 },
 *   ...{ mapCount: 0, pinned: false, mapping: 0n },
 * };
 * const record = frameRecord({ state, owners: [], tables: [], problems: [] });
 * assertEquals([record.frame, record.pinned], [0x5000n, false]);
 * ```
 */
export function frameRecord({ state, file, ...owners }: FrameReport): Record<string, unknown> {
  const { frame, head, use, flags, references, mapCount, pinned } = state;
  return {
    ...{ frame, head, use, flags, references, mapCount, pinned },
    ...given({ file }),
    ...owners,
  };
}

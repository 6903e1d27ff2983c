import type { GuardedMemory } from "../audit/dma.ts";
import type { LinuxGuest } from "../linux/linux_guest.ts";
import type { AddressRange } from "../translate/address_range.ts";
import { listTables } from "../translate/listing.ts";
import { mappings } from "../translate/mappings.ts";
import { levelOf, type Regime, withRoot } from "../translate/regime.ts";
import { isUnknown } from "./_unknown.ts";
import type { DmaAuditOptions, DmaAuditSource } from "./dma_audit_source.ts";
import type { GuestDevice } from "./guest_iommu.ts";

type Listing = Pick<DmaAuditOptions, "signal" | "maxTables" | "onProgress">;

/**
 * Lists what no device should write: the kernel's text and other code, and the page tables of the kernel, of
 * all processes and of the devices themselves. What could not be listed comes as a sentence.
 */
export async function* guardedMemory(
  session: DmaAuditSource,
  groups: readonly (readonly [GuestDevice, ...GuestDevice[]])[],
  options: DmaAuditOptions,
): AsyncGenerator<GuardedMemory | string> {
  const { signal, maxTables, onProgress } = options;
  const list = {
    ...signal && { signal },
    ...maxTables !== undefined && { maxTables },
    ...onProgress && { onProgress },
  };
  for (const [{ device, regime, unit }] of groups) {
    // A virtio IOMMU's tables are QEMU's own.
    if (regime === undefined || unit.kind === "virtio") continue;
    const what = `the IOMMU's tables of ${device}`;
    yield page(unit.root & ~0xfffn, "the IOMMU's first table");
    // Addresses of nested tables go through the second level, which this listing does not do.
    if (regime.stage2 !== undefined) {
      yield `Whether a device can write the nested first-level tables of ${device} is not checked`;
      continue;
    }
    yield* tablesOf(session, regime, {}, what, list);
  }
  const linux = await session.linux().catch((error) => {
    if (isUnknown(error)) return error.message;
    throw error;
  });
  if (typeof linux === "string") return yield `The kernel's memory is not known: ${linux}`;
  const kernelHalf = { start: linux.context.rules.kernel.start };
  yield* codeOf(session, linux, kernelHalf, list);
  yield* tablesOf(session, linux.context, kernelHalf, "the kernel's page tables", list);
  yield* tablesOfProcesses(session, linux, list);
}

/** What the kernel may execute, its text apart from the rest. */
async function* codeOf(
  session: DmaAuditSource,
  linux: LinuxGuest,
  range: AddressRange,
  list: Listing,
): AsyncGenerator<GuardedMemory | string> {
  const end = (await linux.symbol("_etext"))?.address ?? linux.text;
  const records = mappings(session.memory, linux.context, range, {
    ...list,
    contiguous: true,
    filter: ({ effective }) => effective.executable && !effective.user,
  });
  for await (const record of records) {
    if (record.kind === "mapping") {
      const isText = record.address >= linux.text && record.address < end;
      yield {
        rule: isText ? "dma-writes-kernel-text" : "dma-writes-kernel-code",
        start: record.physicalAddress!,
        lengthBytes: record.lengthBytes,
        what: isText ? "the kernel's text" : "code of the kernel",
      };
    } else if (record.kind === "unreadable" || record.kind === "truncated") {
      yield "The kernel's code could not be listed as a whole";
    }
  }
}

async function* tablesOfProcesses(
  session: DmaAuditSource,
  linux: LinuxGuest,
  list: Listing,
): AsyncGenerator<GuardedMemory | string> {
  const reads = list.signal ? { signal: list.signal } : {};
  for (const process of await linux.processes(reads)) {
    if (process.root === null) continue;
    const { pid, comm } = process;
    const what = `the page tables of pid ${pid} ${comm}`;
    const regime = linux.contextOf(process);
    const [{ addressBits } = { addressBits: 1 }] = regime.spans;
    const userHalf = { start: 0n, lengthBytes: 2 ** (addressBits - 1) };
    yield* tablesOf(session, regime, userHalf, what, list);
    if (process.userRoot) yield page(withRoot(regime, process.userRoot).root, what);
  }
}

/** The frames of the tables of a range, with their level. */
async function* tablesOf(
  session: DmaAuditSource,
  regime: Regime,
  range: AddressRange,
  what: string,
  list: Listing,
): AsyncGenerator<GuardedMemory | string> {
  yield page(regime.root, what);
  let isWhole = true;
  for await (const batch of listTables(session.memory, regime, range, { ...list, tables: true })) {
    for (const record of batch) {
      if (record.kind === "unreadable" || record.kind === "truncated") isWhole = false;
      if (record.kind !== "table") continue;
      const { entry: { frame, level, skippedLevels = 0 } } = record;
      const name = levelOf(regime, level - 1 - skippedLevels)?.format.name ?? "table";
      yield page(frame, `${what} (${name})`);
    }
  }
  if (!isWhole) yield `Not all of ${what} could be listed`;
}

function page(frame: bigint, what: string): GuardedMemory {
  return { rule: "dma-writes-page-table", start: frame & ~0xfffn, lengthBytes: 4096, what };
}

/** An IOMMU as QEMU's memory tree shows it. */
export interface IommuRegion {
  /** Which kind: Intel's VT-d or AMD's AMD-Vi. */
  readonly kind: "vtd" | "amdvi";
  /** The guest-physical address of its registers. */
  readonly registers: bigint;
  /**
   * Whether QEMU translates any device's DMA now; null if it does not tell. Devices that pass through count
   * as not translated.
   */
  readonly translates: boolean | null;
}

/**
 * QEMU's names of the regions of an IOMMU's registers, and their lengths (hw/i386/intel_iommu.c and
 * amd_iommu.c, 7.2 to 11.1). What has another name or length is not one.
 */
const REGIONS: Readonly<Record<string, { kind: IommuRegion["kind"]; lengthBytes: bigint }>> = {
  "intel_iommu": { kind: "vtd", lengthBytes: 0x230n },
  "amdvi-mmio": { kind: "amdvi", lengthBytes: 0x4000n },
};

const SYSTEM = /^ AS "memory",/m;
const ROW =
  /^ {2}([0-9a-f]{8,16})-([0-9a-f]{8,16}) \(prio -?\d+, i\/o\): ([^@\n]+?)(?: @([0-9a-f]+))?$/;
const DEVICE_VIEW = /^ AS "vtd-root",/m;
const TRANSLATED_VIEW = /^ Root memory region: vtd-.*-dmar$/m;

/**
 * Finds the IOMMUs in `info mtree -f`: in the flat view of the address space `memory`, the regions of their
 * registers. A page of registers counts only if all of it is there, at a multiple of 4 KiB.
 */
export function parseIommuUnits(reply: string): IommuRegion[] {
  const views = reply.split(/^(?=FlatView #)/m);
  const system = views.find((view) => SYSTEM.test(view));
  const deviceViews = views.filter((view) => DEVICE_VIEW.test(view));
  const translates = deviceViews.length === 0
    ? null
    : deviceViews.some((view) => TRANSLATED_VIEW.test(view));
  return (system ?? "").split("\n").flatMap((line) => {
    const [, first, last, name, offset = "0"] = ROW.exec(line) ?? [];
    const known = name === undefined || !Object.hasOwn(REGIONS, name) ? undefined : REGIONS[name];
    if (known === undefined || BigInt(`0x${offset}`) !== 0n) return [];
    const registers = BigInt(`0x${first}`);
    const lengthBytes = BigInt(`0x${last}`) + 1n - registers;
    if (lengthBytes !== known.lengthBytes || registers & 0xfffn) return [];
    return [{ kind: known.kind, registers, translates: known.kind === "vtd" ? translates : null }];
  });
}

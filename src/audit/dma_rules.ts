import type { AuditRule } from "./rule.ts";

/** The names of the rules about what devices reach. */
export type DmaRuleName =
  | "dma-writes-kernel-text"
  | "dma-writes-kernel-code"
  | "dma-writes-page-table"
  | "dma-owner-gone"
  | "dma-pass-through"
  | "dma-shared-frame";

/** The rules about what devices reach, by name. */
export const DMA_RULES: Readonly<Record<DmaRuleName, AuditRule>> = {
  "dma-writes-kernel-text": {
    summary: "A device can write the kernel's text",
    help:
      "Whoever controls the device can run any code as the kernel: no right of the processor's " +
      "page tables holds for DMA.",
    severity: "high",
  },
  "dma-writes-kernel-code": {
    summary: "A device can write a page that the kernel may execute",
    help: "Modules, trampolines and compiled BPF programs are code as the kernel's text is.",
    severity: "high",
  },
  "dma-writes-page-table": {
    summary: "A device can write a page table",
    help:
      "Whoever controls the device can map any memory of the machine. Linux up to 6.12 maps the " +
      "first 16 MiB one to one for the ISA bridge, which serves floppy drives.",
    severity: "high",
  },
  "dma-owner-gone": {
    summary: "A device reaches memory of a process that is gone",
    help:
      "A container that was inherited or passed on keeps what another process mapped: its page " +
      "tables are gone, so the memory cannot be judged, and its frames stay pinned.",
    severity: "medium",
  },
  "dma-pass-through": {
    summary: "A device's DMA is passed through: it reaches all of memory",
    help:
      "With iommu=pt Linux does so for devices that it drives itself. Everything that the other " +
      "rules look for is true of such a device.",
    severity: "medium",
  },
  "dma-shared-frame": {
    summary: "Frames can be reached by devices of two domains",
    help: "Two small buffers in one page do this by chance. With a device of VFIO it breaks the " +
      "isolation of what was given to it.",
    severity: "low",
  },
};

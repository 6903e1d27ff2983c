import type { KernelSettings } from "./kernel_guest.ts";

/**
 * Five machines, in which every two settings meet in all four ways: an orthogonal array, where all of
 * them together would be sixteen.
 */
export const SETTINGS: readonly KernelSettings[] = [
  { la57: false, pti: false, kaslr: true, memoryMib: 1024 },
  { la57: false, pti: true, kaslr: false, memoryMib: 4096 },
  { la57: true, pti: false, kaslr: false, memoryMib: 4096 },
  { la57: true, pti: true, kaslr: true, memoryMib: 4096 },
  { la57: true, pti: true, kaslr: false, memoryMib: 1024 },
];

/** Words for settings, as a table has them. */
export function settingsText({ kaslr, la57, memoryMib, pti }: KernelSettings): string {
  return [
    la57 ? "5 levels" : "4 levels",
    pti ? "pti" : "no pti",
    kaslr ? "kaslr" : "nokaslr",
    `${memoryMib / 1024} GiB`,
  ].join(", ");
}

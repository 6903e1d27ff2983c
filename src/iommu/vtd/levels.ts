/** Every table of VT-d has 512 entries, and the last level maps 4 KiB. */
export const TABLE_BITS = 9;
/** The address bits below a page. */
export const PAGE_SHIFT = 12;

/** How many address bits so many levels translate (Intel VT-d specification, 3.6 and 3.7). */
export const VTD_ADDRESS_BITS: Readonly<Record<number, number>> = { 3: 39, 4: 48, 5: 57 };

/** The names of the tables of each level, which are the CPU's, and of their entries. */
export const VTD_LEVEL_NAMES: Readonly<Record<number, { name: string; entryName: string }>> = {
  1: { name: "PT", entryName: "PTE" },
  2: { name: "PD", entryName: "PDE" },
  3: { name: "PDPT", entryName: "PDPTE" },
  4: { name: "PML4", entryName: "PML4E" },
  5: { name: "PML5", entryName: "PML5E" },
};

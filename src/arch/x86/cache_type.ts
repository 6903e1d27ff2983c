/** How the processor may cache a page (Intel SDM vol. 3, table 11-2). */
export type CacheType = "WB" | "WT" | "WC" | "WP" | "UC-" | "UC";

/** The cache type of each of the eight values of a page's three cache bits. */
export type PageAttributeTable = readonly [
  CacheType,
  CacheType,
  CacheType,
  CacheType,
  CacheType,
  CacheType,
  CacheType,
  CacheType,
];

/** What Linux loads into the PAT (arch/x86/mm/pat/memtype.c, 4.2 and later). */
export const PAT_OF_LINUX: PageAttributeTable = ["WB", "WC", "UC-", "UC", "WB", "WP", "UC-", "WT"];

/** What the PAT holds after a reset (Intel SDM vol. 3, table 11-12): firmware runs with it. */
export const PAT_AFTER_RESET: PageAttributeTable = [
  "WB",
  "WT",
  "UC-",
  "UC",
  "WB",
  "WT",
  "UC-",
  "UC",
];

/** The memory types of EPT by number (Intel SDM vol. 3, 29.3.7); those that there are not are empty. */
export const EPT_MEMORY_TYPES: readonly string[] = ["UC", "WC", "", "", "WT", "WP", "WB", ""];

/** The types by which devices are mapped: what lies outside RAM under them is not a surprise. */
export const DEVICE_CACHE_TYPES: readonly CacheType[] = ["UC", "UC-", "WC"];

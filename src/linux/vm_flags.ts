/** What `vm_flags` of an area say (include/linux/mm.h). */
export const VM = {
  READ: 0x1n,
  WRITE: 0x2n,
  EXEC: 0x4n,
  MAYSHARE: 0x80n,
  /** Pages without a `struct page`: a device's, for instance. */
  PFNMAP: 0x400n,
  IO: 0x4000n,
  HUGETLB: 0x40_0000n,
} as const;

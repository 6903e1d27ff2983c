import type { KernelLayout } from "../translate/kernel_layout.ts";
import type { Mapping } from "../translate/mappings.ts";

/** Says whether a run of the kernel's part may be in the view that user code runs on. */
export function isSharedWithUser(
  run: Mapping,
  { entryArea, sharedWithUser }: KernelLayout,
): boolean {
  const end = run.address + BigInt(run.lengthBytes);
  return [...entryArea ? [entryArea] : [], ...sharedWithUser].some((region) =>
    region.start <= run.address && end <= region.end &&
    (region.writable || !run.effective.writable)
  );
}

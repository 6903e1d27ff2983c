import { CapabilityError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import type { StructOffsets } from "./struct_reader.ts";

/** Where members lie in a kernel without type data. */
export function structuralOffsets(
  kernel: Kernel,
  group: "processes" | "vmas",
): Promise<StructOffsets> {
  return Promise.reject(
    new CapabilityError(
      group,
      `This kernel (${kernel.vmcoreinfo.osRelease}) has no type data (CONFIG_DEBUG_INFO_BTF), so ` +
        "where its structures keep what is not known",
    ),
  );
}

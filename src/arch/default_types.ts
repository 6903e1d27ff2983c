// What calls give whose caller names no architecture: the types of the first one in the table. Further
// architectures change nothing here.
export type { Access, AccessVerdict } from "./x86/access.ts";
export type { PagingContext, PagingContextOptions } from "./x86/paging_context.ts";
export type { CpuRegisters } from "./x86/registers.ts";

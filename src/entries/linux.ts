/**
 * What is known of the Linux in a guest: processes, areas, symbols, modules, open files, its log, and its
 * reports of faults. {@linkcode LinuxGuest} is what a session's `linux()` returns.
 *
 * @example What faulted, by the kernel's report
 * ```ts
 * import { parseOops } from "@pagewalk/pagewalk/linux";
 * import { assertEquals } from "@std/assert";
 *
 * const { address } = parseOops("BUG: unable to handle page fault for address: ffffc90000a5d000");
 * assertEquals(address, 0xffffc90000a5d000n);
 * ```
 *
 * @module
 */
export type { OopsEntryChange } from "../linux/oops/compare_entries.ts";
export type {
  OOPS_TABLES,
  OopsAccess,
  OopsEntry,
  OopsKind,
  OopsReport,
  OopsTable,
} from "../arch/oops_report.ts";
export { parseOops } from "../linux/oops/parse_oops.ts";
export { explainOops, type OopsExplanation } from "../session/oops.ts";
export type { VfioContainer, VfioMapping, VfioMappingOwner } from "../linux/vfio_mappings.ts";
export { parseVfioLog, readVfioLog, type VfioLogReading } from "../linux/vfio_log.ts";
export type { VfioLogEntry, VfioLogRecord } from "../linux/vfio_log_record.ts";
export type { LinuxCapability } from "../linux/errors.ts";
export type { ElfKernel, ElfKernelParts, ElfProcess } from "../elf_kernel/elf_kernel.ts";
export type { ElfSymbol } from "../elf/elf_file.ts";
export { AddressNames, type NamedRange, readAddressNames } from "../linux/address_names.ts";
export { type AddressRegion, addressRegions } from "../linux/address_regions.ts";
export { type MemorySums, sumAreaPages } from "../linux/memory_sums.ts";
export type { AreaPages } from "../linux/area_pages.ts";
export type { LayoutMember, StructLayout } from "../linux/btf/btf.ts";
export type { KernelSymbol, SymbolAt } from "../linux/kallsyms/kallsyms.ts";
export type { SymbolName } from "../linux/kallsyms/names.ts";
export {
  type LinuxOpenFile,
  type OpenFileKind,
  type ProcessFiles,
  readProcessFiles,
} from "../linux/files/open_files_of.ts";
export {
  type KernelModules,
  kernelModules,
  type ModuleSymbolList,
  type ModuleType,
} from "../linux/modules/kernel_modules.ts";
export type { LinuxModule, ModulePart, ModuleState } from "../linux/modules/linux_module.ts";
export type { ModuleSymbol } from "../linux/modules/module_symbols.ts";
export type { LinuxGuest } from "../linux/linux_guest.ts";
export type { LinuxGuestParts, LinuxProcesses } from "../linux/linux_processes.ts";
export type { LinuxKnowledge } from "../session/linux_attachment.ts";
export type { LinuxProcess, ProcessTraits, WantedProcess } from "../linux/processes.ts";
export type { FollowLogOptions, LogOptions } from "../linux/log.ts";
export type { AreaKind, MemoryArea } from "../linux/memory_area.ts";
export type { LogRecord } from "../linux/printk_ring.ts";
export type { RunningTask } from "../linux/running_tasks.ts";
export type { LinuxThread } from "../linux/task_record.ts";
export type { TaskState } from "../linux/task_state.ts";
export type { LoggedPage, OwnedPage } from "../linux/vfio_pages.ts";
export type { LogEvent } from "../session/follow_log.ts";

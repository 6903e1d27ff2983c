/**
 * Test a script without a virtual machine: a simulated guest, a fake QEMU monitor on a real socket
 * that can be told to misbehave, a builder of x86 page tables, and a guest of a few KiB for a real
 * QEMU.
 *
 * A script that uses pagewalk takes an endpoint. In a test, give it one of these:
 *
 * | endpoint | what is behind it | needs |
 * |---|---|---|
 * | `sim:` | {@linkcode simulatedGuest}, in the same process | nothing |
 * | {@linkcode fakeMonitor}`(guest).endpoint` | the same over a socket | `--allow-net=127.0.0.1` |
 * | a port of {@linkcode startBareGuest} | a real QEMU | QEMU, `--allow-run` |
 *
 * @example Test a script over a socket, on a good day and on a bad one
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { fakeMonitor, simulatedGuest } from "@pagewalk/pagewalk/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const guest = simulatedGuest({ qemu: "11.1" });
 * await using monitor = fakeMonitor(guest);
 * await using vm = await connect(monitor.endpoint);
 * assertEquals((await vm.monitor.command("info status")), "VM status: running");
 *
 * monitor.inject({ fault: { kind: "close", afterBytes: 5 }, on: "info status" });
 * await assertRejects(() => vm.monitor.command("info status"));
 * assertEquals(monitor.count("info status"), 2);
 * ```
 *
 * @module
 */
export {
  type SimulatedGuest,
  simulatedGuest,
  type SimulatedGuestOptions,
} from "./simulated_guest.ts";
export {
  RISCV_ADDRESSES,
  SimulatedRiscvGuest,
  simulatedRiscvGuest,
} from "./simulated_riscv_guest.ts";
export type { SimulatedAddresses } from "./simulated_guest_layout.ts";
export type { DeviceRead } from "./simulated_guest_bus.ts";
export type { CpuOccupation } from "./simulated_guest_machine.ts";
export type { SimulatedProcess, SimulatedProcessName } from "./simulated_guest_spaces.ts";
export type { QemuRelease } from "./hmp_text/flavours.ts";
export type { HmpSession, MonitorAnswer } from "./hmp_text/session.ts";

export { type FakeMonitor, fakeMonitor, type FakeMonitorServerOptions } from "./fake_monitor.ts";
export type { MonitorControl } from "./fake_monitor_control.ts";
export type { InProcessTransport } from "./fake_monitor_in_process.ts";
export type { FakeMonitorOptions, FaultRule, MonitorFault } from "./fake_monitor_options.ts";
export type { MonitorHandler, MonitorSession, MonitorSource } from "./fake_monitor_source.ts";

export {
  SecondStageBuilder,
  type SecondStageExpectation,
  type SecondStageKind,
  type SecondStageRights,
} from "./second_stage_builder.ts";
export {
  PageTableBuilder,
  type PageTableBuilderOptions,
  registersFor,
  type RegistersForOptions,
  type TablesInUse,
} from "./page_table_builder.ts";
export type { PageSize, PageTableMode } from "./page_table_builder.ts";
export type {
  EntryRights,
  ExpectedEntry,
  ExpectedLeaf,
  ExpectedTranslation,
  PerAccess,
} from "./expected_translation.ts";
export {
  ramRange,
  SparseMemory,
  type SparseMemoryOptions,
  type WrittenRun,
} from "./sparse_memory.ts";

export {
  type BareGuest,
  bareGuest,
  type BareGuestImage,
  type BareGuestMachineOptions,
  type BareGuestMode,
  type BareGuestOptions,
  type BareGuestVcpu,
} from "./bare_guest/bare_guest.ts";
export {
  type RiscvEntryBits,
  type RiscvExpected,
  type RiscvLeaf,
  RiscvPageTables,
  type RiscvTableMode,
} from "./riscv_page_tables.ts";
export {
  type RiscvBareGuestOptions,
  type RiscvBareHart,
  type RunningRiscvBareGuest,
  startRiscvBareGuest,
} from "./riscv_bare_guest.ts";
export {
  type RunningBareGuest,
  startBareGuest,
  type StartBareGuestOptions,
} from "./bare_guest/start.ts";
export {
  qemuAvailable,
  type QemuBinary,
  qemuPath,
  QemuProcess,
  QemuStartError,
  startQemu,
  type StartQemuOptions,
} from "./qemu_process.ts";
export {
  type BuiltDmaPage,
  type DmaRights,
  IommuTableBuilder,
  type IommuTableBuilderOptions,
  type IommuTableFormat,
} from "./iommu_table_builder.ts";

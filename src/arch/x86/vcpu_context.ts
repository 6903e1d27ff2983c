import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { walk } from "../../translate/walk.ts";
import { nestedState, runsLinux, virtualizationOf } from "./cpu_state.ts";
import { type PagingContext, pagingContext, type PagingContextOptions } from "./paging_context.ts";
import type { CpuRegisters } from "./registers.ts";

/**
 * The paging context of a vCPU of a guest that may run guests of its own: its `noTables` says if the vCPU
 * seems to be in one of those.
 *
 * @param peers the registers of all vCPUs, where EFER is not told
 */
export async function vcpuContext(
  memory: PhysicalMemory,
  registers: CpuRegisters,
  peers: readonly CpuRegisters[],
  options: Omit<PagingContextOptions, "root">,
): Promise<PagingContext> {
  const { cpu, idtBase, eferAssumed } = registers;
  const context = pagingContext(registers, options);
  // Where EFER is not told, EFER.SVME is not: then a vCPU that differs from a Linux beside it is suspect.
  if (eferAssumed && context.noTables === undefined && !runsLinux(registers)) {
    if (!peers.some(runsLinux)) return context;
    const sign = "other vCPUs run Linux, and its IDT or TR is not Linux's";
    return { ...context, noTables: nestedState(cpu, sign) };
  }
  const by = virtualizationOf(registers);
  if (context.noTables !== undefined || by === null || idtBase === undefined) return context;
  // A Linux in a nested guest has its IDT at the same address, but its CR3 leads to no tables here.
  const { outcome } = await walk(memory, context, idtBase, { recheck: false });
  if (outcome === "mapped") return context;
  const sign = `${by} is set, and the tables at its CR3 do not map its IDT`;
  return { ...context, noTables: nestedState(cpu, sign) };
}

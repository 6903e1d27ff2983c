import type { ReadOptions } from "../memory/physical_memory.ts";
import type { Kernel } from "./kernel.ts";
import { readU64 } from "./reader.ts";
import { TaskReader } from "./task_record.ts";

/** What a processor of the guest runs. */
export interface RunningTask {
  /** The processor's number, as Linux and QEMU count. */
  readonly cpu: number;
  /** The process id; 0 for the idle task. */
  readonly pid: number;
  /** The thread's id. */
  readonly tid: number;
  /** The thread's name: at most 15 bytes. */
  readonly comm: string;
}

/**
 * Where each processor of x86 keeps its task: a variable of its own, or the first member of the hottest ones
 * from 6.2 to 6.14 (e57ef2ed97c1 "x86: Put hot per CPU variables into a struct").
 */
const VARIABLES = ["current_task", "pcpu_hot"] as const;

/** What the scheduler says, where the processor itself keeps its task in a register, as RISC-V's does in `tp`. */
const RUN_QUEUES = "runqueues";

/**
 * What the first processors run now. Empty if this kernel's symbols do not tell.
 *
 * @throws {CapabilityError} if the kernel does not tell how its tasks are laid out
 */
export async function readRunningTasks(
  kernel: Kernel,
  cpus: number,
  options: ReadOptions = {},
): Promise<RunningTask[]> {
  const offsets = await kernel.address("__per_cpu_offset");
  const variable = await perCpuPointer(kernel);
  if (offsets === null || variable === null) return [];
  const { live } = kernel;
  const tasks = new TaskReader(
    { reader: live, offsets: await kernel.offsets("processes") },
    options,
  );
  return await Promise.all(Array.from({ length: cpus }, async (_, cpu) => {
    const base = await readU64(live, offsets + BigInt(cpu * 8), options);
    const at = BigInt.asUintN(64, base + variable);
    const task = await tasks.read(await readU64(live, at, options));
    return { cpu, pid: task.u32("tgid"), tid: task.u32("pid"), comm: task.text("comm") };
  }));
}

/** Where in each processor's own variables the pointer to its task is; null if nothing tells. */
async function perCpuPointer(kernel: Kernel): Promise<bigint | null> {
  const [own, hot] = await Promise.all(VARIABLES.map((name) => kernel.symbol(name)));
  const variable = own ?? hot;
  if (variable) return variable.address;
  const queues = await kernel.symbol(RUN_QUEUES);
  const current = (await kernel.offsets("running")).get("rq.curr");
  return queues && current !== undefined ? queues.address + BigInt(current) : null;
}

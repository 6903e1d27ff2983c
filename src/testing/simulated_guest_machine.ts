import { InvalidArgumentError } from "../core/errors.ts";
import type { QemuFlavour } from "./hmp_text/flavours.ts";
import type { CpuState, HmpMachine, MemoryRow } from "./hmp_text/machine.ts";
import type { SimulatedBus } from "./simulated_guest_bus.ts";
import type { SimulatedProcessName } from "./simulated_guest_spaces.ts";

/** What a vCPU does: it runs a process, or it is `off`, not yet started, with CR3 0. */
export type CpuOccupation = SimulatedProcessName | "off";

/** The number of vCPUs of the simulated guest. */
const CPU_COUNT = 2;

/** What a machine is put together from. */
export interface SimulatedMachineInit {
  flavour: QemuFlavour;
  rows: readonly MemoryRow[];
  bus: SimulatedBus;
  schedule: readonly (readonly CpuOccupation[])[];
  stateOf(cpu: number, occupation: CpuOccupation): CpuState;
}

/** The side of the guest that monitors see. */
export class SimulatedMachine implements HmpMachine {
  readonly flavour: QemuFlavour;
  readonly cpuCount = CPU_COUNT;
  readonly memoryRows: readonly MemoryRow[];
  readonly bus: SimulatedBus;
  running = true;
  tick = 0;
  readonly #schedules: (readonly CpuOccupation[])[];
  readonly #stateOf: (cpu: number, occupation: CpuOccupation) => CpuState;

  constructor({ flavour, rows, bus, schedule, stateOf }: SimulatedMachineInit) {
    this.flavour = flavour;
    this.memoryRows = rows;
    this.bus = bus;
    this.#stateOf = stateOf;
    this.#schedules = Array.from({ length: CPU_COUNT }, (_, cpu) => schedule[cpu] ?? ["idle"]);
  }

  setSchedule(cpu: number, schedule: readonly CpuOccupation[]): void {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= CPU_COUNT) {
      throw new InvalidArgumentError(`No such vCPU: ${cpu}; there are 0 to ${CPU_COUNT - 1}`, cpu);
    }
    this.#schedules[cpu] = schedule;
  }

  cpuState(cpu: number): CpuState {
    const schedule = this.#schedules[cpu];
    if (schedule === undefined) {
      throw new InvalidArgumentError(`No such vCPU: ${cpu}; there are 0 to ${CPU_COUNT - 1}`, cpu);
    }
    return this.#stateOf(cpu, schedule[this.tick % schedule.length] ?? "idle");
  }

  sampleCpus(): readonly CpuState[] {
    const states = this.#schedules.map((_, cpu) => this.cpuState(cpu));
    if (this.running) this.tick++;
    return states;
  }

  readBus(address: bigint, lengthBytes: number): Uint8Array | null {
    return this.bus.read(address, lengthBytes);
  }
}

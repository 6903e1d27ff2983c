/** What a module is doing (`enum module_state`). */
export type ModuleState = "live" | "coming" | "going" | "unformed";

/** A piece of a module's memory. */
export interface ModulePart {
  /**
   * What is in it. Before 6.4 all of a module lies together (`all`), and until it has started what it starts
   * with (`init`).
   */
  readonly kind: string;
  /** Its first virtual address. */
  readonly address: bigint;
  /** Its length in bytes. */
  readonly lengthBytes: number;
}

/** A module that is loaded into the kernel. */
export interface LinuxModule {
  /** Its name, with underscores: at most 55 bytes. */
  readonly name: string;
  /** What it is doing. */
  readonly state: ModuleState;
  /** Where its code begins, as `/proc/modules` says it; 0 if it has none yet. */
  readonly base: bigint;
  /** The length of all its memory in bytes, as `/proc/modules` says it. */
  readonly lengthBytes: number;
  /** The pieces of its memory that it has now. */
  readonly parts: readonly ModulePart[];
  /** The virtual address of its `struct module`. */
  readonly module: bigint;
}

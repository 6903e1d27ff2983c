import type { CommandSpec } from "../cli/command_spec.ts";
import type { OptionSpecs } from "../cli/options.ts";

/** The headings of `pagewalk --help`, in order. */
export const GROUPS = {
  check: "Check pages",
  space: "Look at address spaces",
  linux: "Look at a Linux guest",
  tools: "Tools",
} as const;

/** A subcommand that is a script as well: loading the script runs it. */
export interface ScriptCommand {
  /** What is typed after `pagewalk`. */
  readonly name: string;
  /** Under which heading it is listed. */
  readonly group: keyof typeof GROUPS;
  /** The script's file. */
  readonly script: string;
  /** Loads the script, which runs. */
  load(): Promise<unknown>;
}

/** A subcommand of pagewalk alone. */
export interface OwnCommand {
  /** What is typed after `pagewalk`. */
  readonly name: string;
  /** Under which heading it is listed. */
  readonly group: keyof typeof GROUPS;
  /** Loads the module that has it. */
  own(): Promise<{ readonly spec: CommandSpec<OptionSpecs>; run(): Promise<void> }>;
}

/** The table of subcommands: a new script takes a row. */
export const COMMANDS: readonly (ScriptCommand | OwnCommand)[] = [
  {
    name: "verify",
    group: "check",
    script: "qemu_verify_pte.ts",
    load: () => import("../../examples/qemu_verify_pte.ts"),
  },
  {
    name: "range",
    group: "check",
    script: "verify_range.ts",
    load: () => import("../../examples/verify_range.ts"),
  },
  {
    name: "vfio",
    group: "check",
    script: "verify_vfio.ts",
    load: () => import("../../examples/verify_vfio.ts"),
  },
  {
    name: "verify-dmesg",
    group: "check",
    script: "verify_dmesg.ts",
    load: () => import("../../examples/verify_dmesg.ts"),
  },
  {
    name: "watch",
    group: "check",
    script: "watch_pte.ts",
    load: () => import("../../examples/watch_pte.ts"),
  },
  {
    name: "fleet",
    group: "check",
    script: "fleet.ts",
    load: () => import("../../examples/fleet.ts"),
  },
  {
    name: "steps",
    group: "check",
    script: "qemu_verify_pte_simple.ts",
    load: () => import("../../examples/qemu_verify_pte_simple.ts"),
  },
  {
    name: "mappings",
    group: "space",
    script: "mappings.ts",
    load: () => import("../../examples/mappings.ts"),
  },
  {
    name: "audit",
    group: "space",
    script: "audit.ts",
    load: () => import("../../examples/audit.ts"),
  },
  {
    name: "snapshot",
    group: "space",
    script: "snapshot.ts",
    load: () => import("../../examples/snapshot.ts"),
  },
  {
    name: "diff",
    group: "space",
    script: "diff.ts",
    load: () => import("../../examples/diff.ts"),
  },
  {
    name: "report",
    group: "space",
    script: "report.ts",
    load: () => import("../../examples/report.ts"),
  },
  {
    name: "iommu",
    group: "space",
    script: "iommu.ts",
    load: () => import("../../examples/iommu.ts"),
  },
  {
    name: "aliases",
    group: "space",
    script: "aliases.ts",
    load: () => import("../../examples/aliases.ts"),
  },
  {
    name: "ps",
    group: "linux",
    script: "processes.ts",
    load: () => import("../../examples/processes.ts"),
  },
  {
    name: "maps",
    group: "linux",
    script: "maps.ts",
    load: () => import("../../examples/maps.ts"),
  },
  {
    name: "files",
    group: "linux",
    script: "files.ts",
    load: () => import("../../examples/files.ts"),
  },
  {
    name: "frame",
    group: "linux",
    script: "frame.ts",
    load: () => import("../../examples/frame.ts"),
  },
  {
    name: "dmesg",
    group: "linux",
    script: "dmesg.ts",
    load: () => import("../../examples/dmesg.ts"),
  },
  {
    name: "symbols",
    group: "linux",
    script: "symbols.ts",
    load: () => import("../../examples/symbols.ts"),
  },
  {
    name: "modules",
    group: "linux",
    script: "modules.ts",
    load: () => import("../../examples/modules.ts"),
  },
  {
    name: "oops",
    group: "linux",
    script: "oops.ts",
    load: () => import("../../examples/oops.ts"),
  },
  { name: "repl", group: "tools", script: "repl.ts", load: () => import("../../repl.ts") },
  {
    name: "monitor",
    group: "tools",
    script: "monitor.ts",
    load: () => import("../../examples/monitor.ts"),
  },
  {
    name: "crosscheck",
    group: "tools",
    script: "crosscheck.ts",
    load: () => import("../../examples/crosscheck.ts"),
  },
  {
    name: "demo",
    group: "tools",
    script: "demo.ts",
    load: () => import("../../examples/demo.ts"),
  },
  { name: "completions", group: "tools", own: () => import("./completions/mod.ts") },
  { name: "schema", group: "tools", own: () => import("./schema.ts") },
  { name: "man", group: "tools", own: () => import("./man.ts") },
];

import type { Btf } from "./btf/btf.ts";
import type { StructOffsets } from "./struct_reader.ts";

/** The types that BTF is entered by: `btf_tracing_ids` names their numbers. */
export interface TypeRoots {
  /** `struct task_struct`. */
  readonly task_struct: number;
  /** `struct file`. */
  readonly file: number;
  /** `struct vm_area_struct`. */
  readonly vm_area_struct: number;
}

/** A structure whose members are wanted, and how to come to it from one that is known. */
interface Wish {
  readonly struct: string;
  /** The member of an earlier structure that is, or points to, this one. */
  readonly via?: readonly [struct: string, member: string];
  /** The members, each by the name that it gets here; several where kernels differ. */
  readonly members: readonly (string | readonly [as: string, ...names: string[]])[];
  /** Is its size wanted, too? It gets the name `sizeof`. */
  readonly hasSize?: true;
}

/** What listing processes takes. */
export const PROCESS_WISHES: readonly Wish[] = [
  {
    struct: "task_struct",
    members: [
      // `state` until 5.14 (commit 2f064a59a11f "sched: Change task_struct::state").
      ["state", "__state", "state"],
      "flags",
      "tasks",
      "mm",
      "exit_state",
      "pid",
      "tgid",
      "thread_node",
      "comm",
      "signal",
      "self_exec_id",
      "start_time",
    ],
  },
  { struct: "mm_struct", via: ["task_struct", "mm"], members: ["pgd"] },
  {
    struct: "signal_struct",
    via: ["task_struct", "signal"],
    members: ["thread_head", "nr_threads"],
  },
];

/** What finding a process by its pid takes, besides. */
export const PID_WISHES: readonly Wish[] = [
  { struct: "task_struct", members: ["thread_pid", "pid_links"] },
  { struct: "pid", via: ["task_struct", "thread_pid"], members: ["tasks", "numbers"] },
  { struct: "upid", via: ["pid", "numbers"], members: ["nr", "ns"] },
  { struct: "pid_namespace", via: ["upid", "ns"], members: ["idr"] },
  { struct: "idr", via: ["pid_namespace", "idr"], members: ["idr_rt"] },
  { struct: "xarray", via: ["idr", "idr_rt"], members: ["xa_head"] },
];

/**
 * What a processor's run queue says of the task that runs. The way to it is there where tasks are scheduled
 * in groups (CONFIG_FAIR_GROUP_SCHED), as with all distributions.
 */
export const RUNNING_WISHES: readonly Wish[] = [
  { struct: "task_struct", members: ["se"] },
  { struct: "sched_entity", via: ["task_struct", "se"], members: ["cfs_rq"] },
  { struct: "cfs_rq", via: ["sched_entity", "cfs_rq"], members: ["rq"] },
  { struct: "rq", via: ["cfs_rq", "rq"], members: ["curr"] },
];

/** What people know processes by, besides their pids and names. */
export const DETAIL_WISHES: readonly Wish[] = [
  { struct: "task_struct", members: ["thread_pid", "cgroups", "mm"] },
  { struct: "mm_struct", via: ["task_struct", "mm"], members: ["arg_start", "arg_end"] },
  { struct: "pid", via: ["task_struct", "thread_pid"], members: ["level", "numbers"] },
  { struct: "upid", via: ["pid", "numbers"], members: ["nr"], hasSize: true },
  { struct: "css_set", via: ["task_struct", "cgroups"], members: ["dfl_cgrp"] },
  { struct: "cgroup", via: ["css_set", "dfl_cgrp"], members: ["kn"] },
  {
    struct: "kernfs_node",
    via: ["cgroup", "kn"],
    // `__parent` since 6.15 (633488947ef6 "kernfs: Use RCU to access kernfs_node::parent").
    members: ["name", ["parent", "__parent", "parent"]],
  },
];

/** What listing the memory areas of a process and naming their files takes. */
export const AREA_WISHES: readonly Wish[] = [
  { struct: "task_struct", members: ["mm", "nsproxy", "fs"] },
  {
    struct: "mm_struct",
    via: ["task_struct", "mm"],
    // A list before 6.1, a maple tree since (commit 763ecb035029 "mm: remove the vma linked list").
    members: ["mm_mt", "mmap", "start_brk", "brk", "start_stack", "map_count", "context"],
  },
  { struct: "mm_context_t", via: ["mm_struct", "context"], members: ["flags", "ia32_compat"] },
  { struct: "maple_tree", via: ["mm_struct", "mm_mt"], members: ["ma_root"] },
  {
    struct: "vm_area_struct",
    members: [
      "vm_start",
      "vm_end",
      "vm_next",
      "vm_mm",
      "vm_flags",
      "vm_ops",
      "vm_pgoff",
      "vm_file",
      "vm_private_data",
      "anon_name",
      "shared",
    ],
  },
  { struct: "file", members: ["f_path", "f_op", "f_mode"], hasSize: true },
  { struct: "path", via: ["file", "f_path"], members: ["mnt", "dentry"] },
  {
    struct: "dentry",
    via: ["path", "dentry"],
    members: ["d_parent", "d_name", "d_hash", "d_op"],
  },
  { struct: "qstr", via: ["dentry", "d_name"], members: ["len", "name"] },
  { struct: "hlist_bl_node", via: ["dentry", "d_hash"], members: ["pprev"] },
  { struct: "vfsmount", via: ["path", "mnt"], members: ["mnt_root"] },
  { struct: "nsproxy", via: ["task_struct", "nsproxy"], members: ["mnt_ns"] },
  { struct: "mnt_namespace", via: ["nsproxy", "mnt_ns"], members: ["root"] },
  {
    struct: "mount",
    via: ["mnt_namespace", "root"],
    members: ["mnt_parent", "mnt_mountpoint", "mnt"],
  },
  { struct: "anon_vma_name", via: ["vm_area_struct", "anon_name"], members: ["name"] },
];

/** What finding the files that a process has open, and the module behind each, takes. */
export const FILE_WISHES: readonly Wish[] = [
  { struct: "task_struct", members: ["files", "mm", "tgid", "exit_state"] },
  { struct: "files_struct", via: ["task_struct", "files"], members: ["count", "fdt"] },
  { struct: "fdtable", via: ["files_struct", "fdt"], members: ["max_fds", "fd"] },
  { struct: "file", members: ["f_op", "f_inode", "private_data"] },
  { struct: "inode", via: ["file", "f_inode"], members: ["i_mode", "i_rdev", "i_cdev"] },
  { struct: "file_operations", via: ["file", "f_op"], members: ["owner"] },
  { struct: "module", via: ["file_operations", "owner"], members: ["name"] },
];

/** What naming open files takes, besides what areas' files take. */
export const OPEN_FILE_WISHES: readonly Wish[] = [
  ...FILE_WISHES,
  { struct: "inode", via: ["file", "f_inode"], members: ["i_ino"] },
];

/** What listing the modules and their symbols takes. */
export const MODULE_WISHES: readonly Wish[] = [
  { struct: "file", members: ["f_op"] },
  { struct: "file_operations", via: ["file", "f_op"], members: ["owner"] },
  {
    struct: "module",
    via: ["file_operations", "owner"],
    // `mem` since 6.4 (ac3b43283923 "module: replace module_layout with module_memory").
    members: ["state", "list", "name", "kallsyms", "core_layout", "init_layout", "mem"],
  },
  {
    struct: "module_layout",
    via: ["module", "core_layout"],
    members: ["base", "size"],
    hasSize: true,
  },
  { struct: "module_memory", via: ["module", "mem"], members: ["base", "size"], hasSize: true },
  {
    struct: "mod_kallsyms",
    via: ["module", "kallsyms"],
    members: ["symtab", "num_symtab", "strtab", "typetab"],
  },
];

/**
 * Finds where members lie by following types from the roots. What this kernel does not have is absent
 * from the result.
 *
 * @throws {KernelFormatError} if the type data is garbage
 */
export async function offsetsFromBtf(
  btf: Btf,
  roots: TypeRoots,
  wishes: readonly Wish[],
): Promise<StructOffsets> {
  const offsets = new Map<string, number>();
  const types = new Map<string, number>(Object.entries(roots));
  const memberTypes = new Map<string, number>();
  for (const { struct, via, members, hasSize } of wishes) {
    const id = types.get(struct) ?? await typeVia(btf, via, memberTypes);
    if (id === null) continue;
    types.set(struct, id);
    if (hasSize) offsets.set(`${struct}.sizeof`, (await btf.type(id)).sizeOrType);
    const names = members.flatMap((member) =>
      typeof member === "string" ? member : member.slice(1)
    );
    const found = await btf.members(id, names);
    for (const member of members) {
      const [as, ...candidates] = typeof member === "string" ? [member, member] : member;
      const place = candidates.map((name) => found.get(name)).find((candidate) => candidate);
      if (!place) continue;
      offsets.set(`${struct}.${as}`, place.offset);
      memberTypes.set(`${struct}.${as}`, place.type);
    }
  }
  return offsets;
}

async function typeVia(
  btf: Btf,
  via: Wish["via"],
  memberTypes: ReadonlyMap<string, number>,
): Promise<number | null> {
  const member = via && memberTypes.get(via.join("."));
  if (member === undefined) return null;
  const id = await btf.pointee(member) ?? await btf.strip(member);
  const { array } = await btf.type(id);
  return array ? await btf.strip(array.element) : id;
}

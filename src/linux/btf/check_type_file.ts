import { InvalidArgumentError } from "../../core/errors.ts";
import { KernelFormatError } from "../errors.ts";
import type { Vmcoreinfo } from "../vmcoreinfo.ts";
import { Btf } from "./btf.ts";
import type { BtfBlob } from "./btf_source.ts";
import type { TypeFile } from "./type_file.ts";

/**
 * Checks that a file's types are those of the running kernel: by the build's id, where both tell it, else by
 * the sizes and places that the kernel itself tells crash tools.
 *
 * @returns what a user should know: that the build could not be checked; null if it is the same
 * @throws {InvalidArgumentError} if they are another kernel's
 */
export async function checkTypeFile(
  { path, types, buildId }: TypeFile,
  kernel: Vmcoreinfo,
): Promise<string | null> {
  if (!await isKernels(types)) {
    throw new InvalidArgumentError(
      `${path} has no kernel's types (no struct task_struct): give the kernel's own file first, then ` +
        "those of modules",
      path,
    );
  }
  if (buildId !== null && kernel.buildId !== null) {
    if (buildId === kernel.buildId) return null;
    throw new InvalidArgumentError(
      `${path} has the types of another build of the kernel (build id ${buildId}): the guest runs ` +
        `${kernel.osRelease} (build id ${kernel.buildId})`,
      path,
    );
  }
  const { equal, different } = await compare(types, kernel);
  if (different[0] !== undefined) {
    throw new InvalidArgumentError(
      `${path} has the types of another kernel than ${kernel.osRelease}, which the guest runs: ` +
        `${different[0]}`,
      path,
    );
  }
  const why = buildId === null ? `${path} has no build id` : "the guest's kernel tells no build id";
  return `The types in ${path} could not be checked to be of the guest's kernel, ${kernel.osRelease}: ` +
    `${why}; ${equal} sizes and offsets that the kernel tells are the same`;
}

/** A module's types alone have names that only the kernel's have. */
async function isKernels(types: BtfBlob): Promise<boolean> {
  try {
    return (await types.structsNamed("task_struct")).length > 0;
  } catch (error) {
    if (error instanceof KernelFormatError) return false;
    throw error;
  }
}

/** Compares what the kernel says of its structures with the types. */
async function compare(
  types: BtfBlob,
  { sizes, offsets }: Vmcoreinfo,
): Promise<{ equal: number; different: string[] }> {
  const btf = new Btf(types);
  const different: string[] = [];
  let equal = 0;
  const note = (what: string, theirs: number | undefined, told: number) => {
    if (theirs === undefined) return;
    if (theirs === told) equal++;
    else different.push(`${what} is ${theirs} there, and ${told} in the guest`);
  };
  for (const [name, told] of sizes) {
    const id = await structOf(types, btf, name);
    if (id !== null) note(`the size of ${name}`, (await btf.type(id)).sizeOrType, told);
  }
  for (const [name, told] of offsets) {
    const [struct, member] = name.split(".");
    const id = struct === undefined ? null : await structOf(types, btf, struct);
    if (id === null || member === undefined) continue;
    note(`the offset of ${name}`, (await btf.members(id, [member])).get(member)?.offset, told);
  }
  return { equal, different };
}

/** A struct by its name, or by that of a typedef. */
async function structOf(types: BtfBlob, btf: Btf, name: string): Promise<number | null> {
  for (const id of await types.idsOf(name)) {
    const stripped = await btf.strip(id);
    const { kind, members } = await btf.type(stripped);
    if (kind === "struct" && members.length > 0) return stripped;
  }
  return null;
}

import type { DebianArchitecture } from "./apt_sources.ts";
import { GUEST_FOLDER } from "./guest_sources.ts";
import { runTool } from "./tools.ts";

/** The guest's programs, each with its own sources; all share the start code and the text lines. */
const PROGRAMS = {
  target: ["lab_module.c", "vfio.c", "regions.c", "touch.c", "main.c"],
  ticker: ["ticker.c"],
  crowd: ["crowd.c"],
  states: ["states.c"],
  kexec: ["kexec.c"],
  container: ["container.c"],
  frames: ["frames.c"],
} as const;

const SHARED = ["start.S", "text.c"];

/** No C library, no system headers: the same command works for both architectures. */
const FREESTANDING = [
  "-O1",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-ffreestanding",
  "-fno-builtin",
  "-fno-stack-protector",
  "-fno-asynchronous-unwind-tables",
  "-fno-pie",
  "-no-pie",
  "-nostdlib",
  "-nostdinc",
  "-static",
  "-s",
];

/** What {@linkcode buildPrograms} needs to know. */
export interface BuildProgramsOptions {
  /** The guest's architecture. */
  architecture: DebianArchitecture;
  /** Folder with the unpacked kernel headers for programs. */
  headers: string;
  /** Where the programs go. */
  folder: string;
}

/** Builds the guest's programs and answers their names. */
export async function buildPrograms(options: BuildProgramsOptions): Promise<string[]> {
  const names = Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[];
  for (const name of names) await buildProgram(name, options);
  return names;
}

/** Builds one of the guest's programs. */
export async function buildProgram(
  name: keyof typeof PROGRAMS,
  { architecture, headers, folder }: BuildProgramsOptions,
): Promise<void> {
  const own = (await runTool("gcc", ["-print-file-name=include"], { purpose: "asking gcc" }))
    .trim();
  const include = `${headers}/usr/include`;
  await runTool("gcc", [
    architecture === "amd64" ? "-m64" : "-m32",
    ...FREESTANDING,
    "-isystem",
    own,
    "-isystem",
    include,
    // Debian keeps asm/ in a folder of its own for each architecture; x86 shares one.
    "-isystem",
    `${include}/x86_64-linux-gnu`,
    "-o",
    `${folder}/${name}`,
    ...SHARED,
    ...PROGRAMS[name],
  ], { cwd: `${GUEST_FOLDER}/program`, purpose: `building the guest's program ${name}` });
}

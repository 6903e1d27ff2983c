import type { AptDirectory } from "../../lab/apt_directory.ts";
import { LabUnavailableError } from "../../lab/errors.ts";
import { runTool } from "../../lab/tools.ts";

/** As arch/riscv/Makefile has it, and what kbuild gives every module. */
const FLAGS = ["-std=gnu11", "-O2", "-nostdinc", "-mabi=lp64", "-march=rv64imac_zicsr_zifencei"]
  .concat(["-mcmodel=medany", "-mstrict-align", "-fshort-wchar", "-funsigned-char", "-fno-common"])
  .concat(["-fno-PIE", "-fno-strict-aliasing", "-fno-stack-protector"])
  .concat(["-fno-delete-null-pointer-checks", "-fno-asynchronous-unwind-tables"]);

/** What a module is built with. */
export interface RiscvModuleOptions {
  /** The compiler. */
  gcc: string;
  /** The kernel's release. */
  release: string;
  /** The C file. */
  source: string;
  /** An empty folder for the kernel's headers. */
  folder: string;
}

/**
 * Builds a module for Debian's riscv64 kernel, and answers its path. The programs of kbuild in its headers
 * are RISC-V's own, or need a newer C library: the compiler is run without them.
 */
export async function buildRiscvModule(
  apt: AptDirectory,
  { gcc, release, source, folder }: RiscvModuleOptions,
): Promise<string> {
  const name = `linux-headers-${release}`;
  const depends = (await apt.show(name)).get("Depends") ?? "";
  const common = /\blinux-headers-\S+-common\b/.exec(depends)?.[0];
  if (common === undefined) throw new LabUnavailableError(`${name} names no common headers`);
  for (const each of [name, common]) {
    const path = await apt.download(await apt.find(each));
    await runTool("dpkg-deb", ["-x", path, folder], { purpose: `unpacking ${each}` });
  }
  const [own, shared] = [name, common].map((each) => `${folder}/usr/src/${each}`);
  const includes = ["arch/riscv/include", "include"].flatMap((path) => {
    const made = path.startsWith("arch") ? `${path}/generated` : path;
    return [`${shared}/${path}`, `${own}/${made}`, `${shared}/${path}/uapi`];
  });
  const generated = ["arch/riscv/include/generated/uapi", "include/generated/uapi"];
  const first = ["compiler-version", "kconfig", "compiler_types"];
  const module = `${folder}/pagewalk_lab.ko`;
  await runTool(gcc, [
    ...FLAGS,
    ...[...includes, ...generated.map((path) => `${own}/${path}`)].map((path) => `-I${path}`),
    ...first.flatMap((header) => ["-include", `${shared}/include/linux/${header}.h`]),
    ...["-D__KERNEL__", "-DMODULE", "-D__KBUILD_MODNAME=kmod_pagewalk_lab"],
    ...["BASENAME", "MODNAME", "MODFILE"].map((key) => `-DKBUILD_${key}="pagewalk_lab"`),
    ...["-c", source, "-o", module],
  ], { purpose: "building the guest's kernel module" });
  return module;
}

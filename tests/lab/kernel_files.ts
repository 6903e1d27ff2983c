import { AptDirectory, type PackageVersion } from "./apt_directory.ts";
import { exists, makeFolder } from "./cache.ts";
import { LabUnavailableError } from "./errors.ts";
import type { KernelPackages } from "./kernel_packages.ts";
import { type GuestModule, guestModules } from "./kernels.ts";
import type { Progress } from "./progress.ts";
import { runTool } from "./tools.ts";

/** What was taken out of the packages: the parts of a guest, and what to build its module with. */
export interface KernelFiles {
  /** Folder with `vmlinuz`, `config`, `busybox` and the modules as `NAME.ko`. */
  parts: string;
  /** Folder with the kernel's headers, kbuild and the headers for programs. */
  headers: string;
}

/** Downloads and unpacks a kernel's packages below `folder`, unless that was done before. */
export async function unpackKernel(
  packages: KernelPackages,
  folder: string,
  progress: Progress,
): Promise<KernelFiles> {
  const files = { parts: `${folder}/parts`, headers: `${folder}/headers` };
  if (!(await exists(files.parts))) {
    await makeFolder(files.parts, (parts) => takeParts(packages, parts, progress));
  }
  if (!(await exists(files.headers))) {
    await makeFolder(files.headers, async (headers) => {
      for (const item of [...packages.headers, packages.libcHeaders]) {
        await unpack(item, headers, { progress, suite: packages.suite });
      }
      // The headers name the folder they are installed in; here they are elsewhere.
      const makefile = `usr/src/linux-headers-${packages.release}/Makefile`;
      const text = await Deno.readTextFile(`${headers}/${makefile}`);
      await Deno.writeTextFile(
        `${headers}/${makefile}`,
        text.replaceAll(/\/usr\/src\//g, `${files.headers}/usr/src/`),
      );
    });
  }
  return files;
}

async function unpack(
  item: PackageVersion,
  folder: string,
  { progress, suite }: { progress: Progress; suite?: string | undefined },
): Promise<void> {
  const apt = await AptDirectory.open(item.architecture, progress, { suite });
  const path = await apt.download(item);
  progress(`unpacking ${item.name}`);
  await runTool("dpkg-deb", ["-x", path, folder], { purpose: `unpacking ${item.name}` });
}

/** Keeps a few files of the image package, which unpacked is a hundred megabytes and more. */
async function takeParts(
  packages: KernelPackages,
  parts: string,
  progress: Progress,
): Promise<void> {
  const all = `${parts}/all`;
  await unpack(packages.image, all, { progress, suite: packages.suite });
  await unpack(packages.busybox, all, { progress, suite: packages.suite });
  const { release } = packages;
  for (const name of ["vmlinuz", "config"]) {
    await Deno.rename(`${all}/boot/${name}-${release}`, `${parts}/${name}`);
  }
  await Deno.rename(await busyboxIn(all), `${parts}/busybox`);
  await keepModules(
    `${all}/lib/modules/${release}/kernel`,
    parts,
    guestModules(packages.image.architecture),
  );
  await Deno.remove(all, { recursive: true });
}

/** Debian moved /bin into /usr/bin. */
async function busyboxIn(folder: string): Promise<string> {
  for (const path of [`${folder}/bin/busybox`, `${folder}/usr/bin/busybox`]) {
    if (await exists(path)) return path;
  }
  throw new LabUnavailableError("the package busybox-static holds no busybox");
}

async function keepModules(
  folder: string,
  parts: string,
  modules: readonly GuestModule[],
): Promise<void> {
  const wanted = new Set(modules.map(({ name }) => name));
  for await (const path of filesBelow(folder)) {
    const [, name, packed] = /([^/]+)\.ko(\.xz)?$/.exec(path) ?? [];
    if (name === undefined || !wanted.has(name)) continue;
    if (packed) await runTool("xz", ["-d", path], { purpose: `unpacking ${name}.ko` });
    await Deno.rename(path.replace(/\.xz$/, ""), `${parts}/${name}.ko`);
  }
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(path);
    else if (entry.isFile) yield path;
  }
}

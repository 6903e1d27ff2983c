import { exists, hashOf, labCacheDir, makeFolder, withLock } from "./cache.ts";
import { GUEST_FOLDER, type GuestSource, readGuestSources } from "./guest_sources.ts";
import {
  characterDevice,
  fileEntry,
  folderEntry,
  type InitramfsEntry,
  packInitramfs,
} from "./initramfs.ts";
import { type KernelFiles, unpackKernel } from "./kernel_files.ts";
import { buildKernelModule } from "./kernel_module.ts";
import { type KernelPackages, resolvedBefore, resolveKernel } from "./kernel_packages.ts";
import { type GuestModule, guestModules, type LabKernel } from "./kernels.ts";
import { buildPrograms } from "./programs.ts";
import { type Progress, silent } from "./progress.ts";
import { requireTools } from "./tools.ts";

/** A guest that is ready to be started. */
export interface LabBuild {
  /** The kernel's release, as `uname -r` says it. */
  release: string;
  /** Path of the kernel image. */
  kernel: string;
  /** Path of the initramfs. */
  initramfs: string;
}

/** Options of {@linkcode buildLab}. */
export interface BuildLabOptions {
  /** Ask the archive for newer packages. @default false */
  refresh?: boolean;
  /** Told of each step that takes time. @default says nothing */
  progress?: Progress;
}

/** How the initramfs is put together; a change makes every cached one stale. */
const LAYOUT_VERSION = "2";

/**
 * Makes a guest for a kernel, or finds the one made before from the same packages and sources.
 *
 * @throws {LabUnavailableError} if a tool or a package cannot be had.
 * @throws {LabError} if a build step fails.
 */
export async function buildLab(
  kernel: LabKernel,
  options: BuildLabOptions = {},
): Promise<LabBuild> {
  const { refresh = false, progress = silent } = options;
  const sources = await readGuestSources();
  // Without the lock: who has all he needs does not wait for who downloads another kernel.
  const known = refresh ? undefined : await resolvedBefore(kernel);
  if (known !== undefined) {
    const place = await placeOf(known, sources);
    if (await exists(place.guest)) return place.build;
  }
  return await withLock(`${labCacheDir()}/lock`, async () => {
    const packages = await resolveKernel(kernel, { refresh, progress });
    const place = await placeOf(packages, sources);
    if (!(await exists(place.guest))) {
      await requireTools(["gcc", "make", "strip", "dpkg-deb"]);
      const files = await unpackKernel(packages, place.folder, progress);
      await removeOldGuests(place.folder);
      await makeFolder(place.guest, (folder) => build(packages, sources, files, folder, progress));
    }
    return place.build;
  });
}

/** Where the guest made from these packages and sources is, or will be. */
async function placeOf(
  packages: KernelPackages,
  sources: readonly GuestSource[],
): Promise<{ folder: string; guest: string; build: LabBuild }> {
  const { image, release } = packages;
  const hash = await hashOf([
    LAYOUT_VERSION,
    JSON.stringify(packages),
    ...sources.flatMap(({ path, text }) => [path, text]),
  ]);
  const folder = `${labCacheDir()}/kernels/${release}_${image.version}`;
  const guest = `${folder}/guest-${hash.slice(0, 16)}`;
  const kernel = `${folder}/parts/vmlinuz`;
  return { folder, guest, build: { release, kernel, initramfs: `${guest}/initramfs.cpio` } };
}

/** So many guests of a kernel are kept: several checkouts may share the cache, and run theirs now. */
const KEPT_GUESTS = 8;

/** Removes the oldest guests, made from sources that are most likely no more. */
async function removeOldGuests(folder: string): Promise<void> {
  const guests: { path: string; madeAt: number }[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith("guest-")) continue;
    const path = `${folder}/${name}`;
    guests.push({ path, madeAt: (await Deno.stat(path)).mtime?.getTime() ?? 0 });
  }
  guests.sort((a, b) => b.madeAt - a.madeAt);
  for (const { path } of guests.slice(KEPT_GUESTS - 1)) {
    await Deno.remove(path, { recursive: true });
  }
}

async function build(
  packages: KernelPackages,
  sources: readonly GuestSource[],
  files: KernelFiles,
  folder: string,
  progress: Progress,
): Promise<void> {
  progress(`building the kernel module for ${packages.release}`);
  const module = await buildKernelModule(sources, {
    release: packages.release,
    headers: files.headers,
    folder: `${folder}/module`,
  });
  progress("building the guest's programs");
  const programs = await buildPrograms({
    architecture: packages.image.architecture,
    headers: files.headers,
    folder,
  });
  const entries = [
    ...["bin", "dev", "modules"].map(folderEntry),
    characterDevice("dev/console", 5, 1),
    fileEntry("init", await Deno.readTextFile(`${GUEST_FOLDER}/init`)),
    fileEntry("bin/busybox", await Deno.readFile(`${files.parts}/busybox`)),
    ...await moduleEntries(files.parts, module, guestModules(packages.image.architecture)),
  ];
  for (const name of programs) {
    entries.push(fileEntry(`bin/${name}`, await Deno.readFile(`${folder}/${name}`)));
  }
  await Deno.writeFile(`${folder}/initramfs.cpio`, packInitramfs(entries));
  await Deno.remove(`${folder}/module`, { recursive: true });
}

/** The modules, their options, and the list that says in which order they are loaded. */
async function moduleEntries(
  parts: string,
  module: string,
  modules: readonly GuestModule[],
): Promise<InitramfsEntry[]> {
  const entries: InitramfsEntry[] = [];
  const order: string[] = [];
  for (const { name, options } of modules) {
    const path = `${parts}/${name}.ko`;
    if (!(await exists(path))) continue;
    order.push(`${name}.ko`);
    entries.push(fileEntry(`modules/${name}.ko`, await Deno.readFile(path)));
    if (options) entries.push(fileEntry(`modules/${name}.ko.options`, options));
  }
  order.push("pagewalk_lab.ko");
  entries.push(fileEntry("modules/pagewalk_lab.ko", await Deno.readFile(module)));
  entries.push(fileEntry("modules/order", `${order.join("\n")}\n`));
  return entries;
}

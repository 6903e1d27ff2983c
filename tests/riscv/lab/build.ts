import { AptDirectory } from "../../lab/apt_directory.ts";
import { exists, hashOf, labCacheDir, makeFolder, withLock } from "../../lab/cache.ts";
import { LabUnavailableError } from "../../lab/errors.ts";
import { characterDevice, fileEntry, folderEntry, packInitramfs } from "../../lab/initramfs.ts";
import { requireTools, runTool } from "../../lab/tools.ts";
import { buildRiscvModule } from "./build_module.ts";

/** A RISC-V guest that is ready to be started. */
export interface RiscvLabBuild {
  /** The kernel's release, as `uname -r` says it. */
  release: string;
  /** Path of the kernel's image. */
  kernel: string;
  /** Path of the initramfs. */
  initramfs: string;
}

const SOURCES = new URL("./", import.meta.url).pathname;

/** No C library, no system headers. */
const GCC = "riscv64-linux-gnu-gcc";
const FREESTANDING = ["-O1", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin"]
  .concat(["-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-pie", "-no-pie"])
  .concat(["-nostdlib", "-nostdinc", "-static", "-s"]);

/**
 * Makes the guest of Debian's riscv64 kernel, or finds the one made before.
 *
 * @throws {LabUnavailableError} if a tool or a package cannot be had
 * @throws {LabError} if a build step fails
 */
export async function buildRiscvLab(): Promise<RiscvLabBuild> {
  await requireTools([
    "qemu-system-riscv64",
    "setpriv",
    GCC,
    "apt-get",
    "apt-cache",
    "dpkg-deb",
    "xz",
  ]);
  const texts = await Promise.all(
    ["facts.c", "init", "module.c"].map((name) => Deno.readFile(SOURCES + name)),
  );
  const base = `${labCacheDir()}/riscv64`;
  return await withLock(`${base}/lock`, async () => {
    const parts = await unpackedKernel(base);
    const guest = `${base}/guest-${(await hashOf(texts)).slice(0, 16)}-${parts.release}`;
    if (!await exists(guest)) {
      await makeFolder(guest, (folder) => buildInitramfs(parts, folder));
    }
    const kernel = `${parts.folder}/vmlinux`;
    return { release: parts.release, kernel, initramfs: `${guest}/initramfs.cpio` };
  });
}

/** The kernel's image, one module and a shell, out of Debian's packages: fetched once. */
async function unpackedKernel(base: string): Promise<{ release: string; folder: string }> {
  const record = `${base}/release`;
  if (await exists(record)) {
    const release = await Deno.readTextFile(record);
    return { release, folder: `${base}/parts-${release}` };
  }
  const apt = await AptDirectory.open("riscv64", () => {});
  const depends = (await apt.show("linux-image-riscv64")).get("Depends") ?? "";
  const name = /\blinux-image-[^\s,(]+/.exec(depends)?.[0];
  if (name === undefined) throw new LabUnavailableError("linux-image-riscv64 names no kernel");
  const release = name.slice("linux-image-".length);
  const folder = `${base}/parts-${release}`;
  await makeFolder(folder, async (parts) => {
    const all = `${parts}/all`;
    for (const each of [name, "busybox-static"]) {
      const path = await apt.download(await apt.find(each));
      await runTool("dpkg-deb", ["-x", path, all], { purpose: `unpacking ${each}` });
    }
    await Deno.rename(`${all}/boot/vmlinux-${release}`, `${parts}/vmlinux`);
    const brd = `${all}/usr/lib/modules/${release}/kernel/drivers/block/brd.ko`;
    await runTool("xz", ["-d", `${brd}.xz`], { purpose: "unpacking brd.ko" });
    await Deno.rename(brd, `${parts}/brd.ko`);
    await Deno.rename(`${all}/usr/bin/busybox`, `${parts}/busybox`);
    await Deno.remove(all, { recursive: true });
  });
  await Deno.writeTextFile(record, release);
  return { release, folder };
}

async function buildInitramfs(
  { release, folder: parts }: { release: string; folder: string },
  folder: string,
): Promise<void> {
  const facts = `${folder}/facts`;
  await runTool(GCC, [...FREESTANDING, "-o", facts, `${SOURCES}facts.c`], {
    purpose: "building the guest's program",
  });
  const headers = `${folder}/headers`;
  const module = await buildRiscvModule(await AptDirectory.open("riscv64", () => {}), {
    ...{ gcc: GCC, release, source: `${SOURCES}module.c`, folder: headers },
  });
  const entries = [
    ...["bin", "dev"].map(folderEntry),
    characterDevice("dev/console", 5, 1),
    fileEntry("init", await Deno.readTextFile(`${SOURCES}init`)),
    fileEntry("brd.ko", await Deno.readFile(`${parts}/brd.ko`)),
    fileEntry("pagewalk_lab.ko", await Deno.readFile(module)),
    fileEntry("bin/busybox", await Deno.readFile(`${parts}/busybox`)),
    fileEntry("bin/facts", await Deno.readFile(facts)),
  ];
  await Deno.writeFile(`${folder}/initramfs.cpio`, packInitramfs(entries));
  await Deno.remove(headers, { recursive: true });
}

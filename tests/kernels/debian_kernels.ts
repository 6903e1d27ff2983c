import { configuration } from "../lab/apt_directory.ts";
import { sourcesFor, sourcesList } from "../lab/apt_sources.ts";
import { exists, labCacheDir, makeFolder, withLock } from "../lab/cache.ts";
import { LabError, LabUnavailableError } from "../lab/errors.ts";
import type { Progress } from "../lab/progress.ts";
import { requireTools, runTool } from "../lab/tools.ts";
import { watchDownload } from "../lab/watch_download.ts";

/** A kernel of Debian's, and the suite that carries it. */
export interface DebianKernel {
  /** What it is called here. */
  name: string;
  /** The suite to take it from. */
  suite: string;
  /** The package that depends on the suite's newest image. */
  imagePackage: string;
}

/** The kernels that reading Linux is held against, oldest first. */
export const DEBIAN_KERNELS: readonly DebianKernel[] = [
  { name: "5.10", suite: "bullseye", imagePackage: "linux-image-cloud-amd64" },
  { name: "6.1", suite: "bookworm", imagePackage: "linux-image-cloud-amd64" },
  { name: "6.1-generic", suite: "bookworm", imagePackage: "linux-image-amd64" },
  { name: "6.12", suite: "trixie", imagePackage: "linux-image-cloud-amd64" },
  { name: "6.12-rt", suite: "trixie", imagePackage: "linux-image-rt-amd64" },
  { name: "newest", suite: "trixie-backports", imagePackage: "linux-image-cloud-amd64" },
];

/** The newest kernel that Debian builds for its stable release. */
export const NEWEST: DebianKernel = DEBIAN_KERNELS.at(-1)!;

/** A kernel that was fetched. */
export interface FetchedKernel {
  /** Its release, as `uname -r` says it. */
  release: string;
  /** Path of the image that QEMU boots. */
  image: string;
  /** Path of the module for overlays, as containers have them; null where its package lacks it. */
  overlay: string | null;
}

/**
 * Returns a kernel's image, fetched once: 10 to 30 MB, and 80 to 110 MB for a generic one. Only the
 * image is kept of its package.
 *
 * @throws {LabUnavailableError} if the archive does not have it
 */
export async function fetchKernel(
  kernel: DebianKernel,
  progress: Progress,
): Promise<FetchedKernel> {
  const folder = `${labCacheDir()}/../kernels/${kernel.name}`;
  await withLock(`${folder}.lock`, async () => {
    if (await exists(folder)) return;
    await requireTools(["apt-get", "apt-cache", "dpkg-deb"]);
    progress(`fetching ${kernel.imagePackage} of Debian ${kernel.suite}`);
    await makeFolder(folder, (temporary) => fetchInto(kernel, temporary, progress));
  });
  for await (const { name } of Deno.readDir(`${folder}/boot`)) {
    if (name.startsWith("vmlinuz-")) {
      const overlay = `${folder}/boot/overlay.ko`;
      return {
        release: name.slice("vmlinuz-".length),
        image: `${folder}/boot/${name}`,
        overlay: await exists(overlay) ? overlay : null,
      };
    }
  }
  throw new LabUnavailableError(`${kernel.imagePackage} of ${kernel.suite} holds no vmlinuz`);
}

async function fetchInto(
  kernel: DebianKernel,
  folder: string,
  progress: Progress,
): Promise<void> {
  const apt = `${folder}/apt`;
  const image = await download(kernel, apt, progress).catch((error) => {
    if (!(error instanceof LabError)) throw error;
    throw new LabUnavailableError(
      `${kernel.imagePackage} of Debian ${kernel.suite} cannot be had (${error.message})`,
      { cause: error },
    );
  });
  // Unpacked whole, a generic kernel is half a gigabyte. From here on a failure is a fault.
  const pattern = image.startsWith("linux-binary-") ? "*/vmlinuz" : "*/vmlinuz-*";
  const release = image.replace(/^linux-(image|binary)-/, "");
  await Deno.mkdir(`${folder}/boot`);
  await runTool("sh", [
    "-c",
    'dpkg-deb --fsys-tarfile apt/download/*.deb | tar -xO --wildcards "$1" > "boot/vmlinuz-$2"',
    ...["sh", pattern, release],
  ], { purpose: `unpacking ${image}`, cwd: folder });
  // Since 7.x the modules are in a package of their own.
  await runTool("sh", [
    "-c",
    'dpkg-deb --fsys-tarfile apt/download/*.deb | tar -x --wildcards "*/overlay.ko*" 2> /dev/null || exit 0; ' +
    'find . -name "overlay.ko*" -exec mv {} boot/ ";"; [ ! -e boot/overlay.ko.xz ] || xz -d boot/overlay.ko.xz',
  ], { purpose: `unpacking the overlay module of ${image}`, cwd: folder });
  await Deno.remove(apt, { recursive: true });
}

/** Downloads the package that holds a kernel's image and answers its name. */
async function download(
  { imagePackage, suite }: DebianKernel,
  apt: string,
  progress: Progress,
): Promise<string> {
  for (const part of ["state/lists/partial", "cache/archives/partial", "preferences.d"]) {
    await Deno.mkdir(`${apt}/${part}`, { recursive: true });
  }
  const archive = (await sourcesFor("amd64")).find(({ uri }) => /\/debian\/?$/.test(uri));
  if (archive === undefined) {
    throw new LabUnavailableError("this machine's apt knows no Debian archive");
  }
  await Deno.writeTextFile(`${apt}/status`, "");
  await Deno.writeTextFile(`${apt}/sources.list`, sourcesList([{ ...archive, suite }], "amd64"));
  await Deno.writeTextFile(`${apt}/apt.conf`, configuration(apt, "amd64"));
  const run = (tool: string, args: string[], purpose: string, cwd = apt) =>
    runTool(tool, ["-c", `${apt}/apt.conf`, "-q", ...args], { purpose, cwd });
  await run(
    "apt-get",
    ["update", "-o", "APT::Update::Error-Mode=any"],
    `fetching the package lists of ${suite}`,
  );
  const field = async (name: string, pattern: RegExp) =>
    pattern.exec(await run("apt-cache", ["show", name], `looking up ${name}`))?.[1];
  const concrete = await field(imagePackage, /^Depends:.*?\b(linux-image-\d[^\s,]*)/m);
  if (concrete === undefined) throw new LabError(`${imagePackage} depends on no image`);
  // Since 7.x the image is in a package of its own.
  const image = await field(concrete, /^Depends:.*?\b(linux-binary-\d[^\s,]*)/m) ?? concrete;
  const folder = `${apt}/download`;
  await Deno.mkdir(folder);
  {
    const size = Number(await field(image, /^Size: (\d+)$/m));
    await using _ = watchDownload(image, folder, size, progress);
    await run("apt-get", ["download", image], `downloading ${image}`, folder);
  }
  return image;
}

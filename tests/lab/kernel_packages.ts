import { AptDirectory, type PackageVersion } from "./apt_directory.ts";
import { exists, labCacheDir } from "./cache.ts";
import { LabUnavailableError } from "./errors.ts";
import type { LabKernel } from "./kernels.ts";
import type { Progress } from "./progress.ts";
import { requireTools } from "./tools.ts";

/** The packages that a guest is made of, each at the version that was found. */
export interface KernelPackages {
  /** The kernel's release, as `uname -r` says it. */
  release: string;
  /** The kernel and its modules. */
  image: PackageVersion;
  /** What the lab's own module is built with: headers, and kbuild for this machine. */
  headers: PackageVersion[];
  /** The shell and its tools, for the guest's architecture. */
  busybox: PackageVersion;
  /** Headers for programs. */
  libcHeaders: PackageVersion;
  /** The suite that has the kernel, if it is not one of those that all packages come from. */
  suite?: string;
}

/** Resolving packages again and what to say meanwhile. */
export interface ResolveOptions {
  /** Ask the archive again, instead of taking the versions found before. */
  refresh: boolean;
  /** Told of each step that takes time. */
  progress: Progress;
}

/** Where the versions found for a kernel are kept. */
function recordOf({ architecture, imagePackage, suite }: LabKernel): string {
  const name = [imagePackage, architecture, suite ?? []].flat().join(".");
  return `${labCacheDir()}/kernels/${name}.json`;
}

/** The packages found for a kernel before, if they were. */
export async function resolvedBefore(kernel: LabKernel): Promise<KernelPackages | undefined> {
  const record = recordOf(kernel);
  if (!(await exists(record))) return undefined;
  return JSON.parse(await Deno.readTextFile(record)) as KernelPackages;
}

/**
 * Finds a kernel's packages. The answer is kept, so that a lab that was built once starts without
 * asking apt, and without the network.
 */
export async function resolveKernel(
  kernel: LabKernel,
  options: ResolveOptions,
): Promise<KernelPackages> {
  const known = options.refresh ? undefined : await resolvedBefore(kernel);
  if (known !== undefined) return known;
  await requireTools(["apt-get", "apt-cache", "dpkg-deb"]);
  const packages = await lookUp(kernel, options);
  await Deno.mkdir(`${labCacheDir()}/kernels`, { recursive: true });
  await Deno.writeTextFile(`${recordOf(kernel)}.part`, JSON.stringify(packages, null, 2));
  await Deno.rename(`${recordOf(kernel)}.part`, recordOf(kernel));
  return packages;
}

async function lookUp(kernel: LabKernel, options: ResolveOptions): Promise<KernelPackages> {
  const { progress, refresh } = options;
  const { suite } = kernel;
  const own = await AptDirectory.open(kernel.architecture, progress, { refresh, suite });
  const host = kernel.architecture === "amd64" ? own : await AptDirectory.open("amd64", progress);
  const meta = await own.show(kernel.imagePackage);
  // A metapackage depends on the concrete image; a concrete image depends on none.
  const name = dependencies(meta).find((name) => name.startsWith("linux-image-")) ??
    kernel.imagePackage;
  const image = await own.find(name);
  const release = name.replace(/^linux-image-/, "").replace(/-unsigned$/, "");
  const headers = await own.find(`linux-headers-${release}`, image.version);
  const needed = dependencies(await own.show(headers.name, headers.version));
  const common = needed.find((name) => /^linux-headers-.*-common/.test(name));
  const kbuild = needed.find((name) => name.startsWith("linux-kbuild-"));
  if (common === undefined || kbuild === undefined) {
    throw new LabUnavailableError(
      `${headers.name} names no common headers or kbuild (it depends on ${needed.join(", ")})`,
    );
  }
  return {
    release,
    image,
    // kbuild's programs run here, whatever the guest is.
    headers: [
      headers,
      await own.find(common, image.version),
      await host.find(kbuild, image.version),
    ],
    busybox: await own.find("busybox-static"),
    libcHeaders: await host.find("linux-libc-dev"),
    ...suite !== undefined && { suite },
  };
}

/** The names that a package depends on, first alternatives only. */
function dependencies(fields: ReadonlyMap<string, string>): string[] {
  return (fields.get("Depends") ?? "").split(",").map((part) =>
    part.trim().split(/[ :(|]/)[0] ?? ""
  )
    .filter((name) => name !== "");
}

import { configuration } from "../lab/apt_directory.ts";
import { sourcesFor, sourcesList } from "../lab/apt_sources.ts";
import { exists, labCacheDir, makeFolder, withLock } from "../lab/cache.ts";
import { LabUnavailableError } from "../lab/errors.ts";
import { requireTools, runTool } from "../lab/tools.ts";

/** A release of QEMU, and the Debian suite that carries it. */
export interface QemuRelease {
  /** Its version, as far as it is certain. */
  version: string;
  /** The suites to take packages from; the first one's QEMU is wanted. */
  suites: readonly string[];
  /** The package with its RISC-V machines; null where they lack what the tests take. */
  riscv: string | null;
}

/** The releases that pagewalk is held against, oldest first. */
export const QEMU_RELEASES: readonly QemuRelease[] = [
  { version: "5.2", suites: ["bullseye"], riscv: null },
  { version: "7.2", suites: ["bookworm"], riscv: "qemu-system-misc" },
  { version: "10.0", suites: ["trixie"], riscv: "qemu-system-riscv" },
  { version: "11.1", suites: ["trixie-backports", "trixie"], riscv: "qemu-system-riscv" },
];

/** A release of QEMU that can be run. Disposing of it removes it. */
export interface ReleasedQemu extends AsyncDisposable {
  /** The path of a program that runs it as `qemu-system-x86_64` does. */
  path: string;
  /** Those that run its RISC-V machines; null where it has none that are used. */
  riscv: { path64: string; path32: string } | null;
}

/**
 * Puts a release where every user may read it, as libvirt runs QEMU as one of its own. Its packages and
 * all that they depend on, the C library included, are unpacked into a folder of the cache, and copied
 * from there: nothing is installed, and neither root nor chroot is needed.
 *
 * @throws {LabUnavailableError} if the archive does not have it
 */
export async function qemuOf(
  release: QemuRelease,
  progress: (line: string) => void,
): Promise<ReleasedQemu> {
  await requireTools(["apt-get", "dpkg-deb"]);
  const cached = `${labCacheDir()}/../qemu/${release.suites[0]}${release.riscv ? "-riscv" : ""}`;
  await withLock(`${cached}.lock`, async () => {
    if (await exists(`${cached}/root`)) return;
    progress(`fetching QEMU ${release.version} of Debian ${release.suites[0]}`);
    await makeFolder(cached, (temporary) => unpack(release, temporary));
  });
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-qemu-" });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  await Deno.chmod(folder, 0o755);
  await runTool("cp", ["-a", `${cached}/root`, folder], { purpose: "copying QEMU" });
  const program = async (name: string) => {
    const path = `${folder}/${name}`;
    await Deno.writeTextFile(path, await starter(`${folder}/root`, name), { mode: 0o755 });
    return path;
  };
  const path = await program("qemu-system-x86_64");
  const riscv = release.riscv === null ? null : {
    path64: await program("qemu-system-riscv64"),
    path32: await program("qemu-system-riscv32"),
  };
  const owned = cleanup.move();
  return { path, riscv, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function unpack(release: QemuRelease, folder: string): Promise<void> {
  for (const part of ["state/lists/partial", "cache/archives/partial", "preferences.d", "root"]) {
    await Deno.mkdir(`${folder}/${part}`, { recursive: true });
  }
  await Deno.writeTextFile(`${folder}/status`, "");
  await Deno.writeTextFile(`${folder}/apt.conf`, configuration(folder, "amd64"));
  const archive = (await sourcesFor("amd64")).find(({ uri }) => /\/debian\/?$/.test(uri));
  if (archive === undefined) {
    throw new LabUnavailableError("this machine's apt knows no Debian archive");
  }
  const sources = release.suites.map((suite) => ({ uri: archive.uri, suite }));
  await Deno.writeTextFile(`${folder}/sources.list`, sourcesList(sources, "amd64"));
  const apt = (args: string[], purpose: string) =>
    runTool("apt-get", ["-c", `${folder}/apt.conf`, "-q", "-y", ...args], { purpose });
  await apt(["update"], "fetching package lists");
  await apt(
    ["--no-install-recommends", "--download-only", "-t", release.suites[0]!].concat([
      "install",
      "qemu-system-x86",
      ...release.riscv === null ? [] : [release.riscv, "opensbi"],
    ]),
    `downloading QEMU ${release.version}`,
  );
  for await (const { name } of Deno.readDir(`${folder}/cache/archives`)) {
    if (!name.endsWith(".deb")) continue;
    const deb = `${folder}/cache/archives/${name}`;
    await runTool("dpkg-deb", ["-x", deb, `${folder}/root`], { purpose: `unpacking ${name}` });
    await Deno.remove(deb);
  }
}

/** Has the release's own loader run it with its own libraries, modules and firmware. */
async function starter(root: string, program: string): Promise<string> {
  const folders = ["lib", "usr/lib"].map((lib) => `${root}/${lib}/x86_64-linux-gnu`);
  const loaders = folders.map((folder) => `${folder}/ld-linux-x86-64.so.2`);
  const found = await Promise.all(loaders.map(exists));
  const loader = loaders[found.indexOf(true)];
  if (loader === undefined) throw new LabUnavailableError(`there is no loader in ${root}`);
  const data = ["qemu", "seabios", "opensbi"].map((name) => `-L '${root}/usr/share/${name}'`).join(
    " ",
  );
  return `#!/bin/sh
export QEMU_MODULE_DIR='${folders[1]}/qemu'
exec '${loader}' --library-path '${folders.join(":")}' '${root}/usr/bin/${program}' \\
  ${data} -L '${root}/usr/lib/ipxe/qemu' "$@"
`;
}

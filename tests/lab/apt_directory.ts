import { type DebianArchitecture, sourcesFor, sourcesList } from "./apt_sources.ts";
import { exists, labCacheDir } from "./cache.ts";
import { LabError, LabUnavailableError } from "./errors.ts";
import type { Progress } from "./progress.ts";
import { runTool } from "./tools.ts";
import { watchDownload } from "./watch_download.ts";

/** A package at one version. */
export interface PackageVersion {
  /** Its name, such as `busybox-static`. */
  name: string;
  /** Its version, such as `1:1.35.0-4`. */
  version: string;
  /** The architecture whose archive it comes from. */
  architecture: DebianArchitecture;
}

/**
 * A package directory of its own for apt, in the lab's cache: its sources, lists and downloads are
 * apart from the machine's, so an ordinary user can refresh it, a foreign architecture can be asked
 * for, and nothing about the machine's packages changes.
 */
export class AptDirectory {
  readonly #folder: string;
  readonly #progress: Progress;
  #updateError: LabError | undefined;
  /** The architecture of the packages in it. */
  readonly architecture: DebianArchitecture;

  private constructor(folder: string, architecture: DebianArchitecture, progress: Progress) {
    this.#folder = folder;
    this.architecture = architecture;
    this.#progress = progress;
  }

  /** Opens the directory for an architecture and fetches the package lists if there are none. */
  static async open(
    architecture: DebianArchitecture,
    progress: Progress,
    options: { refresh?: boolean; suite?: string | undefined } = {},
  ): Promise<AptDirectory> {
    const { suite } = options;
    const folder = `${labCacheDir()}/apt/${architecture}${suite === undefined ? "" : `-${suite}`}`;
    for (const part of ["state/lists/partial", "cache/archives/partial", "debs", "preferences.d"]) {
      await Deno.mkdir(`${folder}/${part}`, { recursive: true });
    }
    const sources = sourcesList(await sourcesFor(architecture, suite), architecture);
    const changed = !(await exists(`${folder}/sources.list`)) ||
      await Deno.readTextFile(`${folder}/sources.list`) !== sources;
    await Deno.writeTextFile(`${folder}/status`, "");
    await Deno.writeTextFile(`${folder}/apt.conf`, configuration(folder, architecture));
    const directory = new AptDirectory(folder, architecture, progress);
    if (changed || options.refresh || !(await directory.#hasLists())) {
      await Deno.writeTextFile(`${folder}/sources.list`, sources);
      await directory.update();
    }
    return directory;
  }

  /** Fetches the package lists. One list out of step does not matter until a package is missing. */
  async update(): Promise<void> {
    this.#progress(`fetching the package lists for ${this.architecture}`);
    this.#updateError = undefined;
    try {
      await this.#run(
        "apt-get",
        ["update", "-o", "APT::Update::Error-Mode=any"],
        "fetching package lists",
      );
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      this.#updateError = error;
      this.#progress(`going on without a list: ${error.message}`);
    }
  }

  /**
   * The fields of one version of a package; its newest, if none is named.
   *
   * @throws {LabUnavailableError} if the archive has no such package.
   */
  async show(name: string, version?: string): Promise<Map<string, string>> {
    const wanted = version === undefined ? name : `${name}=${version}`;
    try {
      return fieldsOf(await this.#run("apt-cache", ["show", wanted], `looking up ${wanted}`));
    } catch (error) {
      if (!(error instanceof LabError)) throw error;
      const reason = this.#updateError ?? error;
      throw new LabUnavailableError(
        `the package ${wanted} (${this.architecture}) cannot be found (${reason.message}); ` +
          "look at the network and this machine's package sources, then run: deno task lab --update",
        { cause: error },
      );
    }
  }

  /** The newest version of a package, or `preferred` if the archive still has it. */
  async find(name: string, preferred?: string): Promise<PackageVersion> {
    let fields: Map<string, string> | undefined;
    if (preferred !== undefined) {
      try {
        fields = await this.show(name, preferred);
      } catch (error) {
        if (!(error instanceof LabUnavailableError)) throw error;
      }
    }
    fields ??= await this.show(name);
    return { name, version: fields.get("Version") ?? "", architecture: this.architecture };
  }

  /** Downloads a package, unless it was before, and answers its file's path. */
  async download(wanted: PackageVersion): Promise<string> {
    const prefix = `${wanted.name}_${wanted.version.replaceAll(":", "%3a")}_`;
    const debs = `${this.#folder}/debs`;
    const before = await fileStartingWith(debs, prefix);
    if (before !== undefined) return before;
    // Beside the finished ones: what an interrupted download leaves is no package.
    const folder = `${debs}/part-${Deno.pid}`;
    await Deno.mkdir(folder, { recursive: true });
    try {
      await this.#fetch(wanted, folder);
      const path = await fileStartingWith(folder, prefix);
      if (path === undefined) {
        throw new LabUnavailableError(`apt-get download left no file ${prefix}*.deb in ${folder}`);
      }
      const final = path.replace(folder, debs);
      await Deno.rename(path, final);
      return final;
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }

  async #fetch(wanted: PackageVersion, folder: string): Promise<void> {
    const { name, version } = wanted;
    const fetch = async () => {
      const size = Number((await this.show(name, version)).get("Size"));
      await using _ = watchDownload(`${name} ${version}`, folder, size, this.#progress);
      const purpose = `downloading the package ${name}`;
      await this.#run("apt-get", ["download", `${name}=${version}`], purpose, folder);
    };
    try {
      await fetch();
    } catch (error) {
      // Archives drop old versions: with fresh lists the reason is told, or it works.
      await this.update();
      await fetch().catch((again) => {
        throw new LabUnavailableError(
          `the package ${name} ${version} could not be downloaded ` +
            `(${(again as Error).message}); run: deno task lab --update`,
          { cause: error },
        );
      });
    }
  }

  async #hasLists(): Promise<boolean> {
    for await (const entry of Deno.readDir(`${this.#folder}/state/lists`)) {
      if (entry.name.includes("_Packages")) return true;
    }
    return false;
  }

  #run(command: string, args: string[], purpose: string, cwd?: string): Promise<string> {
    return runTool(command, ["-c", `${this.#folder}/apt.conf`, "-q", ...args], {
      purpose,
      ...(cwd === undefined ? {} : { cwd }),
    });
  }
}

async function fileStartingWith(folder: string, prefix: string): Promise<string | undefined> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.startsWith(prefix) && entry.name.endsWith(".deb")) {
      return `${folder}/${entry.name}`;
    }
  }
  return undefined;
}

/** The first stanza of `apt-cache show`. */
function fieldsOf(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of (text.split("\n\n")[0] ?? "").split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0 && !line.startsWith(" ")) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  return fields;
}

/** Read after the machine's own configuration (`-c`), so that proxies and the like stay in force. */
export function configuration(folder: string, architecture: string): string {
  return `
Dir::State "${folder}/state";
Dir::State::status "${folder}/status";
Dir::Cache "${folder}/cache";
Dir::Etc::sourcelist "${folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "${folder}/preferences.d";
#clear APT::Architectures;
APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
`;
}

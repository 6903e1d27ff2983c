import { LabUnavailableError } from "./errors.ts";
import { runTool } from "./tools.ts";

/** One package source: where a Debian archive is, and which suite of it. */
export interface AptSource {
  /** The archive's address, such as `http://host/debian/`. */
  uri: string;
  /** The suite, such as `bookworm-security`. */
  suite: string;
}

/** Debian's signing keys, from the package debian-archive-keyring. */
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The architecture of a package, as Debian names it. */
export type DebianArchitecture = "amd64" | "i386" | "riscv64";

/**
 * The suites of other architectures than this machine's: the last one with 32-bit x86 kernels, the first
 * with RISC-V. 64-bit x86 kernels come from the suite that the machine itself uses.
 */
const SUITES = { amd64: "bookworm", i386: "bookworm", riscv64: "trixie" } as const;

/** The Debian archives that this machine's apt is set up for. */
async function hostSources(): Promise<AptSource[]> {
  const text = await runTool(
    "apt-get",
    ["indextargets", "Created-By: Packages", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"],
    { purpose: "listing this machine's package sources" },
  );
  const sources = new Map<string, AptSource>();
  for (const line of text.split("\n")) {
    const [uri, suite, component] = line.split(" ");
    if (!uri || !suite || component !== "main" || !/\/debian(-security)?\/?$/.test(uri)) continue;
    sources.set(`${uri} ${suite}`, { uri, suite });
  }
  return [...sources.values()];
}

/**
 * The sources to use for an architecture: `PAGEWALK_LAB_MIRROR` (an archive's address) with the
 * suite `PAGEWALK_LAB_SUITE`, else what this machine uses.
 *
 * @param more a suite beside those
 * @throws {LabUnavailableError} if this machine knows no Debian archive.
 */
export async function sourcesFor(
  architecture: DebianArchitecture,
  more?: string,
): Promise<AptSource[]> {
  const sources = await ownSources(architecture);
  const archive = sources.find(({ uri }) => /\/debian\/?$/.test(uri)) ?? sources[0];
  if (more === undefined || archive === undefined) return sources;
  return [...sources, { uri: archive.uri, suite: more }];
}

async function ownSources(architecture: DebianArchitecture): Promise<AptSource[]> {
  const mirror = Deno.env.get("PAGEWALK_LAB_MIRROR");
  const suite = Deno.env.get("PAGEWALK_LAB_SUITE") ?? SUITES[architecture];
  if (mirror) return [{ uri: mirror, suite }];
  const sources = await hostSources();
  if (sources.length === 0) {
    throw new LabUnavailableError(
      "this machine's apt knows no Debian archive, where the lab's kernel comes from; " +
        "run: export PAGEWALK_LAB_MIRROR=ADDRESS-OF-A-DEBIAN-MIRROR",
    );
  }
  if (architecture === "amd64") return sources;
  const fitting = sources.filter((source) => source.suite.startsWith(SUITES[architecture]));
  if (fitting.length > 0) return fitting;
  const archive = sources.find((source) => /\/debian\/?$/.test(source.uri));
  return archive === undefined ? [] : [{ uri: archive.uri, suite: SUITES[architecture] }];
}

/** The text of a sources.list. */
export function sourcesList(sources: readonly AptSource[], architecture: string): string {
  return sources.map(({ uri, suite }) =>
    `deb [arch=${architecture} signed-by=${KEYRING}] ${uri} ${suite} main\n`
  ).join("");
}

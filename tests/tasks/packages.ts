/** A program that the tests run, and the Debian package that has it. */
export interface Tool {
  program: string;
  package: string;
  neededFor: string;
}

/** What the tests run besides Deno. */
export const TOOLS: readonly Tool[] = [
  { program: "qemu-system-x86_64", package: "qemu-system-x86", neededFor: "every live test" },
  {
    program: "qemu-system-riscv64",
    package: "qemu-system-misc",
    neededFor: "RISC-V guests, and guests of other architectures",
  },
  { program: "tmux", package: "tmux", neededFor: "the REPL in a terminal" },
  {
    program: "gcc",
    package: "gcc",
    neededFor: "the lab guest's programs and module, the guest that performs accesses",
  },
  { program: "chromium", package: "chromium", neededFor: "the HTML report in a browser" },
  {
    program: "riscv64-linux-gnu-gcc",
    package: "gcc-riscv64-linux-gnu",
    neededFor: "the programs of the RISC-V guests that run Linux or a kernel like xv6",
  },
  { program: "script", package: "bsdutils", neededFor: "the REPL in a pseudo-terminal" },
  { program: "virsh", package: "libvirt-clients", neededFor: "the libvirt connector" },
  { program: "libvirtd", package: "libvirt-daemon-system", neededFor: "the libvirt connector" },
  { program: "zsh", package: "zsh", neededFor: "the completion for zsh" },
  { program: "fish", package: "fish", neededFor: "the completion for fish" },
  { program: "groff", package: "groff-base", neededFor: "the manual page" },
  { program: "make", package: "make", neededFor: "the lab guest's module" },
];

/** Returns the packages that are missing here. */
export function missingPackages(): string[] {
  return TOOLS.filter(({ program }) => !onPath(program)).map((tool) => tool.package);
}

/** Says of each package what it is needed for. */
export function whatFor(packages: readonly string[]): string[] {
  return [...new Set(packages)].map((name) => {
    const uses = TOOLS.filter((tool) => tool.package === name);
    return `${name}: ${
      uses.map(({ program, neededFor }) => `${program}, for ${neededFor}`).join("; ")
    }`;
  });
}

/**
 * Installs packages if that can be done without asking: as root, with apt. Else says how. Returns
 * what is still missing.
 */
export async function install(packages: readonly string[]): Promise<string[]> {
  if (packages.length === 0) return [];
  const command = `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
  if (Deno.uid() !== 0 || !onPath("apt-get")) {
    console.log("Some tests need Debian packages that this machine lacks:");
    for (const line of whatFor(packages)) console.log(`  ${line}`);
    console.log(`To install them: sudo ${command}`);
    return missingPackages();
  }
  console.log("Installing Debian packages that the tests need and this machine lacks:");
  for (const line of whatFor(packages)) console.log(`  ${line}`);
  const run = async (args: string[]) => {
    const { success } = await new Deno.Command("apt-get", {
      args,
      env: { DEBIAN_FRONTEND: "noninteractive" },
      stdout: "null",
    }).spawn().status;
    return success;
  };
  if (!await run(["update", "-qq"])) {
    console.log("apt-get update failed: trying with what is known");
  }
  if (!await run(command.split(" ").slice(1))) console.log(`This failed: ${command}`);
  return missingPackages();
}

function onPath(program: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return folders.some((folder) => exists(`${folder}/${program}`));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

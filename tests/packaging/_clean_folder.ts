import type { Outcome } from "../examples/_run.ts";

/** A folder with nothing in it, and a home and a cache of Deno of its own. */
export interface CleanFolder extends AsyncDisposable {
  /** The empty folder, in which programs are run. */
  path: string;
  /** Where `deno install -g` puts commands. */
  bin: string;
  /** Runs a program there: `deno` is the one that runs this. */
  run(program: string, args: readonly string[]): Promise<Outcome>;
}

/**
 * Makes a clean folder.
 *
 * @param npmrc what its home says of npm registries
 * @param packages which npm packages of this machine's cache it has: all, or these
 */
export async function cleanFolder(
  npmrc = "",
  packages: "all" | readonly string[] = "all",
): Promise<CleanFolder> {
  const root = await Deno.makeTempDir({ prefix: "pagewalk-clean-" });
  const [path, home, cache] = [`${root}/work`, `${root}/home`, `${root}/cache`];
  for (const folder of [path, home, cache]) await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${home}/.npmrc`, npmrc);
  const npm = `${await denoDir()}/npm`;
  for await (const { name: registry } of Deno.readDir(npm)) {
    for await (const { name } of Deno.readDir(`${npm}/${registry}`)) {
      if (packages !== "all" && !packages.includes(name)) continue;
      await Deno.mkdir(`${cache}/npm/${registry}`, { recursive: true });
      // A second name of each file, as Deno takes a link for what it leads to.
      const args = ["-al", `${npm}/${registry}/${name}`, `${cache}/npm/${registry}`];
      const { success, stderr } = await new Deno.Command("cp", { args }).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    }
  }
  return {
    path,
    bin: `${root}/bin`,
    async run(program, args) {
      const command = program === "deno" ? Deno.execPath() : program;
      const { code, stdout, stderr } = await new Deno.Command(command, {
        args: [...args],
        cwd: path,
        stdin: "null",
        clearEnv: true,
        env: {
          HOME: home,
          DENO_DIR: cache,
          DENO_INSTALL_ROOT: root,
          NO_COLOR: "1",
          DENO_NO_UPDATE_CHECK: "1",
          // The installed command calls deno by its name.
          PATH: `${Deno.execPath().replace(/\/[^/]+$/, "")}:${Deno.env.get("PATH")}`,
        },
      }).output();
      const decoder = new TextDecoder();
      return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(root, { recursive: true });
    },
  };
}

/** Where Deno keeps what it has downloaded. */
async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

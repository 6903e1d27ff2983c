/** One module and what it imports, by the compiler's own account. */
export interface Module {
  /** The path from the project's root, such as `src/core/address.ts`; else the specifier. */
  path: string;
  /** The paths of what it imports, types included. */
  imports: { path: string; dynamic: boolean; typeOnly: boolean }[];
}

interface GraphJson {
  modules: {
    specifier: string;
    dependencies?: {
      specifier: string;
      code?: { specifier?: string };
      type?: { specifier?: string };
      isDynamic?: boolean;
    }[];
  }[];
}

const ROOT = new URL("../../", import.meta.url).href;

/** Returns every module of `src`, from one graph: asking file by file takes minutes. */
export async function sourceGraph(): Promise<Module[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    const imports = [...sourceFiles("src")].map((path) =>
      `import ${JSON.stringify(ROOT + path)};\n`
    );
    await Deno.writeTextFile(entry, imports.join(""));
    return (await moduleGraph(entry)).filter(({ path }) => path.startsWith("src/"));
  } finally {
    await Deno.remove(entry);
  }
}

/** Returns every module that an entry point reaches. */
export async function moduleGraph(entry: string): Promise<Module[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", entry],
    cwd: new URL(ROOT),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as GraphJson;
  return modules.map(({ specifier, dependencies = [] }) => ({
    path: projectPath(specifier),
    imports: dependencies.map((dependency) => ({
      path: projectPath(
        dependency.code?.specifier ?? dependency.type?.specifier ?? dependency.specifier,
      ),
      dynamic: dependency.isDynamic ?? false,
      typeOnly: dependency.code === undefined,
    })),
  }));
}

/** Lists the TypeScript files under a folder, as paths from the project's root. */
export function* sourceFiles(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

function projectPath(specifier: string): string {
  return specifier.startsWith(ROOT) ? specifier.slice(ROOT.length) : specifier;
}

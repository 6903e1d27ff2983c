import config from "../../deno.json" with { type: "json" };

/** Packages of which the bundled command holds code; the others are for tests. */
const BUNDLED = ["deno-std", "acorn", "cli-progress", "string-width", "strip-ansi", "ansi-regex"];
const ALSO = ["is-fullwidth-code-point", "emoji-regex"];

/** The licences of the packages that are bundled into the command, as they come with them. */
export async function thirdPartyLicenses(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-licences-" });
  try {
    const dependencies = Object.fromEntries(
      Object.values(config.imports).flatMap((specifier) => {
        const [, name, version] = /^npm:([^@/]+)@([^/]+)/.exec(specifier) ?? [];
        return name !== undefined && BUNDLED.includes(name) ? [[name, version]] : [];
      }),
    );
    await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify({ dependencies }));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["install", "--quiet", "--node-modules-dir=manual", "--node-modules-linker=hoisted"],
      cwd: folder,
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const parts = [];
    for (const name of [...BUNDLED, ...ALSO]) {
      parts.push(await licenceOf(`${folder}/node_modules/${name}`, name));
    }
    return `The bundled command contains code of these packages.\n\n${parts.join("\n\n")}\n`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function licenceOf(folder: string, name: string): Promise<string> {
  const { version, license } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
  const files = (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name);
  const file = files.find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined
    ? `License: ${license}, Copyright the Deno authors`
    : await Deno.readTextFile(`${folder}/${file}`);
  return `== ${name} ${version} ==\n\n${text.trim()}`;
}

/**
 * Makes the npm package: `deno pack` of the sources without tests, with the command bundled.
 *
 *     deno task pack            # pagewalk-pagewalk-0.2.0.tgz
 *     deno task pack --no-types out.tgz
 */
import config from "../../deno.json" with { type: "json" };
import { sourceFiles } from "../architecture/_module_graph.ts";
import { bundleCommand } from "./bundle_command.ts";
import { thirdPartyLicenses } from "./third_party_licenses.ts";

const ROOT = new URL("../../", import.meta.url);
const TEXTS = [
  "README.md",
  "README.zh-CN.md",
  "CHANGELOG.md",
  "LICENSE",
  "src/pagewalk/output.schema.json",
];

/**
 * Writes the package's archive.
 *
 * @param archive the file to write, as a path
 * @param types whether declarations are made, which takes a minute
 */
export async function packCommand(archive: string, types = true): Promise<void> {
  const stage = await Deno.makeTempDir({ prefix: "pagewalk-pack-" });
  try {
    await bundleCommand(`${stage}/lib`);
    await Deno.writeTextFile(`${stage}/lib/LICENSES.txt`, await thirdPartyLicenses());
    const sources = [...sourceFiles("src"), "mod.ts"].filter((path) => {
      return !path.startsWith("src/pagewalk/");
    });
    for (const path of [...sources, ...TEXTS]) {
      await Deno.mkdir(`${stage}/${path}`.replace(/\/[^/]+$/, ""), { recursive: true });
      await Deno.copyFile(new URL(path, ROOT), `${stage}/${path}`);
    }
    const { name, version, license, exports, imports, compilerOptions } = config;
    await Deno.writeTextFile(
      `${stage}/deno.json`,
      JSON.stringify({
        ...{ name, version, license, imports, compilerOptions },
        exports: { ...exports, "./pagewalk": "./lib/pagewalk.js" },
      }),
    );
    await run(stage, "deno", [
      "pack",
      "--quiet",
      "--allow-dirty",
      "--no-source-maps",
      ...types ? [] : ["--allow-slow-types"],
      "--output",
      "packed.tgz",
    ]);
    // What deno pack does not write: the command's name, for deno x, npx and deno install -g npm:….
    await run(stage, "tar", ["xzf", "packed.tgz"]);
    const path = `${stage}/package/package.json`;
    const manifest = JSON.parse(await Deno.readTextFile(path));
    const description = "Read a running QEMU guest's page tables through its monitor";
    const bin = { pagewalk: "lib/pagewalk.js" };
    await Deno.writeTextFile(path, JSON.stringify({ ...manifest, description, bin }, null, 2));
    await Deno.chmod(`${stage}/package/lib/pagewalk.js`, 0o755);
    await run(stage, "tar", [
      ...["--sort=name", "--owner=0", "--group=0", "--numeric-owner"],
      ...["-czf", "whole.tgz", "package"],
    ]);
    await Deno.copyFile(`${stage}/whole.tgz`, archive);
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}

async function run(cwd: string, program: string, args: string[]): Promise<void> {
  const command = program === "deno" ? Deno.execPath() : program;
  const { success, stderr } = await new Deno.Command(command, { args, cwd, stdout: "null" })
    .output();
  if (!success) throw new Error(`${program} ${args[0]}: ${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) {
  const [given] = Deno.args.filter((arg) => !arg.startsWith("--"));
  const name = config.name.replace(/^@/, "").replace("/", "-");
  const archive = given ?? `${name}-${config.version}.tgz`;
  await packCommand(archive, !Deno.args.includes("--no-types"));
  console.log(archive);
}

/** Bundles the page of HTML reports: run it after a change to what the page uses. A test tells when. */
const ROOT = new URL("../../", import.meta.url);
const TARGET = new URL("src/report/html/_viewer_bundle.ts", ROOT);

/** Returns what the bundle's file should hold. */
export async function viewerBundle(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--minify",
      "src/report/html/viewer/main.ts",
    ],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  // A script element ends at "</script", wherever it stands.
  const code = new TextDecoder().decode(stdout).trim().replaceAll("</script", "<\\/script");
  return await formatted([
    "// Made by tests/tasks/build_viewer.ts from viewer/main.ts: change that, and run it again.",
    "/** The script of the report's page. */",
    `export const VIEWER: string = ${JSON.stringify(code)};`,
    "",
  ].join("\n"));
}

/** As `deno fmt` would have it, so that formatting the project changes nothing. */
async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "ts", "-"],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return new TextDecoder().decode((await child.output()).stdout);
}

if (import.meta.main) {
  const text = await viewerBundle();
  await Deno.writeTextFile(TARGET, text);
  console.log(`${TARGET.pathname}: ${text.length} characters`);
}

import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);

/** A section of the changelog: its version, or null for what is not released, and its text. */
interface Section {
  version: string | null;
  text: string;
}

function sectionsOf(changelog: string): Section[] {
  return changelog.split(/^## /m).slice(1).map((text) => {
    const [, name] = /^\[(.+?)\](?: - \d{4}-\d{2}-\d{2})?\n/.exec(text) ?? [];
    assert(name !== undefined, `a heading is not in the form of Keep a Changelog: ${text}`);
    return { version: name === "Unreleased" ? null : name, text: text.slice(text.indexOf("\n")) };
  });
}

/** The version that Semantic Versioning asks for, before 1.0.0: a minor one for what breaks or adds. */
function nextVersion(sections: readonly Section[]): string {
  const last = sections.find(({ version }) => version !== null)!.version!;
  const changes = sections.find(({ version }) => version === null)?.text.trim() ?? "";
  if (changes === "") return last;
  const [major, minor, patch] = last.split(".").map(Number) as [number, number, number];
  const isMinor = /\*\*Breaking|^### (?:Added|Removed|Deprecated)/m.test(changes);
  return isMinor ? `${major}.${minor + 1}.0` : `${major}.${minor}.${patch + 1}`;
}

Deno.test("packaging: the version is the one that the changelog asks for", async () => {
  const sections = sectionsOf(await Deno.readTextFile(new URL("CHANGELOG.md", ROOT)));
  assertEquals(config.version, nextVersion(sections));
});

Deno.test("packaging: README names the archive of this version", async () => {
  const text = await Deno.readTextFile(new URL("README.md", ROOT));
  const named = [...text.matchAll(/pagewalk-pagewalk-([\w.-]+)\.tgz/g)].map(([, version]) =>
    version
  );
  assert(named.length > 0);
  assertEquals([...new Set(named)], [config.version]);
});

Deno.test("nextVersion() follows what changed", () => {
  const last = "## [0.3.1] - 2026-01-02\n\n### Fixed\n\n- a\n";
  const next = (unreleased: string) => nextVersion(sectionsOf(`${unreleased}${last}`));
  assertEquals(next(""), "0.3.1");
  assertEquals(next("## [Unreleased]\n\n"), "0.3.1");
  assertEquals(next("## [Unreleased]\n\n### Fixed\n\n- b\n\n"), "0.3.2");
  assertEquals(next("## [Unreleased]\n\n### Changed\n\n- **Breaking:** b\n\n"), "0.4.0");
  assertEquals(next("## [Unreleased]\n\n### Added\n\n- b\n\n"), "0.4.0");
});

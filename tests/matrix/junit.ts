/** One test of a run. */
export interface TestOutcome {
  /** The file, from the project's root. */
  file: string;
  /** The test's name. */
  name: string;
  /** How it went. */
  outcome: "passed" | "failed" | "skipped";
}

/** Reads what `deno test --junit-path` reports of one file (Deno 2.9). Steps are part of their test. */
export function parseJunit(xml: string, file: string): TestOutcome[] {
  const outcomes: TestOutcome[] = [];
  for (const [, attributes, rest] of xml.matchAll(/<testcase ([^>]*?)(\/>|>.*?<\/testcase>)/gs)) {
    const name = attribute(attributes!, "name");
    if (name.includes(" > ")) continue; // A step.
    const outcome = /<failure|<error/.test(rest!)
      ? "failed"
      : /<skipped/.test(rest!)
      ? "skipped"
      : "passed";
    outcomes.push({ file, name, outcome });
  }
  return outcomes;
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function attribute(attributes: string, name: string): string {
  const text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return text.replace(/&(\w+);/g, (whole, entity) => ENTITIES[entity] ?? whole);
}

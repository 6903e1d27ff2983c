/** One test of a run, or one step of a test. */
export interface TestOutcome {
  /** The file, from the project's root. */
  file: string;
  /** The test's name. */
  name: string;
  /** The step's name, if it is one; steps of steps are left out. */
  step?: string;
  /** How it went. */
  outcome: "passed" | "failed" | "skipped";
}

/** Reads what `deno test --junit-path` reports of one file (Deno 2.9). */
export function parseJunit(xml: string, file: string): TestOutcome[] {
  const outcomes: TestOutcome[] = [];
  for (const [, attributes, rest] of xml.matchAll(/<testcase ([^>]*?)(\/>|>.*?<\/testcase>)/gs)) {
    const [name, step, ...deeper] = attribute(attributes!, "name").split(" > ");
    if (deeper.length > 0) continue;
    const outcome = /<failure|<error/.test(rest!)
      ? "failed"
      : /<skipped/.test(rest!)
      ? "skipped"
      : "passed";
    outcomes.push({ file, name: name!, ...step !== undefined && { step }, outcome });
  }
  return outcomes;
}

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function attribute(attributes: string, name: string): string {
  const text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return text.replace(/&(\w+);/g, (whole, entity) => ENTITIES[entity] ?? whole);
}

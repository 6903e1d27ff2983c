import { assert, assertEquals } from "@std/assert";
import * as sdk from "../../mod.ts";
import { sourceFiles } from "../architecture/_module_graph.ts";
import { assertClean, assertEscaped, HOSTILE } from "./_hostile_text.ts";

type Made = new (...args: unknown[]) => Error;

const cause = () => new Deno.errors.NotFound(HOSTILE);
const origin = () => ({ endpoint: HOSTILE, command: HOSTILE, cause: cause() });

/** What an error class is made with that takes more than texts and, as its last, options. */
const ARGUMENTS: Readonly<Record<string, () => unknown[]>> = {
  DamagedRegistersError: () => [HOSTILE, HOSTILE],
  AmbiguousProcessError: () => [HOSTILE, [1, 2]],
  InconsistentListError: () => [HOSTILE, 2, origin()],
  KernelFormatError: () => [HOSTILE, HOSTILE, 1n, origin()],
  NoTablesError: () => [{ kind: "nested", reason: HOSTILE, next: HOSTILE }],
  MemoryReadError: () => ["unreadable", 1n, 8, { ...origin(), message: HOSTILE }],
  NoSuchProcessError: () => [HOSTILE, HOSTILE],
  GuestLeftPausedError: () => [HOSTILE, cause()],
};

/** Those whose message has no text but pagewalk's own. */
const OWN: Readonly<Record<string, () => Promise<unknown[]>>> = {
  async PageFaultError() {
    await using guest = await sdk.connect("sim:");
    return [await guest.walk(0x10000n)];
  },
};

/** The error classes that the modules of src export, by name. */
async function errorClasses(): Promise<Map<string, Made>> {
  const found = new Map<string, Made>();
  for (const path of sourceFiles("src")) {
    const text = await Deno.readTextFile(new URL(`../../${path}`, import.meta.url));
    if (!/^export class \w+ extends \w*Error\b/m.test(text)) continue;
    const module = await import(new URL(`../../${path}`, import.meta.url).href);
    for (const [name, value] of Object.entries(module)) {
      if (typeof value === "function" && value.prototype instanceof sdk.PagewalkError) {
        found.set(name, value as Made);
      }
    }
  }
  return found;
}

const classes = await errorClasses();

Deno.test("there are error classes to look at", () => {
  const exported = Object.entries(sdk).filter(([, value]) =>
    typeof value === "function" && value.prototype instanceof sdk.PagewalkError
  );
  assert(exported.length > 20, `only ${exported.length}`);
  for (const [name] of exported) assert(classes.has(name), `${name} was not found`);
});

for (const [name, ErrorClass] of classes) {
  Deno.test(`${name} says what went wrong on one line, and keeps the exact text in its fields`, async () => {
    const texts = Array.from({ length: Math.max(1, ErrorClass.length - 1) }, () => HOSTILE);
    const own = await OWN[name]?.();
    const error = new ErrorClass(...own ?? ARGUMENTS[name]?.() ?? [...texts, origin()]);
    if (own) assertClean(error.message, name, 1);
    else assertEscaped(error.message, `${name}: give it a row in this test if it takes no text`, 1);
    assertClean(String(error), name, 1);
    if (error.cause instanceof Error) {
      assertEscaped(error.cause.message, `the cause of ${name}`, 1);
      // The frames follow on lines of their own.
      assertClean(error.cause.stack!, `the cause of ${name}`);
    }
    for (const field of ["endpoint", "path", "command"]) {
      const value = (error as unknown as Record<string, unknown>)[field];
      if (typeof value === "string") assertEquals(value, HOSTILE, field);
    }
  });
}

Deno.test("a cause that cannot be changed is left as it is", () => {
  const frozen = Object.freeze(new Error(HOSTILE));
  assertEquals(new sdk.PagewalkError("x", { cause: frozen }).cause, frozen);
  const circle = new Error(HOSTILE);
  circle.cause = circle;
  assertEscaped(
    String((new sdk.PagewalkError("x", { cause: circle }).cause as Error).message),
    "x",
  );
});

Deno.test("an error that nobody catches is printed without what acts on a terminal", async () => {
  const code = `
    import { ConnectError } from "./mod.ts";
    const text = ${JSON.stringify(HOSTILE)};
    const cause = new Deno.errors.ConnectionRefused(text, { cause: new TypeError("inner") });
    throw new ConnectError("failed", \`Cannot connect to \${text}\`, { endpoint: text, cause });`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", "-"],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { code: exit, stderr } = await child.output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(exit, 1);
  const printed = text.split("\n").filter((line) => line.includes("owned"));
  assertEquals(printed.length >= 2, true, text);
  // The line of the source is the test's own, in which the text stands as JSON does.
  for (const line of printed) assertClean(line, "what Deno prints");
  assertClean(text.replaceAll(/^\s+const text = .*$/gm, ""), "what Deno prints");
});

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fakeMonitor, simulatedGuest } from "../../src/testing/mod.ts";

const decoder = new TextDecoder();

async function pipe(
  input: string,
  args: readonly string[] = [],
  permissions: readonly string[] = [],
): Promise<{ code: number; out: string; err: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, "repl.ts", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A prompt that has ended early does not read the rest.
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("pipe: lines run in order and print only results", async () => {
  const { code, out, err } = await pipe([
    "const w = walk(0x7f1241000000)",
    "w.effective.user",
    "",
    "for (const step of w.steps) {",
    "  print(step.name)",
    "}",
    ".help",
    "walk(0x7f1234567000).outcome",
    "translate(0x7f1234567000)",
  ].join("\n"));
  assertEquals(err, "");
  assertEquals(code, 0);
  const lines = out.trimEnd().split("\n");
  assertEquals(lines.slice(0, 5), ["false", "PML4", "PDPT", "PD", "PT"]);
  assertEquals(lines.slice(-2), ["mapped", "0x1_1008_f000"]);
  assert(!out.includes("\x1b"));
});

Deno.test("pipe: the first line that throws ends it, with its number, and exit code 1", async () => {
  const { code, out, err } = await pipe("1\n\nmissing\n2\n");
  assertEquals(code, 1);
  assertEquals(out, "1\n");
  assertEquals(err, "line 3: ReferenceError: missing is not defined\n");
  const unfinished = await pipe("print(1)\nif (true) {\n");
  assertEquals([unfinished.code, unfinished.out], [1, "1\n"]);
  assertStringIncludes(unfinished.err, "SyntaxError");
});

Deno.test("pipe: a monitor over TCP, with leave to connect to it and nothing else", async () => {
  await using monitor = fakeMonitor(simulatedGuest());
  const port = String(monitor.endpoint).split(":").at(-1)!;
  const allow = [`--allow-net=127.0.0.1:${port}`];
  const { code, out, err } = await pipe("walk(0x7f1234567000).outcome\n", [port], allow);
  assertEquals([code, out, err], [0, "mapped\n", ""]);
  const refused = await pipe("1", [port]);
  assertEquals([refused.code, refused.out], [3, ""]);
  assertStringIncludes(refused.err, `--allow-net=127.0.0.1:${port}`);
  await monitor[Symbol.asyncDispose]();
  const nobody = await pipe("1", [port], allow);
  assertEquals(nobody.code, 3);
  assertMatch(nobody.err, /^error: .*127\.0\.0\.1:\d+.*\n$/);
});

Deno.test("pipe: --eval runs one text", async () => {
  const whole = await pipe("", ["--eval", "const w = walk(0x7f1234567000); w.outcome"]);
  assertEquals([whole.code, whole.out, whole.err], [0, "mapped\n", ""]);
  const bad = await pipe("", ["--eval", "missing"]);
  assertEquals([bad.code, bad.out], [1, ""]);
});

Deno.test("pipe: a reader that has enough is no error", async () => {
  const shell = await new Deno.Command("sh", {
    args: [
      "-c",
      `seq 100000 | "$0" run --no-prompt repl.ts | head -n 2; echo "$?"`,
      Deno.execPath(),
    ],
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals(decoder.decode(shell.stderr), "");
  assertEquals(decoder.decode(shell.stdout), "1\n2\n0\n");
});

Deno.test("pipe: what is pasted, what other tools print, and exact integers", async () => {
  const { code, out, err } = await pipe([
    "{",
    "  let a = 1",
    "  print(a)",
    "}",
    "const f = (va) => walk(va).outcome // no await",
    "f(0x7f1234567000)",
    "[0x7f1234567000, 0x1000].filter((va) => f(va) === `mapped`).length",
    "(0x7f1234567000 >> 39) & 0x1ff",
    "0x7f1234567000 & ~0xfff",
    "1 << 40",
    "0000000000400000",
    "ffffffff81000000 T _stext",
    "0xffffffff81000000-0xffffffff81001000",
    "x/1gx 0x7f1234567000",
    "$cr3",
    "info status",
    "quit",
    "print('never')",
  ].join("\n"));
  assertEquals(err, "");
  assertEquals(code, 0);
  assertEquals(out.split("\n"), [
    "1",
    "mapped",
    "1",
    "0xfe (254)",
    "0x7f12_3456_7000",
    "1099511627776",
    "0x40_0000",
    "0xffff_ffff_8100_0000",
    "0xffff_ffff_8100_0000-0xffff_ffff_8100_1000, 4 KiB",
    "0x7f12_3456_7000  0x6567_6170_2041_4d44",
    "0x510_0000",
    "VM status: running",
    "",
  ]);
  const wrong = await pipe("1\ncontinue\n2\n");
  assertEquals([wrong.code, wrong.out], [1, "1\n"]);
  assertMatch(wrong.err, /^line 2: InvalidArgumentError: pagewalk is read-only/);
});

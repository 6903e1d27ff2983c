/** Scripts that read or write files: what is refused is said in one line, without a stack, with exit 3. */
import { assertEquals, assertMatch } from "@std/assert";
import { runExample } from "../examples/_run.ts";

const PAGE = "0x7f1234567000";
const NO_WRITE = (path: string) =>
  new RegExp(`No permission to write .*${path}: run deno with --allow-write=.*${path}$`);
const GONE = /^error: Cannot write .*: No such file or directory/;

const ROWS: readonly {
  command: string;
  permissions?: readonly string[];
  message: RegExp;
}[] = [
  { command: "snapshot.ts sim: a.pwsnap", message: NO_WRITE("a.pwsnap") },
  { command: "report.ts sim:", message: NO_WRITE("report.html") },
  { command: "report.ts sim: -o a.html", message: NO_WRITE("a.html") },
  { command: `monitor.ts sim: help --record a.rec`, message: NO_WRITE("a.rec") },
  {
    command: "diff.ts a.pwsnap sim:",
    message: /^error: Cannot read a\.pwsnap: run deno with --allow-read=a\.pwsnap$/,
  },
  {
    command: "report.ts sim: --before a.pwsnap --output b.html",
    message: /^error: Cannot read a\.pwsnap: run deno with --allow-read=a\.pwsnap$/,
  },
  {
    command: "audit.ts a.pwsnap",
    message: /^error: Cannot read a\.pwsnap: run deno with --allow-read=a\.pwsnap$/,
  },
  {
    command: "processes.ts sim: --kernel-cache cache",
    message: /^error: No permission to read cache: run deno with --allow-read=cache$/,
  },
  {
    command: "snapshot.ts sim: /nowhere/a.pwsnap",
    permissions: ["--allow-write"],
    message: GONE,
  },
  { command: "report.ts sim: -o /nowhere/a", permissions: ["--allow-write"], message: GONE },
  {
    command: "monitor.ts sim: help --record /nowhere/a",
    permissions: ["--allow-write"],
    message: /^error: Cannot write the recording \/nowhere\/a: No such file or directory$/,
  },
  {
    command: "report.ts sim: -o /tmp",
    permissions: ["--allow-write"],
    message: /^error: Cannot write \/tmp: Is a directory/,
  },
  {
    command: "snapshot.ts sim: /dev/full",
    permissions: ["--allow-write=/dev/full"],
    message: /^error: No permission to (?:open|write) \/dev\/full: .*--allow-all/,
  },
  {
    command: "snapshot.ts sim: /dev/full",
    permissions: ["-A"],
    message: /^error: Cannot write \/dev\/full: No space left on device$/,
  },
  {
    command: "report.ts sim: --serve",
    message: /^error: No permission to use 127\.0\.0\.1: run deno with --allow-net=127\.0\.0\.1$/,
  },
  {
    command: "report.ts sim: -o /dev/full",
    permissions: ["-A"],
    message: /^error: Cannot write \/dev\/full: No space left on device$/,
  },
];

for (const { command, permissions = [], message } of ROWS) {
  Deno.test(`${command} with ${permissions.join(" ") || "no permission"}`, async () => {
    const [script, ...args] = command.split(" ");
    const { code, stderr } = await runExample(script!, args, { permissions });
    const [line, ...more] = stderr.trimEnd().split("\n").filter((each) => !/^Try: /.test(each));
    assertMatch(line!, message);
    assertEquals([code, more], [3, []]);
  });
}

for (
  const args of [
    "qemu_verify_pte.ts sim: " + PAGE,
    "mappings.ts sim: --json",
    "monitor.ts sim: help",
  ]
) {
  Deno.test(`${args} > /dev/full`, async () => {
    const [script, ...rest] = args.split(" ");
    const path = new URL(`../../examples/${script}`, import.meta.url).pathname;
    const run = async (redirection: string) => {
      const { code, stderr } = await new Deno.Command("sh", {
        args: [
          "-c",
          `"$@" ${redirection}`,
          "sh",
          Deno.execPath(),
          "run",
          "--no-prompt",
          path,
          ...rest,
        ],
        env: { NO_COLOR: "1" },
      }).output();
      return [code, new TextDecoder().decode(stderr)];
    };
    const line = "error: Cannot write standard output: No space left on device\n";
    assertEquals(await run(">/dev/full"), [3, line]);
    // Nothing can be said then; the exit code still is no verdict.
    assertEquals(await run(">/dev/full 2>/dev/full"), [3, ""]);
  });
}

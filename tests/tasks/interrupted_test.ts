/** A run of tests that is interrupted leaves neither process nor file, whatever its tests have started. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { QEMU } from "../live.ts";

const RUN_TESTS = new URL("./run_tests.ts", import.meta.url).pathname;
const START_GUEST = new URL("../../src/testing/bare_guest/start.ts", import.meta.url);

/** A test that has a guest, a daemon, a deaf process and a file, and never ends. */
const TEST = `
  ${QEMU ? `import { startBareGuest } from ${JSON.stringify(START_GUEST.href)};` : ""}
  Deno.test("never ends", async () => {
    ${QEMU ? 'await using _guest = await startBareGuest("none");' : ""}
    await Deno.makeTempDir({ prefix: "left-" });
    const start = (command: string) =>
      new Deno.Command("setsid", { args: ["sh", "-c", command], stdout: "null", stderr: "null" }).spawn();
    start("(sleep 1000 & wait) & exit 0");
    start("trap '' TERM INT HUP; echo > $PAGEWALK_READY; while :; do sleep 1; done");
    await new Promise((resolve) => setTimeout(resolve, 1_000_000));
  });
`;

/** The processes that have a word in their environment, found apart from how the runner finds its own. */
function having(word: string): string[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => name).filter((pid) => {
    try {
      return /^\d+$/.test(pid) && Deno.readTextFileSync(`/proc/${pid}/environ`).includes(word);
    } catch (error) {
      // It has ended, or is somebody else's.
      if (/os error (?:2|3|13)\b/.test(`${error}`)) return false;
      throw error;
    }
  });
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    if (tries > 6000) throw new Error(`for five minutes: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Has the run gone, also if the test fails. */
async function endedBy(run: Deno.ChildProcess, output: Promise<unknown>): Promise<void> {
  try {
    run.kill("SIGTERM");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // It has ended, as it ought to.
  }
  await output;
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test({
    name: `${signal} ends deno task test with ${code}, and all that it has started`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      const [tests, temporary] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
      try {
        const word = `interrupted-${crypto.randomUUID()}`;
        const ready = `${tests}/ready`;
        await Deno.writeTextFile(`${tests}/endless_test.ts`, TEST);
        const run = new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", RUN_TESTS, `${tests}/endless_test.ts`],
          env: { PAGEWALK_READY: ready, PAGEWALK_WORD: word, TMPDIR: temporary },
          stdout: "piped",
          stderr: "piped",
        }).spawn();
        const output = run.output();
        await using _run = { [Symbol.asyncDispose]: () => endedBy(run, output) };
        await until("the test has not started", () => {
          return [...Deno.readDirSync(tests)].some(({ name }) => name === "ready");
        });
        // The runner, its test, the guest, two shells and what they sleep by.
        await until("not all have started", () => having(word).length >= (QEMU ? 6 : 5));
        run.kill(signal);
        const { code: ended, stderr } = await output;
        assertEquals(ended, code);
        assertStringIncludes(new TextDecoder().decode(stderr), signal);
        assertEquals(having(word), []);
        assertEquals([...Deno.readDirSync(temporary)].map(({ name }) => name), []);
      } finally {
        await Deno.remove(tests, { recursive: true });
        await Deno.remove(temporary, { recursive: true });
      }
    },
  });
}

Deno.test({
  name: "what a test file leaves running or lying about is said, and cleared away",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const word = `left-${crypto.randomUUID()}`;
      await Deno.writeTextFile(
        `${folder}/leaves_test.ts`,
        `Deno.test("leaves", async () => {
          await Deno.makeTempDir({ prefix: "forgotten-" });
          new Deno.Command("setsid", { args: ["sleep", "1000"] }).spawn().unref();
        });`,
      );
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", RUN_TESTS, `${folder}/leaves_test.ts`],
        env: { PAGEWALK_WORD: word, PAGEWALK_TEST_LEFT_MS: "0" },
      }).output();
      const text = new TextDecoder().decode(stdout);
      assertEquals(code, 0);
      assertStringIncludes(text, "left behind: a process, sleep");
      assertStringIncludes(text, "left behind: a temporary file, forgotten-");
      assertEquals(having(word), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

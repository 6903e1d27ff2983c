/** Recordings that were cut anywhere, or that lack an exchange. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, NotRecordedError, RecordingError } from "../../mod.ts";
import { toJson, verdictRecord } from "../../src/report/mod.ts";
import { attempt } from "../conformance/_attempt.ts";

const PLACES_IN_A_LINE = 16;

/** Records one check of the simulated guest, and runs a test with its lines and a replay of some text. */
async function withRecording(
  test: (
    lines: string[],
    replay: (text: string, at: string) => Promise<string | Error>,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-cut-" });
  try {
    const whole = `${folder}/whole.jsonl`;
    const cut = `${folder}/cut.jsonl`;
    const check = async (endpoint: string, options = {}) =>
      await attempt(
        () => connect(endpoint, options),
        async (guest) => {
          const { cr3 } = await guest.registers(0);
          const verdict = await guest.verify(0x7f1234567000n, { user: false });
          return `${cr3} ${toJson(verdictRecord(verdict))}`;
        },
        endpoint,
      );
    const { answer } = await check("sim:", { record: whole });
    const text = await Deno.readTextFile(whole);
    await test(text.split(/(?<=\n)/), async (part) => {
      await Deno.writeTextFile(cut, part);
      const outcome = await check(`replay:${cut}`);
      if (outcome.error !== null) return outcome.error;
      assertEquals(outcome.answer, answer);
      return outcome.answer;
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a recording that is cut at or inside any line gives the answer or says what to do", () =>
  withRecording(async (lines, replay) => {
    assertEquals(typeof await replay(lines.join(""), "whole"), "string");
    let cut = 0;
    for (const [i, line] of lines.entries()) {
      const before = lines.slice(0, i).join("");
      for (let n = 0; n < PLACES_IN_A_LINE; n++) {
        const at = Math.floor(n * line.length / PLACES_IN_A_LINE);
        const outcome = await replay(before + line.slice(0, at), `line ${i + 1}, byte ${at}`);
        // What was asked before, with the same reply, is still there.
        if (!(outcome instanceof Error)) continue;
        cut++;
        const isHeader = i === 0;
        assert(outcome instanceof (isHeader ? RecordingError : NotRecordedError), `${outcome}`);
        assertStringIncludes(outcome.message, "--record FILE");
      }
    }
    assert(cut > 4 * PLACES_IN_A_LINE, `${cut} cuts were noticed`);
  }));

Deno.test("a line that is cut, with others behind it, is named", () =>
  withRecording(async (lines, replay) => {
    for (const i of lines.keys()) {
      const damaged = lines.with(i, `${lines[i]!.slice(0, lines[i]!.length / 2)}\n`);
      const outcome = await replay(damaged.join(""), `line ${i + 1}`);
      assert(outcome instanceof RecordingError, `line ${i + 1}: ${outcome}`);
      assertEquals(outcome.line, i + 1);
    }
  }));

Deno.test("a recording without one of its exchanges says which is missing", () =>
  withRecording(async (lines, replay) => {
    let missing = 0;
    for (let i = 1; i < lines.length; i++) {
      const { command } = JSON.parse(lines[i]!);
      const outcome = await replay(lines.toSpliced(i, 1).join(""), `without ${command}`);
      // What was asked twice, with the same reply, is still there.
      if (!(outcome instanceof Error)) continue;
      assert(outcome instanceof NotRecordedError, `${outcome}`);
      assertStringIncludes(outcome.message, `no reply to "${command}"`);
      missing++;
    }
    assert(missing >= 3, `${missing} of ${lines.length} were missed`);
  }));

Deno.test("a recording too long to be read is refused before it is read", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.truncate(path, 100e9); // What is not written takes no space.
    const open = () => connect(`replay:${path}`);
    await assertRejects(open, RecordingError, "record less in one session");
  } finally {
    await Deno.remove(path);
  }
});

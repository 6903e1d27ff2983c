import { assert, assertStringIncludes } from "@std/assert";
import type { Helper } from "../../src/repl/helper.ts";
import type { TestPrompt } from "./_prompt.ts";

/** One input of a transcript, what it prints, and whether Ctrl-C ends it. */
interface Exchange {
  input: string;
  output: string[];
  interrupted: boolean;
}

function exchanges(transcript: string): Exchange[] {
  const all: Exchange[] = [];
  for (const line of transcript.trim().split("\n")) {
    const last = all.at(-1);
    if (line.startsWith("> ")) all.push({ input: line.slice(2), output: [], interrupted: false });
    else if (line === "^C") last!.interrupted = true;
    else last!.output.push(line);
  }
  return all;
}

/** An expected text as a pattern: `…` on a line of its own stands for lines, within one for characters. */
function pattern(lines: readonly string[]): RegExp {
  const escaped = lines.map((line) => `${RegExp.escape(line)}\n`).join("");
  const ellipsis = RegExp.escape("…");
  const source = escaped
    .replaceAll(new RegExp(`(?<=^|\n)${ellipsis}\n`, "g"), () => "(?:.*\n)*")
    .replaceAll(ellipsis, () => ".*");
  return new RegExp(`^${source}$`);
}

/** Enters what a helper's help shows, and requires that it prints what is shown there. */
export async function checkTranscript(helper: Helper, prompt: TestPrompt): Promise<void> {
  const steps = exchanges(helper.example);
  assert(steps.length > 0);
  assertStringIncludes(steps.map((step) => step.input).join("\n"), helper.name);
  for (const { input, output, interrupted } of steps) {
    const running = prompt.enter(input);
    if (interrupted) {
      while (!pattern(output).test(prompt.printed)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      prompt.interrupt();
    }
    const printed = await running;
    assert(
      pattern(output).test(printed),
      `> ${input}\n${printed}\nshould be\n${output.join("\n")}`,
    );
  }
}

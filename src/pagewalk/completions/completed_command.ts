import { describeCommands } from "../describe.ts";

/** An option as a shell completes it. */
export interface CompletedOption {
  /** Its name, without dashes. */
  readonly name: string;
  /** What it does. */
  readonly purpose: string;
  /** What its value may be: nothing for a flag, a file, one of some words, or anything. */
  readonly value: "none" | "file" | "any" | readonly string[];
  /** What stands for the value, if it has one. */
  readonly placeholder: string;
}

/** A subcommand as a shell completes it. */
export interface CompletedCommand {
  /** What is typed after `pagewalk`. */
  readonly name: string;
  /** What it does. */
  readonly purpose: string;
  /** Its options. */
  readonly options: readonly CompletedOption[];
  /** The words that its first argument may be, if it is one of a few. */
  readonly words: readonly string[];
}

/** All subcommands, from what each says of itself. */
export async function completedCommands(): Promise<CompletedCommand[]> {
  const described = await describeCommands();
  const commands = described.map(({ name, spec }) => ({
    name,
    purpose: spec.purpose,
    options: [
      ...Object.entries(spec.options).map(([option, each]) => ({
        name: option,
        purpose: each.purpose,
        ...each.kind === "flag"
          ? { value: "none" as const, placeholder: "" }
          : { value: valueOf(each.placeholder), placeholder: each.placeholder },
      })),
      { name: "help", purpose: "print this text", value: "none" as const, placeholder: "" },
    ],
    words: spec.positionals[0]?.words ?? [],
  }));
  const words = described.map(({ name }) => name);
  return [
    ...commands,
    { name: "help", purpose: "Show the help of a command", options: [], words },
  ];
}

/** What stands for a value says what it may be: `FILE`, `cleared|set`, `N`. */
function valueOf(placeholder: string): CompletedOption["value"] {
  if (/FILE|DIR|PATH/.test(placeholder)) return "file";
  const words = placeholder.split("|");
  return words.length > 1 && words.every((word) => /^[\w.-]+$/.test(word)) ? words : "any";
}

/** What comes before the times that a shell tells of its children. */
const MARK = "pagewalk-unit-times";

/** Runs a program with its arguments, and then tells the processor time of it and of what it waited for. */
const SCRIPT = `"$0" "$@"; code=$?; echo; echo ${MARK}; times; exit $code`;

/** A command that does what another one does, and tells its processor time at the end of its output. */
export function timed(program: string, args: readonly string[]): [string, string[]] {
  if (Deno.build.os === "windows") return [program, [...args]];
  return ["sh", ["-c", SCRIPT, program, ...args]];
}

/** Takes the times out of such an output: null if there are none, as when the shell was killed. */
export function splitTimes(output: string): { output: string; cpuMs: number | null } {
  // POSIX: the shell's own times stand in the first line, those of its children in the second.
  const pattern = new RegExp(
    `\\n${MARK}\\n\\S+ \\S+\\n(\\d+)m([\\d.]+)s (\\d+)m([\\d.]+)s\\n`,
  );
  const found = pattern.exec(output);
  if (found === null) return { output, cpuMs: null };
  const [text, ...times] = found;
  const [minutes, seconds, systemMinutes, systemSeconds] = times.map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return {
    output: output.replace(text, ""),
    cpuMs: Math.round(1000 * (60 * (minutes + systemMinutes) + seconds + systemSeconds)),
  };
}

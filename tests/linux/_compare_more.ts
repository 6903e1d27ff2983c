/** More of what pagewalk reads of a Linux guest, held against what the guest says of itself. */
import { kernelModules, type LinuxGuest, readProcessFiles } from "../../src/entries/linux.ts";
import { type Comparison, type GuestShell, kallsyms } from "./_compare.ts";

/** Compares the modules with /proc/modules, and their symbols with /proc/kallsyms. */
export async function compareModules(guest: GuestShell, linux: LinuxGuest): Promise<Comparison> {
  const modules = kernelModules(linux);
  const hex = (address: bigint) => address.toString(16).padStart(16, "0");
  const listed = (await modules.list()).map(({ name, lengthBytes, state, base }) =>
    `${name} ${lengthBytes} ${state} 0x${hex(base)}`
  );
  const theirs = linesOf(await guest.shell("cat /proc/modules")).map((line) =>
    line.toLowerCase().split(" ")
  )
    .map(([name, bytes, , , state, base]) => `${name} ${bytes} ${state} ${base}`);
  const differences = listed.join() === theirs.join() ? [] : [`${listed}, not ${theirs}`];

  const { symbols, unread } = await modules.symbols();
  differences.push(...unread.map(({ error }) => error.message));
  const mine = symbols.map(({ address, type, name, module }) =>
    `${hex(address)} ${type.toLowerCase()} ${name} [${module}]`
  );
  // Programs in the kernel, and what ftrace makes, have a name there too, and are no modules.
  // A capital letter there says that the symbol is exported.
  const ofModules = (await kallsyms(guest)).filter(({ line }) => line.includes("["));
  const lines = ofModules.map(({ line }) =>
    line.trim().replace("\t", " ").replace(/ [A-Z] /, (letter) => letter.toLowerCase())
  )
    .filter((line) => !/\[(bpf|__builtin__\w+)\]$/.test(line));
  const missing = new Set(lines);
  for (const line of mine) {
    if (!missing.delete(line)) differences.push(`${line} is not in /proc/kallsyms`);
  }
  for (const line of missing) differences.push(`${line} was not found`);
  // Each by its address: the name may be another one's that begins there.
  for (const { address } of symbols.filter((_, i) => i % 50 === 0)) {
    const at = await modules.symbolAt(address + 1n);
    if (at === null || at.address > address + 1n) differences.push(`${hex(address)} has no symbol`);
  }
  return { compared: lines.length, differences };
}

/** The lines of a text: none of an empty one. */
function linesOf(text: string): string[] {
  return text.trim() === "" ? [] : text.trim().split("\n");
}

/** Compares what processes have open with the links in /proc/PID/fd. */
export async function compareFiles(guest: GuestShell, linux: LinuxGuest): Promise<Comparison> {
  // The shell that is asked opens others to do it.
  const shell = (await guest.shell("echo $$")).trim();
  const links = async () => {
    const text = await guest.shell("cd /proc; ls -l [1-9]*/fd 2>/dev/null; cd /");
    return text.split(/^(?=\d+\/fd:$)/m).flatMap((block) => {
      const [folder, ...lines] = block.split("\n");
      const pid = folder!.split("/")[0]!;
      return pid === shell ? [] : lines.flatMap((line) => {
        const [, fd, path] = / (\d+) -> (.*)$/.exec(line) ?? [];
        return fd === undefined ? [] : [`${pid}/fd/${fd} ${path}`];
      });
    });
  };
  const before = await links();
  const found = await readProcessFiles(linux);
  const after = new Set(await links());
  const mine = new Set(
    found.filter(({ process: { pid } }) => String(pid) !== shell).flatMap((
      { process: { pid }, files },
    ) => files.map(({ fd, path }) => `${pid}/fd/${fd} ${path}`)),
  );
  const differences = found.flatMap(({ error }) => error ? [error.message] : []);
  // What was opened or closed meanwhile may be in the list or not.
  const lasting = before.filter((line) => after.has(line));
  for (const line of lasting) if (!mine.has(line)) differences.push(`${line} was not found`);
  for (const line of mine) {
    if (!before.includes(line) && !after.has(line)) differences.push(`${line} is in no /proc`);
  }
  return { compared: lasting.length, differences };
}

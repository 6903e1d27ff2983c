/**
 * Lists what the processes of a Linux guest have open, by name: who holds a device, a socket or a file.
 *
 *     deno run --allow-net=127.0.0.1:1334 files.ts 1334 --path "/dev/vfio/*"
 */
import * as globs from "node:path";
import { type ProcessFiles, readProcessFiles } from "@pagewalk/pagewalk/linux";
import { openFileLine, openFilesHead } from "@pagewalk/pagewalk/report";
import {
  CONNECT_OPTIONS,
  connectTo,
  escapeMessage,
  flag,
  LineWriter,
  MONITOR,
  PROCESS_OPTIONS,
  processChoice,
  runCommand,
  toJson,
  value,
} from "@pagewalk/pagewalk/cli";

await runCommand({
  name: "files.ts",
  purpose: "List the open files of a Linux guest's processes: of all, or of one",
  positionals: [MONITOR],
  options: {
    path: value("GLOB", 'only files with such a path, such as "/dev/vfio/*"', (text) => text),
    ...PROCESS_OPTIONS,
    json: flag("print one JSON object per line"),
    ...CONNECT_OPTIONS,
  },
  examples: ['1334 --path "/dev/vfio/*"', "1334 --pid 84", "1334 --cgroup 4f2a --json"],
  exits: { 2: "the files of some process could not be read" },
}, async ({ positionals: [monitor], options }) => {
  const wanted = processChoice(options);
  await using guest = await connectTo(monitor!, options);
  const linux = await guest.linux();
  const processes = wanted === undefined ? undefined : [await linux.process(wanted)];
  const found = (await readProcessFiles(linux, processes)).map((each) =>
    filtered(each, options.path)
  );
  const unread = found.filter(({ error }) => error !== null);
  for (const { process: { pid, comm }, error } of unread) {
    console.error(
      `note: ${
        escapeMessage(`the files of pid ${pid} ${comm} could not be read: ${error!.message}`)
      }`,
    );
  }
  if (options.json) {
    using out = new LineWriter();
    for (const { process: { pid, comm }, files } of found) {
      for (const file of files) out.line(toJson({ process: { pid, comm }, ...file }));
    }
  } else {
    const lines = found.flatMap(({ process, files }) =>
      files.map((file) => openFileLine(process, file))
    );
    console.log([openFilesHead(), ...lines].join("\n"));
  }
  return unread.length > 0 ? 2 : 0;
});

/** Only files with a path that fits; one whose path cannot be read may be any. */
function filtered({ files, ...rest }: ProcessFiles, glob: string | undefined): ProcessFiles {
  if (glob === undefined) return { files, ...rest };
  return {
    ...rest,
    files: files.filter(({ path }) => path === null || globs.matchesGlob(path, glob)),
  };
}

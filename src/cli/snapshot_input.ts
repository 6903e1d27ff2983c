import type { Snapshot } from "../snapshot/snapshot.ts";
import type { Positional } from "./command_spec.ts";
import { readFileInput } from "./file_input.ts";

const ENDING = ".pwsnap";

/** The argument of a script that takes a running guest or a snapshot. */
export const GUEST_OR_SNAPSHOT: Positional = {
  name: "guest",
  purpose: "a monitor such as 1334, or a snapshot (*.pwsnap)",
  isEndpoint: true,
};

/** Whether an argument names a snapshot's file, and not a guest. */
export function isSnapshotFile(argument: string): boolean {
  return argument.endsWith(ENDING);
}

/**
 * Reads a snapshot from a file.
 *
 * @throws {InvalidArgumentError} if there is no such file, or it may not be read
 * @throws {SnapshotError} if the file holds none
 */
export async function readSnapshot(file: string): Promise<Snapshot> {
  const bytes = await readFileInput(file);
  // Loaded here: most scripts read no snapshot.
  const { decodeSnapshot } = await import("../snapshot/file.ts");
  return await decodeSnapshot(bytes);
}

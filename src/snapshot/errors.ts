import { PagewalkError } from "../core/errors.ts";

/** A file that is not a snapshot, is damaged, or was written by a later version. */
export class SnapshotError extends PagewalkError {}

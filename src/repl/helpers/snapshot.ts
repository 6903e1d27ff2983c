import type { Snapshot } from "../../../mod.ts";
import { escapeText } from "../../core/escape.ts";
import type { Style } from "../../report/style.ts";
import type { GuestSnapshotOptions } from "../../session/ranges.ts";
import type { Helper } from "../helper.ts";
import { groupHex } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";
import { chosen } from "./walk.ts";

/** `snapshot(options)`. */
export const SNAPSHOT: Helper = {
  name: "snapshot",
  usage: "snapshot(options?)",
  purpose: "keep the tables as they are now, to compare later",
  notes: [
    "options: range, maxTables, and whose tables, as with walk. A running guest may change them",
    "meanwhile; session.frozen(() => session.snapshot()) pauses it for that time.",
  ],
  example: `
> const before = snapshot()
> before
4-level paging, root 0x510_0000 of sim:, taken at …
> diff(before)
no differences
`,
  create: (repl) => async (options: GuestSnapshotOptions = {}) => {
    const { signal, onProgress } = repl;
    const taken = await repl.guest.use((session, choice) =>
      session.snapshot({
        signal,
        ...onProgress && { onProgress },
        ...chosen(options, choice),
        ...options,
      })
    );
    return showAs(taken, snapshotText);
  },
};

function snapshotText({ context, source, takenAt, isWhole }: Snapshot, style: Style): string {
  const part = isWhole ? "" : `; ${style.bad("not whole")}: maxTables allows more`;
  return `${context.mode} paging, root ${style.value(groupHex(context.root))} of ${
    escapeText(source)
  }, taken at ` +
    `${takenAt.toISOString()}${part}`;
}

import type { FieldChange } from "../../translate/entry_diff.ts";
import type { Walk } from "../../translate/walk.ts";
import type { Style } from "../../report/style.ts";
import type { WatchEvent } from "../../session/watch.ts";
import { entryText } from "./entry_text.ts";
import { groupHex } from "./group_hex.ts";
import { walkText } from "./walk_text.ts";

/** Writes what a watch saw: the walk at first, then the bits that flipped, each with its time. */
export function watchText({ timeMs, walk, changes }: WatchEvent<Walk>, style: Style): string {
  const time = style.faint(new Date(timeMs).toISOString().slice(11, 23));
  if (changes.length === 0) return `${time} ${walkText(walk, style)}`;
  return changes.map(({ name, before, address, fields }) => {
    const now = walk.steps.find((step) => step.address === address);
    const flips = fields.map(fieldText).join(", ");
    return `${time} ${name} ${groupHex(before)} -> ${style.strong(flips)}` +
      (now ? `\n             ${entryText(now, style)}` : "");
  }).join("\n");
}

function fieldText({ name, linuxName, width, before, after }: FieldChange): string {
  const value = (field: bigint) => width === 1 ? String(field) : groupHex(field);
  return `${linuxName ?? name} ${value(before)} -> ${value(after)}`;
}

import { escapeText } from "../../core/escape.ts";
import { describeFault } from "../../translate/address_space.ts";
import type { NotPresentContent, PageTableEntry } from "../../translate/entry.ts";
import { describeNotPresent } from "../../translate/describe_not_present.ts";
import type { Right } from "../../translate/rights.ts";
import { entryNameOf, spanAt } from "../../translate/regime.ts";
import type { MappedWalk, Walk } from "../../translate/walk.ts";
import { RIGHT_WORDS } from "../../report/right_words.ts";
import { formatSize } from "../../report/size.ts";
import type { Style } from "../../report/style.ts";
import type { GuestWalk } from "../../session/guest_walk.ts";
import { describeSource } from "../../session/table_choice.ts";
import { type Cell, cell, columns, numberCell } from "./columns.ts";
import { flagsText } from "./flags_text.ts";
import { groupHex } from "./group_hex.ts";

const RIGHT_LETTERS: Record<Right, string> = {
  user: "U",
  readable: "R",
  writable: "W",
  executable: "X",
};
const PROCESS_HINT =
  'Page tables are private to each process: help("root") says how to choose another one';

/**
 * Writes a walk as a table, one line a level, with the level that decides each right, and then what it
 * comes to.
 *
 * @param content what the last entry means, if it is not present and the guest's kernel is known
 */
export function walkText(
  walk: Walk & Partial<GuestWalk>,
  style: Style,
  content?: NotPresentContent,
): string {
  const source = walk.source ? ` (${escapeText(describeSource(walk.source))})` : "";
  const title = `${groupHex(walk.address)} in ${walk.mode} paging, root ${groupHex(walk.root)}`;
  const lines = [style.strong(title) + source];
  if (walk.steps.length > 0) lines.push(stepTable(walk, style));
  lines.push(...outcomeLines(walk, style, content));
  if (walk.changedDuringWalk) {
    lines.push(style.bad("The guest changed these tables during the walk: walk again"));
  }
  return lines.join("\n");
}

function stepTable(walk: Walk, style: Style): string {
  const digits = (spanAt(walk.regime, walk.address)?.entryBytes ?? 8) * 2;
  const heads = ["level", "index", "at", "entry", "flags"];
  if (walk.outcome === "mapped") heads.push("decides");
  const head = heads.map((text, i) =>
    i === 1 ? numberCell(text, style.faint) : cell(text, style.faint)
  );
  const rows = walk.steps.map((entry): Cell[] => [
    cell(entry.name),
    numberCell(String(entry.index)),
    cell(groupHex(entry.address)),
    cell(groupHex(entry.raw, digits), style.value),
    cell(flagsText(entry), entry.kind === "notPresent" ? style.bad : undefined),
    cell(decidesText(walk, entry)),
  ]);
  return columns([head, ...rows]);
}

/** The rights that this level decides, such as `U=0 W=1`; of all that grant a right, the last one. */
function decidesText(walk: Walk, entry: PageTableEntry): string {
  if (walk.outcome !== "mapped") return "";
  return walk.regime.rules.rights.names.filter((right) => walk.decidedBy[right] === entry.level)
    .map((right) => `${RIGHT_LETTERS[right]}=${walk.effective[right] ? 1 : 0}`)
    .join(" ");
}

function outcomeLines(
  walk: Walk & Partial<GuestWalk>,
  style: Style,
  named?: NotPresentContent,
): string[] {
  if (walk.outcome === "mapped") {
    const page = `${formatSize(walk.pageSizeBytes)} page`;
    const remark = walk.regime.rules.mayFault?.(walk.leaf);
    return [
      `${style.good("mapped")} to ${groupHex(walk.physicalAddress)}, ${page}: ${rightsText(walk)}`,
      ...remark === undefined ? [] : [remark],
    ];
  }
  if (walk.outcome === "noTables") return [`${style.bad("no tables")}: ${describeFault(walk)}`];
  const fault = `${style.bad("not mapped")}: ${describeFault(walk)}`;
  if (walk.outcome !== "notPresent") return [fault];
  const content = named ?? walk.regime.rules.absentContent(walk.entry.raw, walk.level);
  const lines = [`${fault} (${describeNotPresent(content, groupHex)})`];
  // A process that was chosen has no other tables.
  if (content.kind === "empty" && walk.source?.kind !== "process") {
    lines.push(style.faint(PROCESS_HINT));
  }
  return lines;
}

/**
 * The effective rights in words; where the last entry says otherwise, who overrules it. Under KPTI the
 * kernel's root forbids to execute what the user's root allows.
 */
function rightsText(walk: MappedWalk): string {
  return walk.regime.rules.rights.names.map((right) => {
    const word = `${RIGHT_WORDS[right]} ${walk.effective[right] ? "yes" : "no"}`;
    if (walk.leaf[right] === walk.effective[right]) return word;
    if (walk.effective[right]) return `${word} (by the user's root)`;
    const { regime, decidedBy } = walk;
    const decider = entryNameOf(regime, decidedBy[right] ?? decidedBy.present);
    const leaf = entryNameOf(regime, decidedBy.present);
    return `${word} (${decider} decides, ${leaf} allows it)`;
  }).join(", ");
}

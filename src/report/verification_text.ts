import { formatAddress } from "../core/address.ts";
import { escapeMessage, escapeText } from "../core/escape.ts";
import { checkOptions, TEXT } from "../core/options.ts";
import type { PageTableEntry } from "../translate/entry.ts";
import { entryNameOf } from "../translate/regime.ts";
import type { MappedWalk, Walk } from "../translate/walk.ts";
import type { Verdict } from "../verify/verdict.ts";
import { formatSize } from "./size.ts";

/** What the text says besides the verdict. */
export interface VerificationTextOptions {
  /** Whose table it is, such as `vCPU 0`. */
  readonly source: string;
}

/**
 * Writes a verification as the lines that users of the original script know: the root, the indexes,
 * each entry with the base it points to, the analysis, and the result. They are grouped in sections,
 * and each section is one string of several lines.
 *
 * @example Usage
 * ```ts
 * import { connect } from "@pagewalk/pagewalk";
 * import { verificationText } from "@pagewalk/pagewalk/report";
 * import { assertEquals } from "@std/assert";
 *
 * await using guest = await connect("sim:");
 * const text = verificationText(await guest.verify(0x7f1234567000n), { source: "vCPU 0" });
 * assertEquals(text.split("\n").at(-1), "[+] Verification PASSED: _PAGE_USER bit is cleared");
 * ```
 */
export function verificationText(verdict: Verdict, options: VerificationTextOptions): string {
  checkOptions(options, "the options of the text", { source: TEXT });
  const { walk } = verdict;
  const { rootName } = walk.regime.rules;
  const sections = [
    [
      `[+] ${rootName} (Page Table Base): ${formatAddress(walk.root)} (${
        escapeText(options.source)
      })`,
    ],
    [
      `[+] Resolving PTE for virtual address ${formatAddress(walk.address)}`,
      ...indexLines(walk),
      ...entryLines(walk),
    ],
    analysisLines(walk),
    resultLines(verdict),
  ];
  return sections.map((lines) => lines.join("\n")).join("\n\n");
}

/** Where a page is not marked as the user's by a bit. */
const NO_USER_BIT = { name: "user", mask: 0n };

function indexLines(walk: Walk): string[] {
  return walk.steps.map(({ name, index }) => `    ${name} index: ${index}`);
}

function entryLines(walk: Walk): string[] {
  return walk.steps.flatMap((entry) => {
    if (entry.kind === "table" && !entry.reservedBits) {
      return [
        `    ${entry.name} entry: ${formatAddress(entry.raw)}, base: ${formatAddress(entry.frame)}`,
      ];
    }
    const name = entryName(walk, entry);
    return [
      `    ${name} address: ${formatAddress(entry.address)}`,
      `    ${name} value: ${formatAddress(entry.raw)}`,
    ];
  });
}

function analysisLines(walk: Walk): string[] {
  const last = walk.steps.at(-1);
  const name = last ? entryName(walk, last) : "PTE";
  const title = `[+] ${name} Analysis:`;
  if (walk.outcome !== "mapped") {
    if (walk.outcome === "noTables") return [title, "    Present: no entry was read"];
    if (walk.outcome === "reservedBits") {
      return [
        title,
        "    Present: True",
        `    Reserved bits set: ${formatAddress(walk.entry.reservedBits)}`,
      ];
    }
    return [title, `    Present: ${walk.outcome === "unreadable" ? "Unknown" : "False"}`];
  }
  const user = walk.leaf.user;
  const { name: bit, mask } = walk.regime.rules.rights.bits.user ?? NO_USER_BIT;
  return [
    title,
    "    Present: True",
    `    ${bit} bit: ${user ? "SET (user page)" : "CLEARED (kernel page)"}`,
    `    ${bit} value: ${formatAddress((last?.raw ?? 0n) & mask)}`,
    `    Page: ${formatAddress(walk.physicalAddress)}, ${formatSize(walk.pageSizeBytes)}`,
    `    Effective rights: ${effectiveText(walk)}`,
  ];
}

function effectiveText(walk: MappedWalk): string {
  const { effective, leaf, decidedBy } = walk;
  return ([["user", "user"], ["writable", "write"], ["executable", "execute"]] as const)
    .map(([right, word]) => {
      const yes = effective[right] ? "yes" : "no";
      if (leaf[right] === effective[right]) return `${word} ${yes}`;
      return `${word} ${yes} (${entryNameOf(walk.regime, decidedBy[right])} decides)`;
    })
    .join(", ");
}

function resultLines({ verdict, reason: why, walk, expectation }: Verdict): string[] {
  const reason = escapeMessage(why);
  if (walk.outcome === "mapped" && isUserQuestion(expectation)) {
    return userResultLines(verdict, reason, walk);
  }
  switch (verdict) {
    case "pass":
      return [`[+] Verification PASSED: ${reason}`];
    case "fail":
      return [`[-] Verification FAILED: ${reason}`];
    case "inconclusive":
      return [`[-] Verification INCONCLUSIVE: ${reason}`];
  }
}

function isUserQuestion({ scope = "leaf", ...rights }: Verdict["expectation"]): boolean {
  return scope === "leaf" && rights.user !== undefined && rights.writable === undefined &&
    rights.executable === undefined;
}

/** The seed's own result lines, and a note where the leaf alone does not tell the whole story. */
function userResultLines(verdict: string, reason: string, walk: MappedWalk): string[] {
  if (verdict === "inconclusive") return [`[-] Verification INCONCLUSIVE: ${reason}`];
  const passed = verdict === "pass";
  const state = walk.leaf.user ? "set" : "cleared";
  const { name: bit, mask } = walk.regime.rules.rights.bits.user ?? NO_USER_BIT;
  const detail = walk.leaf.user ? `set (${formatAddress(mask)})` : "cleared (kernel page)";
  const still = passed ? "" : "still ";
  const note = walk.leaf.user && !walk.effective.user ? [`[!] Note: ${reason}`] : [];
  return [
    `${passed ? "[+] SUCCESS" : "[-] FAIL"}: ${bit} bit is ${still}${detail}`,
    ...note,
    passed
      ? `[+] Verification PASSED: ${bit} bit is ${state}`
      : `[-] Verification FAILED: ${bit} bit is ${still}${state}`,
  ];
}

function entryName(walk: Walk, entry: PageTableEntry): string {
  return entryNameOf(walk.regime, entry.level);
}

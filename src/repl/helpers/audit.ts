import type { AuditAllRecord } from "../../session/audit_all.ts";
import type { GuestAuditOptions } from "../../session/ranges.ts";
import { tallied } from "../all.ts";
import type { Helper } from "../helper.ts";
import { asRows } from "../show/rows.ts";
import { chosen } from "./walk.ts";

/** Which tables to audit, or all. */
interface AuditHelperOptions extends GuestAuditOptions {
  readonly all?: boolean;
  readonly dma?: boolean;
}

type Found = Extract<AuditAllRecord, { kind: "finding" }>;
type Finding = Found["finding"];

/** `audit(options)`. */
export const AUDIT: Helper = {
  name: "audit",
  usage: "audit(options?)",
  purpose: "look for suspicious entries in the tables",
  notes: [
    "Returns an array of findings, each with rule, severity, address and evidence. options: range,",
    "maxTables, and whose tables, as with walk. all: true audits all processes of a Linux guest,",
    "dma: true what all devices behind an IOMMU reach.",
  ],
  example: `
> audit({ range: { start: 0x7f6000000000, lengthBytes: 1 << 30 } })
high   table-outside-ram: 0x7f6000000000 (1 GiB): An entry points to a table outside RAM; …
1 high, 0 medium, 0 low
> audit().find(({ severity }) => severity === "high").rule
table-outside-ram
`,
  create: (repl) => async ({ all, dma, ...options }: AuditHelperOptions = {}) => {
    const { auditSummary, findingLine } = await import("../../report/audit_text.ts");
    const { signal, onProgress } = repl;
    if (all) {
      const { allTallyText } = await import("../../report/all_text.ts");
      return await repl.guest.use(async (session) => {
        const { rows, tally } = await tallied<Found, Finding>(
          session.auditAll({ ...options as object, signal }),
          ({ finding }) => finding,
        );
        const foot = (findings: readonly Finding[]) =>
          `${allTallyText(tally, "audited")}\n${auditSummary(countsOf(findings))}`;
        return asRows(rows, { line: findingLine, foot });
      });
    }
    return await repl.guest.use(async (session, choice) => {
      const list = { signal, ...onProgress && { onProgress } };
      const found = dma
        ? session.auditDma({ ...list, ...options })
        : session.audit({ ...list, ...chosen(options, choice), ...options });
      return asRows(await Array.fromAsync(found), {
        line: findingLine,
        foot: (findings) => auditSummary(countsOf(findings)),
      });
    });
  },
};

function countsOf(findings: readonly Finding[]) {
  const counts = { high: 0, medium: 0, low: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

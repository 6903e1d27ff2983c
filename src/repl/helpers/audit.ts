import type { GuestAuditOptions } from "../../session/ranges.ts";
import type { Helper } from "../helper.ts";
import { asRows } from "../show/rows.ts";
import { chosen } from "./walk.ts";

/** `audit(options)`. */
export const AUDIT: Helper = {
  name: "audit",
  usage: "audit(options?)",
  purpose: "look for suspicious entries in the tables",
  notes: [
    "Returns an array of findings, each with rule, severity, address and evidence. options: range,",
    "maxTables, and whose tables, as with walk. audit({ dma: true }): what all devices reach.",
  ],
  example: `
> audit({ range: { start: 0x7f6000000000, lengthBytes: 1 << 30 } })
high   table-outside-ram: 0x7f6000000000 (1 GiB): An entry points to a table outside RAM; …
1 high, 0 medium, 0 low
> audit().find(({ severity }) => severity === "high").rule
table-outside-ram
`,
  create: (repl) => async ({ dma, ...options }: GuestAuditOptions & { dma?: boolean } = {}) => {
    const { auditSummary, findingLine } = await import("../../report/audit_text.ts");
    const { signal, onProgress } = repl;
    return await repl.guest.use(async (session, choice) => {
      const list = { signal, ...onProgress && { onProgress } };
      const found = dma
        ? session.auditDma({ ...list, ...options })
        : session.audit({ ...list, ...chosen(options, choice), ...options });
      return asRows(await Array.fromAsync(found), {
        line: findingLine,
        foot(findings) {
          const counts = { high: 0, medium: 0, low: 0 };
          for (const { severity } of findings) counts[severity]++;
          return auditSummary(counts);
        },
      });
    });
  },
};

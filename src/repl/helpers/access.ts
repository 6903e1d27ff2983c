import type { AddressLike } from "../../core/address.ts";
import type { GuestAccess, GuestAccessVerdict } from "../../arch/access_rule.ts";
import type { Access } from "../../arch/default_types.ts";
import type { DmaVerdict } from "../../iommu/access.ts";
import type { Style } from "../../report/style.ts";
import type { GuestWalkOptions } from "../../session/guest_walk.ts";
import type { Helper } from "../helper.ts";
import { groupHex } from "../show/group_hex.ts";
import { showAs } from "../show/renderers.ts";
import { chosen } from "./walk.ts";

/** `access(va, {…})`. */
export const ACCESS: Helper = {
  name: "access",
  usage: "access(va, how?)",
  purpose: "whether an access succeeds, or which fault it raises",
  addresses: [0],
  notes: [
    "how: any of cpl: 0 (the default) to 3, write, fetch, alignmentCheck (lifts SMAP), pkru, pkrs.",
    'On RISC-V: privilege: "U", "S" (the default) or "M", write, fetch, sum, mxr, hardwareSetsBits.',
    "A third argument chooses other tables than the prompt's, as with walk; for a device: write.",
  ],
  example: `
> access(0x7f1234567000, { cpl: 3 })
#PF, error code 0x5 (P U/S): user mode may not touch a supervisor page
> access(0x7f1234577000, { cpl: 3, write: true })
goes through, to 0x1_1007_9000
> access(0x7f1234577000)
#PF, error code 0x1 (P): SMAP: the supervisor may not touch a user page while RFLAGS.AC is clear
`,
  create:
    (repl) => async (address: AddressLike, how?: GuestAccess, options: GuestWalkOptions = {}) => {
      const verdict = await repl.guest.use((session, choice) =>
        session.access(address, how as Access, {
          signal: repl.signal,
          ...chosen(options, choice),
          ...options,
        })
      );
      return showAs(verdict, accessText);
    },
};

function accessText(verdict: GuestAccessVerdict | DmaVerdict, style: Style): string {
  switch (verdict.outcome) {
    case "blocked":
      return `${style.bad("blocked")}: ${verdict.reason}`;
    case "ok":
      return `${style.good("goes through")}, to ${groupHex(verdict.physicalAddress)}`;
    case "pageFault": {
      const { error: { code, bits }, reason } = verdict;
      const names = bits.length > 0 ? ` (${bits.join(" ")})` : "";
      // RISC-V has a page fault for each kind of access, and no error code.
      if (bits.length === 1 && bits[0]!.endsWith("page fault")) {
        return `${style.bad(bits[0]!)} (scause ${code}): ${reason}`;
      }
      return `${style.bad("#PF")}, error code ${groupHex(code)}${names}: ${reason}`;
    }
    case "generalProtection":
      return `${style.bad("#GP")}: ${verdict.reason}`;
    case "unknown":
      return `${style.bad("unknown")}: ${verdict.reason}`;
  }
}

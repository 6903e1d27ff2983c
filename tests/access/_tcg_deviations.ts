import type { AccessCase, AccessResult } from "./_access_guest.ts";

/** Where QEMU's TCG leaves the manual, and what it does instead. */
export interface TcgDeviation {
  about: string;
  /** What TCG does where the manual foretells this, or null if it is not concerned. */
  seen(foretold: AccessResult, one: AccessCase): AccessResult | null;
}

const P = 1 << 0;
const RSVD = 1 << 3;
const PK = 1 << 5;

export const TCG_DEVIATIONS: readonly TcgDeviation[] = [
  {
    // SDM vol. 3, 4.7: a reserved bit is looked at in entries that are present only, so P is set.
    // target/i386/tcg/sysemu/excp_helper.c (7.2), do_fault_rsvd: the code starts from RSVD alone.
    about: "a fault by a reserved bit has P clear",
    seen: (foretold) =>
      foretold.went === "fault" && foretold.vector === 14 && foretold.error & RSVD
        ? { ...foretold, error: foretold.error & ~P }
        : null,
  },
  {
    // SDM vol. 3, 4.7: PK says that the key forbids the access, whatever else does. excp_helper.c
    // (7.2), mmu_translate: a user access to a supervisor page faults before its key is looked at.
    about: "a user access to a supervisor page has PK clear",
    seen: (foretold, { user, page }) =>
      foretold.went === "fault" && foretold.vector === 14 && user && !page.user
        ? { ...foretold, error: foretold.error & ~PK }
        : null,
  },
];

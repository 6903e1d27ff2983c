import type { AddressLike } from "../../core/address.ts";
import type { GuestRangeOptions } from "../../session/ranges.ts";
import type { Expectation } from "../../verify/expectation.ts";
import type { Helper } from "../helper.ts";
import { chosen } from "./walk.ts";

/** `verifyRange(start, lengthBytes)`. */
export const VERIFY_RANGE: Helper = {
  name: "verifyRange",
  usage: "verifyRange(start, bytes, expectation?)",
  purpose: "judge every page of a range, such as a DMA buffer",
  notes: [
    "The result has failures and gaps, the first 100 of each; as a fourth argument { keep: 1000 }",
    "keeps more.",
  ],
  example: `
> verifyRange(0x7f1234567000, 0x10000)
[+] CR3 (Page Table Base): 0x5100000 (vCPU 0)
[+] Range 0x7f1234567000-0x7f1234576fff: 64 KiB, 4 tables read
[+] Verification PASSED: 16 of 16 pages pass
> verifyRange(0x7f1234567000, 1 << 20).failed
240
`,
  create: (repl) =>
  (
    start: AddressLike,
    lengthBytes: number,
    expectation?: Expectation,
    options: GuestRangeOptions = {},
  ) =>
    repl.guest.use((session, choice) =>
      session.verifyRange(start, lengthBytes, expectation, {
        signal: repl.signal,
        ...chosen(options, choice),
        ...options,
      })
    ),
};

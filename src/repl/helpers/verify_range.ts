import { InvalidArgumentError } from "../../core/errors.ts";
import type { GuestRangeOptions } from "../../session/ranges.ts";
import type { Expectation } from "../../verify/expectation.ts";
import { addressFrom, rangeFrom } from "../address_argument.ts";
import type { Helper } from "../helper.ts";
import { chosen } from "./walk.ts";

/** `verifyRange(start, lengthBytes)`. */
export const VERIFY_RANGE: Helper = {
  name: "verifyRange",
  usage: "verifyRange(start, bytes, expectation?)",
  purpose: "judge every page of a range, such as a DMA buffer",
  notes: [
    'range: as range() makes it, or a line of maps: verifyRange("7f1234567000-7f1234577000").',
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
  create: (repl) => async (first: unknown, ...others: unknown[]) => {
    const range = await rangeFrom(first, repl);
    const [bytes, expectation, options = {}] = range ? [range.lengthBytes, ...others] : others;
    if (first === undefined || bytes === undefined) {
      throw new InvalidArgumentError(
        "verifyRange needs a start and a length in bytes, or a range: verifyRange(0x7f1234567000, 0x10000)",
        first,
      );
    }
    const start = range ? range.start : await addressFrom(first, repl);
    return await repl.guest.use((session, choice) =>
      session.verifyRange(start, asNumber(bytes), expectation as Expectation | undefined, {
        signal: repl.signal,
        ...chosen(options as GuestRangeOptions, choice),
        ...options as GuestRangeOptions,
      })
    );
  },
};

/** A length, which may have been calculated from addresses. */
function asNumber(lengthBytes: unknown): number {
  return typeof lengthBytes === "bigint" ? Number(lengthBytes) : lengthBytes as number;
}

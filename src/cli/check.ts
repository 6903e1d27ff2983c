/**
 * What a script that checks one page takes, and no more, so that it starts quickly: its arguments, the
 * connection, the verdict, its text and its JSON. `@pagewalk/pagewalk/cli` has the same names, and what
 * scripts that list, watch or compare take; its `connectTo` returns a session that does all of that, too.
 *
 * @module
 */
export { formatAddress } from "../core/address.ts";
export { escapeText } from "../core/escape.ts";
export { toJson, verdictRecord } from "../report/json.ts";
export { verificationText } from "../report/verification_text.ts";
export { notMappedAdvice } from "./not_mapped_advice.ts";
export { xv6WalkText } from "../report/xv6_text.ts";
export { describeSource } from "../session/table_choice.ts";
export { whoMapsIt } from "../session/whose_tables.ts";
export { addressArgument, flag, oneOf } from "./options.ts";
export { connectTo } from "./connect_for_check.ts";
export { exitCodeOf, runCommand } from "./command.ts";
export {
  EXPECT_OPTIONS,
  expectationOf,
  FREEZE_OPTION,
  OUTPUT_OPTIONS,
  reading,
  verdictOutput,
} from "./check_options.ts";
export { ADDRESS, CONNECT_OPTIONS, MONITOR, TABLE_OPTIONS, tableChoice } from "./guest_options.ts";

import type { Helper } from "../helper.ts";
import { BITS } from "./bits.ts";
import { CONNECT } from "./connect.ts";
import { CPUS } from "./cpus.ts";
import { HELP } from "./help.ts";
import { HEX } from "./hex.ts";
import { MONITOR } from "./monitor.ts";
import { PRINT } from "./print.ts";
import { READ } from "./read.ts";
import { REGS } from "./regs.ts";
import { ROOT } from "./root.ts";
import { TRANSLATE } from "./translate.ts";
import { VERIFY } from "./verify.ts";
import { VERIFY_RANGE } from "./verify_range.ts";
import { WALK } from "./walk.ts";
import { WATCH } from "./watch.ts";
import { XP } from "./xp.ts";

/** The helpers that every prompt offers, in the order in which `help()` lists them. */
export const HELPERS: readonly Helper[] = [
  WALK,
  VERIFY,
  VERIFY_RANGE,
  WATCH,
  TRANSLATE,
  READ,
  XP,
  BITS,
  CPUS,
  REGS,
  ROOT,
  MONITOR,
  HEX,
  PRINT,
  CONNECT,
  HELP,
];

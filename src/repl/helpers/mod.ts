import type { Helper } from "../helper.ts";
import { ACCESS } from "./access.ts";
import { ADDRESS } from "./address.ts";
import { ALIASES } from "./aliases.ts";
import { AUDIT } from "./audit.ts";
import { BITS } from "./bits.ts";
import { CONNECT } from "./connect.ts";
import { CPUS } from "./cpus.ts";
import { DIFF } from "./diff.ts";
import { DMESG } from "./dmesg.ts";
import { FILES } from "./files.ts";
import { FRAME } from "./frame.ts";
import { HELP } from "./help.ts";
import { HEX } from "./hex.ts";
import { IOVA } from "./iova.ts";
import { MAPPINGS } from "./mappings.ts";
import { MAPS } from "./maps.ts";
import { MODULES } from "./modules.ts";
import { MONITOR } from "./monitor.ts";
import { OOPS } from "./oops.ts";
import { PID } from "./pid.ts";
import { PRINT } from "./print.ts";
import { PS } from "./ps.ts";
import { RANGE } from "./range.ts";
import { READ } from "./read.ts";
import { REGS } from "./regs.ts";
import { ROOT } from "./root.ts";
import { SNAPSHOT } from "./snapshot.ts";
import { SYM } from "./sym.ts";
import { TRANSLATE } from "./translate.ts";
import { TYPE } from "./type.ts";
import { VERIFY } from "./verify.ts";
import { VERIFY_RANGE } from "./verify_range.ts";
import { WALK } from "./walk.ts";
import { WATCH } from "./watch.ts";
import { X } from "./x.ts";
import { XP } from "./xp.ts";

/** The helpers that every prompt offers, in the order in which `help()` lists them. */
export const HELPERS: readonly Helper[] = [
  WALK,
  VERIFY,
  VERIFY_RANGE,
  WATCH,
  ACCESS,
  TRANSLATE,
  IOVA,
  MAPPINGS,
  ALIASES,
  AUDIT,
  SNAPSHOT,
  DIFF,
  OOPS,
  READ,
  X,
  XP,
  BITS,
  CPUS,
  REGS,
  ROOT,
  MONITOR,
  PS,
  PID,
  MAPS,
  FILES,
  FRAME,
  DMESG,
  MODULES,
  SYM,
  TYPE,
  ADDRESS,
  RANGE,
  HEX,
  PRINT,
  CONNECT,
  HELP,
];

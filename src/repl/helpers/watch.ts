import type { AddressLike } from "../../core/address.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import { ConnectionLostError } from "../../monitor/errors.ts";
import type { TableChoice } from "../../session/table_choice.ts";
import type { WatchOptions } from "../../session/watch.ts";
import { addressFrom } from "../address_argument.ts";
import type { Helper, HelperContext } from "../helper.ts";
import { chosen } from "./walk.ts";

/** `watch(va)`. */
export const WATCH: Helper = {
  name: "watch",
  usage: "watch(va)",
  purpose: "print how an address is mapped, and each change",
  notes: [
    "Until Ctrl-C; in code: for (const event of watch(va)) { …; break }. The guest is never paused.",
    "watch(va, { intervalMs: 100 }) looks less often than every 10 ms.",
  ],
  example: `
> watch(0x7f3000000000)
… 0x7f30_0000_0000 in 4-level paging, root 0x510_0000 (vCPU 0)
level  index  at          entry                  flags          decides
PML4     254  0x510_07f0  0x0000_0000_0510_7007  U W X
PDPT     192  0x510_7600  0x0000_0000_0511_1007  U W X
PD         0  0x511_1000  0x8000_0000_2000_00e7  U W -  A D PS  U=1 W=1 X=0
mapped to 0x2000_0000, 2 MiB page: user yes, write yes, execute no
^C
`,
  create: (repl) => (address: AddressLike, options: TableChoice & WatchOptions = {}) =>
    watchGuest(repl, address, options),
};

async function* watchGuest(
  context: HelperContext,
  given: AddressLike,
  options: TableChoice & WatchOptions,
) {
  if (given === undefined) {
    throw new InvalidArgumentError("watch needs an address: watch(va)", undefined);
  }
  const address = await addressFrom(given, context);
  const { guest, signal } = context;
  const session = await guest.session();
  try {
    yield* session.watch(address, { signal, ...chosen(options, guest.choice), ...options });
  } catch (error) {
    if (error instanceof ConnectionLostError) guest.lose(session);
    throw error;
  }
}

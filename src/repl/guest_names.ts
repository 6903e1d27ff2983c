import { PagewalkError } from "../core/errors.ts";
import type { HelperContext } from "./helper.ts";
import { useLinux } from "./linux.ts";
import { readRegisters } from "./registers.ts";
import { readAddress } from "./screen/address_text.ts";

/**
 * Says what names mean that no variable has: `$rip` a register, `ffffffff81000000` an address,
 * `init_task` a symbol of the guest's Linux. Those that mean nothing are left out.
 *
 * @param called the names that are called as functions, which no symbol can be
 */
export async function guestNames(
  context: HelperContext,
  names: Iterable<string>,
  called: ReadonlySet<string> = new Set(),
): Promise<Map<string, bigint>> {
  const all = [...names];
  const found = await readRegisters(context, all.filter((name) => name.startsWith("$")));
  const symbols: string[] = [];
  for (const name of all) {
    const address = readAddress(name);
    if (address !== undefined) found.set(name, address);
    else if (!name.startsWith("$") && !called.has(name)) symbols.push(name);
  }
  for (const [name, address] of await symbolsIn(context, symbols)) found.set(name, address);
  return found;
}

/** Looks symbols up; a guest without Linux has none. */
async function symbolsIn(
  { guest, isSimulated }: HelperContext,
  names: readonly string[],
): Promise<[string, bigint][]> {
  if (names.length === 0 || isSimulated) return [];
  try {
    return await useLinux(guest, async ({ linux }) => {
      const found = await Promise.all(names.map((name) => linux.symbol(name)));
      return found.flatMap((symbol, i): [string, bigint][] =>
        symbol ? [[names[i]!, symbol.address]] : []
      );
    });
  } catch (error) {
    if (error instanceof PagewalkError) return [];
    throw error;
  }
}

import { assertEquals } from "@std/assert";
import {
  canonicalize,
  connect,
  type ConnectOptions,
  PAGING_MODES,
  type PagingContext,
  readTlb,
  type Session,
} from "../../mod.ts";
import { toJson, walkRecord } from "../../src/report/mod.ts";

/** Has QEMU write a dump; `options` go before the path. */
export async function dumpGuest(live: Session, path: string, options = ""): Promise<void> {
  const said = await live.monitor.command(`dump-guest-memory ${options}${path}`, {
    allowUnsafe: ["dump-guest-memory"],
    timeoutMs: 120_000,
  });
  assertEquals(said, "");
}

/**
 * Requires the same walks from a second connector as from the first: for each row of QEMU's own listing of
 * each vCPU, and for the address after its page. Returns how many were compared.
 */
export async function compareConnectors(live: Session, other: Session, every = 1): Promise<number> {
  let compared = 0;
  for (const { cpu } of await live.allRegisters()) {
    const rows = await readTlb(live.monitor, { cpu, allowUnsafe: ["info tlb"] });
    const [here, there] = [await live.addressSpace({ cpu }), await other.addressSpace({ cpu })];
    // A dump tells neither EFER.NXE nor whether a vCPU was halted, which is in the words of noTables.
    const told = ({ executeDisable: _e, spans: _s, noTables, ...context }: PagingContext) => ({
      ...context,
      noTables: noTables !== undefined,
    });
    assertEquals(told(there.context), told(here.context));
    for (const [i, { virtualAddress }] of (rows ?? []).entries()) {
      if (i % every !== 0) continue;
      const bits = PAGING_MODES[here.context.mode].linearAddressBits;
      for (const address of [virtualAddress, canonicalize(virtualAddress + 4096n, bits)]) {
        const [expected, found] = [await here.walk(address), await there.walk(address)];
        assertEquals(toJson(walkRecord(found)), toJson(walkRecord(expected)));
        compared++;
      }
    }
  }
  return compared;
}

/** The registers that a dump holds, with EFER down to what a dump tells. */
export async function registersOf(session: Session): Promise<unknown[]> {
  const all = await session.allRegisters();
  return all.map(({ halted: _h, smm: _s, eferAssumed: _e, efer, ...rest }) => ({
    ...rest,
    longMode: (efer >> 10n) & 1n,
  }));
}

/** Runs a block on a dump. */
export async function onDump<T>(
  path: string,
  options: ConnectOptions,
  block: (dump: Session) => Promise<T>,
): Promise<T> {
  await using dump = await connect(`dump:${path}`, options);
  return await block(dump);
}

/** Runs a block with a folder of its own. */
export async function inFolder<T>(block: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-dump-" });
  try {
    return await block(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Pages that Linux has marked for NUMA balancing: not present in the tables, and in their frames all the same. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { AddressNamer, type Session } from "../../mod.ts";
import { mappingLine } from "../../src/report/mod.ts";
import type { LabGuest } from "../lab/mod.ts";

/** A second node, without a processor of its own: then a kernel balances. */
export const TWO_NODES = [
  ...["-object", "memory-backend-ram,id=node0,size=512M"],
  ...["-object", "memory-backend-ram,id=node1,size=512M"],
  ...["-numa", "node,nodeid=0,memdev=node0,cpus=0", "-numa", "node,nodeid=1,memdev=node1"],
];

/**
 * Runs with 12 MB that it never touches again, so that a mark stays: in pages of 2 MiB, since small ones that
 * are on the process's own node are left alone (change_pte_range() in mm/mprotect.c).
 */
const PROGRAM = "x=$(head -c 12000000 /dev/zero | tr '\\0' a); while :; do :; done";

const FRAME = (1n << 55n) - 1n;

/** The marks are told from `PROT_NONE`, and their frames are what the guest's pagemap says. */
export async function checkNumaHints(guest: Session, lab: LabGuest): Promise<void> {
  const linux = await guest.linux();
  const pid = Number(
    await lab.shell(`sh -c "${PROGRAM.replaceAll("$", "\\$")}" > /dev/null & echo $!`),
  );
  let hints = 0;
  for (const deadline = performance.now() + 120_000; hints === 0;) {
    assert(performance.now() < deadline, `no page of pid ${pid} is marked`);
    await lab.shell(`kill -CONT ${pid}; sleep 0.5; kill -STOP ${pid}`);
    const process = await linux.process(pid);
    const pages = await Array.fromAsync(linux.areaPages(process, await linux.vmas(process)));
    hints = pages.reduce((sum, { numaHintingBytes }) => sum + numaHintingBytes, 0);
  }
  const tables = await guest.tables({ pid });
  const namer = await AddressNamer.of(linux, tables);
  let compared = 0;
  for await (const record of guest.mappings({}, { notPresent: true, pid })) {
    if (record.kind !== "notPresent" || record.content.kind !== "protNone") continue;
    const { address } = record;
    const named = await namer.complete(record);
    assertStringIncludes(
      mappingLine(named, tables.context),
      "marked for NUMA balancing, keeps frame",
    );
    const raw = await lab.shell(
      `dd if=/proc/${pid}/pagemap bs=8 count=1 skip=${address >> 12n} 2>/dev/null | od -A n -t x8`,
    );
    assertEquals(record.content.frame, (BigInt(`0x${raw.trim()}`) & FRAME) << 12n);
    compared += record.lengthBytes;
  }
  assertEquals(compared, hints);
  console.log(`${compared} bytes marked for NUMA balancing: no difference`);
  // It stays stopped: a shell whose job is killed may drop what it is typed meanwhile.
}

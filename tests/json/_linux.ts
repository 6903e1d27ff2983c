/** Scripts on a Linux guest, and what their JSON must hold there. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { formatAddress } from "../../mod.ts";
import { netTo, runExample } from "../examples/_run.ts";
import type { LabGuest } from "../lab/mod.ts";
import { checkLines } from "./_schema.ts";

/** A command line behind the monitor, and how many objects it prints at least. */
export const LINUX_ROWS: readonly (readonly [command: string, least: number])[] = [
  ["processes.ts --threads --cmdline --cgroup --nspid", 20],
  ["maps.ts target", 10],
  ["files.ts", 10],
  ["modules.ts", 3],
  ["dmesg.ts", 100],
  ["symbols.ts", 10_000],
  ["symbols.ts init_task", 1],
  ["symbols.ts struct:vfio_dma", 1],
  ["iommu.ts", 20],
  ["verify_vfio.ts", 256],
  ["mappings.ts --comm target --not-present", 20],
  ["audit.ts --all", 1],
  ["audit.ts --dma", 1],
  ["frame.ts FRAME", 1],
  ["aliases.ts FRAME --all", 2],
  ["oops.ts --pid 1", 1],
];

const OOPS = `BUG: unable to handle page fault for address: 00007f1234567000
#PF: supervisor read access in kernel mode
#PF: error_code(0x0000) - not-present page
PGD 5107007 P4D 5107007 PUD 5108007 PMD 5109007 PTE 0
`;

/** Runs each with `--json`, and checks every line against the schema. */
export async function checkLinuxJson(lab: LabGuest): Promise<void> {
  const [page] = await lab.pagemap(0);
  const frame = formatAddress(BigInt.asUintN(55, page!.raw) << 12n);
  for (const [command, least] of LINUX_ROWS) {
    const [script, ...args] = command.replace("FRAME", frame).split(" ");
    const ran = await runExample(script!, [`${lab.monitorPort}`, ...args, "--json"], {
      permissions: netTo(lab.monitorPort),
      ...script === "oops.ts" && { stdin: OOPS },
    });
    assert(ran.code < 3, ran.stderr);
    const records = checkLines(script!, ran.stdout);
    assertGreater(records.length, least - 1, command);
    if (least === 1 && !command.startsWith("audit")) assertEquals(records.length, 1, command);
  }
}

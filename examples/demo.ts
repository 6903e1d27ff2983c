/**
 * Shows the main job: is `_PAGE_USER` clear in the entry that maps an address? With QEMU on PATH it
 * boots a guest of a few kilobytes there and asks about that; else about the simulated guest.
 *
 *     deno task demo
 */
import { formatAddress } from "@pagewalk/pagewalk";
import { another, runCommand } from "@pagewalk/pagewalk/cli";
import { qemuAvailable, simulatedGuest, startBareGuest } from "@pagewalk/pagewalk/testing";

/** An address to ask about, and what to expect of it. */
interface Question {
  address: bigint;
  about: string;
}

await runCommand({
  name: "demo.ts",
  purpose: "Show the main job, on QEMU if it is on PATH, else on the simulated guest",
  positionals: [],
  options: {},
  permissions: "-A",
  examples: [""],
}, async () => {
  const qemu = await qemuAvailable();
  if (qemu) {
    console.log(`Found QEMU ${qemu.version}: booting a bare guest with 4-level paging on it.`);
    await using running = await startBareGuest("4-level");
    console.log(
      `It was up after ${
        Math.round(running.bootMs)
      } ms; its monitor is on port ${running.monitorPort}.`,
    );
    const leaves = running.guest.vcpus[0]!.tables!.leaves();
    const first = (test: (leaf: typeof leaves[number]) => boolean) => leaves.find(test)!.va;
    await ask(`${running.monitorPort}`, [
      {
        address: first(({ leaf, decidedBy }) => !leaf.user && decidedBy.user === 1),
        about: "a page whose own entry clears _PAGE_USER",
      },
      {
        address: first(({ effective }) => effective.user),
        about: "a page that user code may touch",
      },
      {
        address: first(({ leaf, effective }) => leaf.user && !effective.user),
        about: "a page whose own entry has the bit, but a parent clears it",
      },
    ]);
  } else {
    console.log(
      "No qemu-system-x86_64 on PATH, so this is the simulated guest, inside this process.",
    );
    const { cleared, stillSet, parentCleared } = simulatedGuest().addresses;
    await ask("sim:", [
      { address: cleared, about: "a DMA page that the kernel patch has cleared" },
      { address: stillSet, about: "a DMA page that it has missed" },
      {
        address: parentCleared,
        about: "a page whose own entry has the bit, but a parent clears it",
      },
    ]);
  }
});

/** Runs the verifier as a user would, with no permission but the one that it needs. */
async function ask(monitor: string, questions: Question[]): Promise<void> {
  const permissions = monitor === "sim:" ? [] : [`--allow-net=127.0.0.1:${monitor}`];
  for (const { address, about } of questions) {
    const args = [monitor, formatAddress(address)];
    const { shown, run } = another(["verify", "examples/qemu_verify_pte.ts"], permissions, args);
    console.log(`\n── ${about} ──\n$ ${shown}`);
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: run,
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    console.log(`(exit ${code})`);
  }
}

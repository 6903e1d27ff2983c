import { ConnectError, connectHmp, type HmpClient, type Monitor, readStatus } from "../../mod.ts";
import { exists, hashOf, withLock } from "./cache.ts";
import { LabError } from "./errors.ts";
import type { LabGuest } from "./guest.ts";
import type { SERIAL_PORTS } from "./qemu_arguments.ts";

/** What a guest had said on its serial ports when it was saved. */
export type SaidBefore = Partial<Record<typeof SERIAL_PORTS[number], readonly string[]>>;

/** A booted guest to resume. */
export interface LabSnapshot {
  /** The file that QEMU wrote. */
  readonly path: string;
  readonly said: SaidBefore;
}

const POLL_MS = 20;

/**
 * Boots a guest once for each kind and saves it, and gives the others to resume: a resumed guest is there in
 * a second, and has all that the first had when its target was ready. The one thing that it lacks is the
 * state of the `edu` device (QEMU saves none of it), whose registers nobody reads.
 *
 * Snapshots are kept in the folder `PAGEWALK_LAB_SNAPSHOTS`; without it, null: every guest boots.
 */
export class LabSnapshots {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static open(): LabSnapshots | null {
    const folder = Deno.env.get("PAGEWALK_LAB_SNAPSHOTS");
    return folder ? new LabSnapshots(folder) : null;
  }

  /** The snapshot of a kind of guest, or the guest that was booted to make it. */
  async get(
    kind: readonly string[],
    boot: () => Promise<LabGuest>,
  ): Promise<LabSnapshot | LabGuest> {
    const path = `${this.#folder}/${(await hashOf(kind)).slice(0, 16)}`;
    // Others who want the same wait, instead of booting it too.
    return await withLock(`${path}.lock`, async () => {
      const record = `${path}.json`;
      if (await exists(record)) {
        return { path, said: JSON.parse(await Deno.readTextFile(record)) as SaidBefore };
      }
      const guest = await boot();
      try {
        if (!await save(guest, path)) return guest;
        const said = {
          console: guest.consoleText.trimEnd().split("\n"),
          target: guest.targetLines,
        };
        await Deno.writeTextFile(record, JSON.stringify(said));
        return guest;
      } catch (error) {
        await guest[Symbol.asyncDispose]();
        throw error;
      }
    });
  }
}

/** QEMU's argument that resumes a guest. */
export function resumeArguments({ path }: LabSnapshot): string[] {
  return ["-incoming", `exec:cat '${path}'`];
}

/** Waits until a guest that resumes runs: what is sent to it earlier is lost. */
export async function untilResumed(monitorPort: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  await using monitor = await connectOnceThere(monitorPort, deadline);
  while (!(await readStatus(monitor)).running) {
    if (performance.now() > deadline) throw new LabError("the guest does not resume");
    await pause();
  }
}

/** Connects to a monitor that QEMU opens after the serial ports, by which one knows that it runs. */
async function connectOnceThere(monitorPort: number, deadline: number): Promise<HmpClient> {
  for (;;) {
    try {
      return await connectHmp(`${monitorPort}`);
    } catch (error) {
      const isEarly = error instanceof ConnectError && error.failure === "refused";
      if (!isEarly || performance.now() > deadline) throw error;
      await pause();
    }
  }
}

/**
 * Resets the SATA controller (AHCI's GHC.HR): SeaBIOS leaves it receiving to an address that the IOMMU knows
 * nothing of, and a QEMU that resumes it would try that again, and give up.
 */
const RESET_SATA = "bar=$(sed -n 6p /sys/bus/pci/devices/0000:00:1f.2/resource); " +
  "devmem $((${bar%% *} + 4)) 32 1";

/**
 * Writes a guest to a file while it runs on; false if QEMU cannot save this machine: it has no state of
 * `amd-iommu`, say, so that such guests boot each time.
 */
async function save(guest: LabGuest, path: string): Promise<boolean> {
  const said = await guest.shell(RESET_SATA);
  if (said !== "") throw new LabError(`the guest's SATA controller cannot be reset: ${said}`);
  await using monitor = await connectHmp(`${guest.monitorPort}`);
  // At 128 MiB/s, as QEMU has it, a guest that is at work would never be written whole.
  await command(monitor, "migrate_set_parameter max-bandwidth 100G");
  const refused = await command(monitor, `migrate -d "exec:cat > '${path}'"`);
  if (/non-migratable|unmigratable/.test(refused)) return false;
  if (refused.trim() !== "") throw new LabError(`the guest cannot be saved: ${refused}`);
  for (;;) {
    const status = await command(monitor, "info migrate");
    if (/^Migration status: completed/m.test(status)) break;
    if (/^Migration status: (?:failed|cancelled)/m.test(status)) {
      throw new LabError(`the guest cannot be saved: ${status}`);
    }
    await pause();
  }
  await command(monitor, "cont");
  return true;
}

/** Runs a command that changes the guest: the lab's own may. */
async function command(monitor: Monitor, text: string): Promise<string> {
  return await monitor.command(text, { allowUnsafe: [text, text.split(" ")[0]!] });
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

import type { RunningBareGuest, StartBareGuestOptions } from "../../src/testing/mod.ts";
import { startDomain } from "../libvirt/_domain.ts";
import type { GuestEndpoints } from "./_connectors.ts";

/** What to start a bare guest with, so that each of its connectors is open. */
export const OPEN_CONNECTORS: StartBareGuestOptions = {
  monitorSocket: true,
  telnet: true,
  qmp: true,
  qmpSocket: true,
  gdb: true,
  memoryFile: true,
};

/**
 * The connectors of a bare guest. To libvirt's belongs another QEMU with the same images, which is the same
 * guest: nothing in it changes once it is up.
 */
export function connectorsOfBareGuest(
  running: RunningBareGuest,
  folder: string,
  cleanup: AsyncDisposableStack,
): GuestEndpoints {
  const { guest } = running;
  return {
    hmpPort: running.monitorPort,
    telnetPort: running.telnetPort!,
    hmpSocket: running.monitorSocket!,
    qmpPort: running.qmpPort!,
    qmpSocket: running.qmpSocket!,
    gdbPort: running.gdbPort!,
    ramFile: running.memoryFile!,
    folder,
    mode: guest.mode,
    async domain() {
      const paths = guest.images.map(({ name }) => `${folder}/${name}`);
      await Promise.all(guest.images.map(({ bytes }, i) => Deno.writeFile(paths[i]!, bytes)));
      const ready = `${folder}/ready`;
      const args = [...guest.qemuArgs(paths), "-debugcon", `file:${ready}`];
      const domain = cleanup.use(await startDomain(args));
      const isUp = async () => {
        const said = await Deno.readTextFile(ready);
        return [...guest.readyBytes].every((byte) => said.includes(byte));
      };
      while (!await isUp()) await new Promise((resolve) => setTimeout(resolve, 20));
      return domain.name;
    },
  };
}

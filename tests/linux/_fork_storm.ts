/** While a vCPU runs nothing but processes that live for milliseconds, the guest's Linux is still found. */
import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";

/** Each finds the kernel anew, from the tables of whatever process the vCPU runs then. */
const ATTACHES = Number(Deno.env.get("PAGEWALK_STORM_ATTACHES") ?? 6);

/** What a guest of either architecture has. */
export interface StormGuest {
  readonly monitorPort: number;
  shell(command: string): Promise<string>;
}

/** Attaches again and again while processes are started as fast as the guest can. */
export async function attachInStorm(lab: StormGuest, release: string): Promise<void> {
  await lab.shell(
    "touch /tmp/forks; for n in 1 2 3; do " +
      "(while [ -e /tmp/forks ]; do /bin/busybox true; done) >/dev/null 2>&1 & done",
  );
  const roots = new Set<bigint>();
  try {
    for (let i = 0; i < ATTACHES; i++) {
      await using guest = await connect(lab.monitorPort);
      const linux = await guest.linux();
      assertEquals([linux.version, await linux.isCurrent()], [release, true]);
      for (let look = 0; look < 5; look++) roots.add((await guest.walk(0n, { cpu: 0 })).root);
    }
  } finally {
    await lab.shell("rm /tmp/forks");
  }
  assertEquals(roots.size > 1, true, "no process came or went");
}

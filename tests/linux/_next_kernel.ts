/** A kernel that starts another one, and is reset: an open session notices both. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Session } from "../../mod.ts";
import type { LogEvent } from "../../src/entries/linux.ts";
import { LAB_PRESETS, type LabGuest } from "../lab/mod.ts";
import { buildLab } from "../lab/build.ts";
import { fileEntry, folderEntry, packInitramfs } from "../lab/initramfs.ts";

/** An initramfs that has the kernel and itself in it, to start it once more. */
export async function nextKernel(): Promise<AsyncDisposable & { initramfs: string }> {
  const build = await buildLab(LAB_PRESETS.la57.kernel);
  const [kernel, initramfs] = await Promise.all(
    [build.kernel, build.initramfs].map((path) => Deno.readFile(path)),
  );
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-kexec-" });
  const added = packInitramfs([
    folderEntry("next"),
    fileEntry("next/kernel", kernel!),
    fileEntry("next/initramfs", initramfs!),
  ]);
  // Archives may follow each other, each on a boundary of 4 bytes.
  const gap = new Uint8Array((4 - initramfs!.length % 4) % 4);
  const path = `${folder}/initramfs`;
  for (const part of [initramfs!, gap, added]) await Deno.writeFile(path, part, { append: true });
  return {
    initramfs: path,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** What the dead kernel has left in memory is still there, and tells of nothing. */
export async function anew(guest: Session, lab: LabGuest): Promise<void> {
  const before = await guest.linux();
  assertEquals(await before.isCurrent(), true);
  const following = new AbortController();
  const log = guest.followLog({ last: 1, intervalMs: 50, signal: following.signal });
  const next = async (): Promise<LogEvent> => {
    const { value, done } = await log.next();
    assert(!done);
    return value;
  };
  const after = async (kind: LogEvent["kind"]): Promise<LogEvent> => {
    for (;;) {
      const event = await next();
      if (event.kind === kind) return event;
      // The dying kernel may still log, and nothing but the log of a kernel is told as such.
      assertEquals(event.kind, "record");
      if (event.kind === "record") assertMatch(event.record.text, /^[ -~\n\t]*$/);
    }
  };
  const { version } = before;
  assertEquals(await next(), { kind: "kernel", release: version });

  // The shell never answers: the kernel goes on with nothing of it.
  const gone = lab.shell('kexec /next/kernel /next/initramfs "$(cat /proc/cmdline)"')
    .catch(() => "");
  assertEquals(await after("gone"), { kind: "gone", release: version });
  assertEquals(await before.isCurrent(), false);
  assertEquals(await after("kernel"), { kind: "kernel", release: version });
  const first = await after("record");
  assertMatch(first.kind === "record" ? first.record.text : "", /^Linux version /);
  const now = await guest.linux();
  assertEquals([await before.isCurrent(), await now.isCurrent()], [false, true]);

  await guest.monitor.command("system_reset", { allowUnsafe: ["system_reset"] });
  assertEquals(await now.isCurrent(), false);
  assertEquals(await guest.linux().catch((error) => error.name), "LinuxNotFoundError");
  assertEquals(await after("gone"), { kind: "gone", release: version });
  following.abort();
  void gone;
}

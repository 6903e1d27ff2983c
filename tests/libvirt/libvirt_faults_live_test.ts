/** What the libvirt connector makes of a domain, its QEMU and libvirtd being stopped, killed and destroyed. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  ConnectError,
  ConnectionLostError,
  MonitorError,
  readStatus,
  ReplyTimeoutError,
  type Session,
} from "../../mod.ts";
import { orHangs } from "../conformance/_attempt.ts";
import { canHavePrivateLibvirt, PrivateLibvirt } from "./_private_libvirt.ts";

const COMMANDS = 40;

Deno.test({
  name: "a libvirt connector ends in typed errors when its domain or libvirtd does",
  ignore: !canHavePrivateLibvirt,
  async fn(t) {
    await using libvirt = await PrivateLibvirt.start();
    for (
      const [name, end] of [
        ["destroyed", (domain: string) => libvirt.virsh("destroy", domain)],
        ["killed", (domain: string) => libvirt.signalQemu(domain, "KILL")],
      ] as const
    ) {
      await t.step(`a QEMU that is ${name} while commands wait`, async () => {
        await libvirt.create(name);
        await using guest = await connect(`libvirt:${name}`);
        await guest.registers(0);
        // Stopped first, so that none of them can have its reply before; a destroy would wait for it.
        const stopped = name === "killed";
        if (stopped) await libvirt.signalQemu(name, "STOP");
        const outcomes = Promise.allSettled(ask(guest));
        await end(name);
        for (const outcome of await orHangs(outcomes, name)) {
          if (outcome.status === "fulfilled") {
            assert(!stopped, "answered by a QEMU that was stopped");
            assertEquals(outcome.value, "VM status: running");
          } else assert(outcome.reason instanceof ConnectionLostError, String(outcome.reason));
        }
        await assertRejects(() => guest.registers(0), ConnectionLostError);
        await orHangs(guest.close(), name);
        const error = await assertRejects(() => connect(`libvirt:${name}`), ConnectError);
        assertEquals(error.failure, "noSuchDomain");
      });
    }

    await libvirt.create("kept");
    await t.step("a QEMU that falls silent, and goes on", async () => {
      await using guest = await connect("libvirt:kept");
      await guest.registers(0);
      await libvirt.signalQemu("kept", "STOP");
      const late = () => guest.monitor.command("info status", { timeoutMs: 300 });
      await assertRejects(late, ReplyTimeoutError);
      await libvirt.signalQemu("kept", "CONT");
      assertEquals((await readStatus(guest.monitor)).running, true);
    });

    await t.step("a libvirtd that falls silent, and goes on", async () => {
      await using guest = await connect("libvirt:kept");
      await libvirt.signalDaemon("STOP");
      const late = () => guest.monitor.command("info status", { timeoutMs: 300 });
      await assertRejects(late, ReplyTimeoutError);
      const opening = () => connect("libvirt:kept", { connectTimeoutMs: 300 });
      assertEquals((await assertRejects(opening, ConnectError)).failure, "timedOut");
      await libvirt.signalDaemon("CONT");
      assertEquals((await readStatus(guest.monitor)).running, true);
    });

    await t.step(
      "a libvirtd that is killed while commands wait leaves the guest running",
      async () => {
        await using guest = await connect("libvirt:kept");
        await libvirt.signalDaemon("STOP");
        const outcomes = Promise.allSettled(ask(guest));
        await libvirt.signalDaemon("KILL");
        for (const outcome of await orHangs(outcomes, "killed")) {
          assert(outcome.status === "rejected", "answered by a libvirtd that was stopped");
          assert(outcome.reason instanceof ConnectionLostError, String(outcome.reason));
        }
        await assertRejects(() => guest.registers(0), MonitorError);
        await orHangs(guest.close(), "killed");
        const error = await assertRejects(() => connect("libvirt:kept"), ConnectError);
        assertEquals(error.failure, "refused");
        await libvirt.signalQemu("kept", "0"); // It is there.
      },
    );
  },
});

function ask(guest: Session): Promise<string>[] {
  return Array.from({ length: COMMANDS }, () => guest.monitor.command("info status"));
}

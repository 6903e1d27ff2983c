import { assertEquals, assertRejects } from "@std/assert";
import { connect, ConnectError, NoSuchCpuError, readStatus } from "../../mod.ts";
import { qemuPath } from "../../src/testing/mod.ts";
import { compareWithQemu } from "../conformance/_compare.ts";

const DOMAIN = `pagewalk-test-${Deno.pid}`;
const SOCKET = "/run/libvirt/libvirt-sock";

/** The test needs a libvirtd that runs: one is not started here, as its first answer may take a minute. */
const skip = !await exists(SOCKET) || !await answers();

Deno.test({
  name: "a libvirt domain is read through one virsh, and is left running",
  ignore: skip,
  async fn() {
    const file = await Deno.makeTempFile({ suffix: ".xml" });
    await Deno.writeTextFile(file, domainXml());
    await virsh("create", file);
    try {
      await using guest = await connect(`libvirt:${DOMAIN}`);
      assertEquals((await guest.allRegisters()).map(({ cpu }) => cpu), [0, 1]);
      await assertRejects(() => guest.monitor.command("info cpus", { cpu: 9 }), NoSuchCpuError);
      const [one, two] = await Promise.all([
        guest.memory.read(0xffff_0000n, 4096),
        guest.memory.read(0xffff_1000n, 4096),
      ]);
      const both = await guest.memory.read(0xffff_0000n, 8192);
      assertEquals([...one, ...two], [...both]);
      await guest.frozen(async () => {
        assertEquals((await readStatus(guest.monitor)).running, false);
        await compareWithQemu(guest, 0, null);
      });
      assertEquals((await readStatus(guest.monitor)).running, true);
      const error = await assertRejects(() => connect("libvirt:no-such-domain"), ConnectError);
      assertEquals(error.failure, "noSuchDomain");
    } finally {
      await virsh("destroy", DOMAIN);
      await Deno.remove(file);
    }
  },
});

Deno.test("without --allow-run=virsh the error names the flag", async () => {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "examples/qemu_verify_pte.ts", "libvirt:vm", "0x1000"],
    cwd: new URL("../..", import.meta.url),
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(text.includes("run deno with --allow-run=virsh"), true, text);
});

async function virsh(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("virsh", {
    args: ["-c", "qemu:///system", ...args],
  }).output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
}

async function answers(): Promise<boolean> {
  try {
    const args = ["-c", "qemu:///system", "uri"];
    const signal = AbortSignal.timeout(60_000);
    return (await new Deno.Command("virsh", { args, signal }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function domainXml(): string {
  const binary = qemuPath().includes("/") ? qemuPath() : `/usr/bin/${qemuPath()}`;
  return `<domain type='qemu'><name>${DOMAIN}</name><memory unit='MiB'>64</memory><vcpu>2</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os>
    <devices><emulator>${binary}</emulator><memballoon model='none'/></devices></domain>`;
}

import { assertEquals, assertRejects } from "@std/assert";
import { connect, ConnectError, NoSuchCpuError, readStatus } from "../../mod.ts";
import { qemuPath } from "../../src/testing/mod.ts";
import { compareWithQemu } from "../conformance/_compare.ts";

const DOMAIN = `pagewalk-test-${Deno.pid}`;
const SOCKET = "/run/libvirt/libvirt-sock";

/** Without systemd nobody starts libvirt's daemons, so as root the test does. */
const DAEMONS = ["/usr/sbin/virtlogd", "/usr/sbin/libvirtd"];
const mayStart = Deno.uid() === 0 && (await Promise.all(DAEMONS.map(exists))).every(Boolean);

/** Starts libvirt unless it runs; its first answer may take half a minute without systemd. */
async function startLibvirt(): Promise<AsyncDisposable> {
  if (await listens()) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const running = DAEMONS.map((path) =>
    new Deno.Command(path, { stdin: "null", stdout: "null", stderr: "null" }).spawn()
  );
  while (!await listens()) await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    async [Symbol.asyncDispose]() {
      for (const child of running) child.kill("SIGTERM");
      await Promise.all(running.map((child) => child.status));
    },
  };
}

Deno.test({
  name: "a libvirt domain is read through one virsh, and is left running",
  ignore: !await listens() && !mayStart,
  async fn() {
    await using _libvirt = await startLibvirt();
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

async function listens(): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path: SOCKET })).close();
    return true;
  } catch (error) {
    // A socket that a daemon has left behind refuses.
    const { NotFound, ConnectionRefused } = Deno.errors;
    if (error instanceof NotFound || error instanceof ConnectionRefused) return false;
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

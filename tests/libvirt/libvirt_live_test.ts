import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, ConnectError, NoSuchCpuError, readStatus } from "../../mod.ts";
import { compareWithQemu } from "../conformance/_compare.ts";
import { LIBVIRT, startLibvirt } from "./_daemon.ts";
import { startDomain } from "./_domain.ts";

/** Nothing of its own: a machine with firmware, whose vCPUs run it. */
const MACHINE = ["-machine", "pc", "-m", "64M", "-smp", "2"];

Deno.test({
  name: "a libvirt domain is read through one virsh, and is left running",
  ignore: !LIBVIRT,
  async fn() {
    await using _libvirt = await startLibvirt();
    await using domain = await startDomain(MACHINE);
    await using guest = await connect(`libvirt:${domain.name}`);
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
    assertStringIncludes(error.message, '"virsh list --all" lists those it has');
  },
});

Deno.test({
  name: "a domain is looked for where virsh looks by itself, or where the endpoint says",
  ignore: !LIBVIRT,
  async fn() {
    await using _libvirt = await startLibvirt();
    await using domain = await startDomain(MACHINE);
    const before = Deno.env.get("LIBVIRT_DEFAULT_URI");
    // libvirt's own mock of a hypervisor, which has one domain, called "test".
    Deno.env.set("LIBVIRT_DEFAULT_URI", "test:///default");
    try {
      const error = await assertRejects(() => connect(`libvirt:${domain.name}`), ConnectError);
      assertEquals(error.failure, "noSuchDomain");
      assertStringIncludes(error.message, `libvirt:///system/${domain.name}`);
      await using guest = await connect(`libvirt:///system/${domain.name}`);
      assertEquals((await readStatus(guest.monitor)).running, true);
    } finally {
      if (before === undefined) Deno.env.delete("LIBVIRT_DEFAULT_URI");
      else Deno.env.set("LIBVIRT_DEFAULT_URI", before);
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

import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, MonitorMemory, RamFileError } from "../../mod.ts";
import { startQemu } from "../../src/testing/qemu_process.ts";
import { liveTest } from "../live.ts";

/** A QEMU whose RAM is in files, with known bytes at each of some addresses. */
async function startWithFiles(args: (folder: string) => string[], blocksAt: bigint[]) {
  await using cleanup = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  cleanup.defer(() => Deno.remove(folder, { recursive: true }));
  const loaders: string[] = [];
  for (const [i, address] of blocksAt.entries()) {
    const file = `${folder}/block${i}`;
    await Deno.writeFile(file, crypto.getRandomValues(new Uint8Array(32 * 1024)));
    loaders.push("-device", `loader,file=${file},addr=0x${address.toString(16)},force-raw=on`);
  }
  const monitor = `unix:${folder}/monitor.sock`;
  cleanup.use(
    await startQemu([
      ...["-display", "none", "-nodefaults", "-S", "-monitor", `${monitor},server=on,wait=off`],
      ...loaders,
      ...args(folder),
    ]),
  );
  while (!await Deno.stat(`${folder}/monitor.sock`).catch(() => null)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const owned = cleanup.move();
  return { folder, monitor, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Compares what the files say with what the monitor says. */
async function compare(monitor: string, ram: string[], addresses: bigint[]): Promise<void> {
  await using guest = await connect(monitor, { ram });
  const byMonitor = new MonitorMemory(guest.monitor);
  for (const address of addresses) {
    const bytes = await guest.memory.read(address, 8192);
    assert(bytes.some((byte) => byte !== 0), `nothing but zeros at 0x${address.toString(16)}`);
    assertEquals(bytes, await byMonitor.read(address, 8192), `0x${address.toString(16)}`);
  }
}

liveTest("a RAM file is read below and above the hole under 4 GiB", async () => {
  const blocks = [0x20_0000n, 0x7fff_0000n, 0x1_0000_0000n, 0x1_0800_0000n];
  // A file of 5 GiB in which next to nothing is written takes next to no space.
  await using qemu = await startWithFiles((folder) => [
    ...["-m", "5G", "-machine", "q35,memory-backend=ram0"],
    ...["-object", `memory-backend-file,id=ram0,size=5G,mem-path=${folder}/ram,share=on`],
  ], blocks);
  const rom = 0xffff_e000n; // It is in no file.
  await compare(qemu.monitor, [`${qemu.folder}/ram`], [...blocks, rom]);
});

liveTest("several RAM files, one for each NUMA node, are told apart in any order", async () => {
  await using qemu = await startWithFiles((folder) => [
    ...["-m", "64M", "-smp", "2", "-machine", "pc"],
    ...["-object", `memory-backend-file,id=m0,size=32M,mem-path=${folder}/a,share=on`],
    ...["-object", `memory-backend-file,id=m1,size=32M,mem-path=${folder}/b,share=on`],
    ...["-numa", "node,memdev=m0,cpus=0", "-numa", "node,memdev=m1,cpus=1"],
  ], [0x1_0000n, 0x200_0000n]);
  const [a, b] = [`${qemu.folder}/a`, `${qemu.folder}/b`];
  for (const ram of [[a, b], [b, a]]) {
    await compare(qemu.monitor, ram, [0x1_0000n, 0x200_0000n]);
  }
});

liveTest("a file that is not the guest's RAM is refused, with what is wrong", async () => {
  await using qemu = await startWithFiles((folder) => [
    ...["-m", "16M", "-machine", "pc,memory-backend=ram0"],
    ...["-object", `memory-backend-file,id=ram0,size=16M,mem-path=${folder}/ram,share=off`],
  ], [0n, 0x20_0000n]);
  const failure = async (path: string) => {
    const error = await assertRejects(
      () => connect(qemu.monitor, { ram: [`${qemu.folder}/${path}`] }),
      RamFileError,
    );
    assert(!error.message.includes("\n"));
    return error.failure;
  };
  // Without share=on QEMU writes to a copy of its own.
  assertEquals(await failure("ram"), "notTheGuests");
  assertEquals(await failure("block0"), "notTheGuests");
  assertEquals(await failure("nothing"), "noSuchFile");
  assertEquals(await failure("monitor.sock"), "unreadable");
});

liveTest("without the permission for the file, the error names the flag", async () => {
  await using qemu = await startWithFiles((folder) => [
    ...["-m", "16M", "-machine", "pc,memory-backend=ram0"],
    ...["-object", `memory-backend-file,id=ram0,size=16M,mem-path=${folder}/ram,share=on`],
  ], [0n]);
  const path = qemu.monitor.slice("unix:".length);
  const { stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-net", `--allow-read=${path}`, `--allow-write=${path}`],
      ...["examples/qemu_verify_pte.ts", qemu.monitor, "0x1000", "--ram", `${qemu.folder}/ram`],
    ],
    cwd: new URL("../..", import.meta.url),
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 3, text);
  assert(text.includes(`run deno with --allow-read=${qemu.folder}/ram`), text);
});

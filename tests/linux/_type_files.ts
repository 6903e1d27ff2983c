import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname, join } from "node:path";
import { kernelOf, type LinuxGuest } from "../../src/linux/linux_guest.ts";
import { netTo, runExample } from "../examples/_run.ts";
import type { LabGuest } from "../lab/mod.ts";

/** Closes the connection: a monitor serves one client at a time. */
export interface Closing {
  close(): Promise<void>;
}

/**
 * Hides a guest's types from whoever reads its memory, and holds what is found with those of files against
 * what was found before. The guest's RAM has to be in a file.
 */
export async function checkTypeFiles(
  lab: LabGuest,
  linux: LinuxGuest,
  { close }: Closing,
): Promise<void> {
  const kernel = kernelOf(linux);
  const [start, stop] = [await kernel.address("__start_BTF"), await kernel.address("__stop_BTF")];
  const own = join(lab.folder, "core.btf");
  await Deno.writeFile(own, await linux.read(start!, Number(stop! - start!)));
  const hidden = [
    await kernel.physical(start!),
    await kernel.physical(await symbol("btf_vmlinux")),
  ];
  const modules = await drivers(lab);
  await close();

  const before = await run(lab);
  using ram = await Deno.open(lab.ramFile!, { write: true });
  for (const place of hidden) {
    await ram.seek(Number(place), Deno.SeekMode.Start);
    assertEquals(await ram.write(new Uint8Array(8)), 8);
  }
  const [refused, why] = await run(lab);
  assertEquals(refused, 2);
  assertStringIncludes(why, "has no type data (CONFIG_DEBUG_INFO_BTF)");

  const [code, text] = await run(lab, own, ...modules);
  const [note, ...lines] = text.split("\n");
  assertMatch(
    note!,
    /^note: The types in \S+core\.btf could not be checked to be of the guest's kernel, .*: \S+ has no build id; \d\d sizes and offsets that the kernel tells are the same$/,
  );
  assertEquals([code, lines.join("\n")], before);
  // A module's types are not the kernel's.
  const [wrong, said] = await run(lab, modules[0]!);
  assertEquals(wrong, 3);
  assertMatch(said, /^error: \S+vfio\.ko /);

  async function symbol(name: string): Promise<bigint> {
    const address = await kernel.address(name);
    assert(address !== null, `${name} is not known`);
    return address;
  }
}

/** The script's exit code, and what it says on standard error, then on standard output. */
async function run(lab: LabGuest, ...files: string[]): Promise<[number, string]> {
  const option = files.length > 0 ? ["--btf", files.join()] : [];
  const { code, stdout, stderr } = await runExample(
    "verify_vfio.ts",
    [`${lab.monitorPort}`, "--vfio-maps", ...option],
    { permissions: [...netTo(lab.monitorPort), ...files.map((path) => `--allow-read=${path}`)] },
  );
  return [code, stderr + stdout];
}

/** The drivers' files that the guest was made of: with the types that their makers gave them. */
async function drivers(lab: LabGuest): Promise<string[]> {
  const folder = join(dirname(lab.build.initramfs), "..", "parts");
  const paths = ["vfio.ko", "vfio_iommu_type1.ko"].map((name) => join(folder, name));
  for (const path of paths) assert((await Deno.stat(path)).isFile);
  return paths;
}

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import fc from "fast-check";
import { InvalidArgumentError, PagewalkError } from "../../mod.ts";
import { checkTypeFile } from "../../src/linux/btf/check_type_file.ts";
import { readTypeFile } from "../../src/linux/btf/type_file.ts";
import { parseVmcoreinfo } from "../../src/linux/vmcoreinfo.ts";
import { btfBytes } from "./_btf_bytes.ts";

const folder = await Deno.makeTempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const STRUCTS = {
  list_head: { next: 0, prev: 8 },
  task_struct: { pid: 16, comm: 32 },
  file: { f_op: 0 },
  vm_area_struct: { vm_start: 0 },
};
const BUILD_ID = "0123456789abcdef0123456789abcdef01234567";

interface Section {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly type?: number;
  readonly flags?: bigint;
}

/** Writes an ELF file of some sections. */
function elf(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const names: number[] = [0];
  const all = [{ name: "", bytes: new Uint8Array(0), type: 0 }, ...sections];
  const places = [...all.map(({ name }) => name), ".shstrtab"].map((name) => {
    const at = names.length;
    names.push(...new TextEncoder().encode(name), 0);
    return at;
  });
  const contents = [...all, { name: ".shstrtab", bytes: new Uint8Array(names), type: 3 }];
  let at = 64;
  const headers = contents.map(({ bytes, type = 1, ...more }, i) => {
    const header = new DataView(new ArrayBuffer(64));
    header.setUint32(0, places[i]!, true);
    header.setUint32(4, type, true);
    header.setBigUint64(8, "flags" in more ? more.flags ?? 0n : 0n, true);
    header.setBigUint64(24, BigInt(at), true);
    header.setBigUint64(32, BigInt(bytes.length), true);
    at += bytes.length;
    return new Uint8Array(header.buffer);
  });
  const head = new DataView(new ArrayBuffer(64));
  head.setUint32(0, 0x7f45_4c46);
  head.setUint8(4, 2);
  head.setUint8(5, 1);
  head.setBigUint64(40, BigInt(at), true);
  head.setUint16(60, contents.length, true);
  head.setUint16(62, contents.length - 1, true);
  return new Uint8Array([
    ...new Uint8Array(head.buffer),
    ...contents.flatMap(({ bytes }) => [...bytes]),
    ...headers.flatMap((bytes) => [...bytes]),
  ]);
}

/** A note as `.note.gnu.build-id` has it, behind one of somebody else's. */
function buildIdNote(id: string): Uint8Array {
  const bytes = [...id.matchAll(/../g)].map(([hex]) => parseInt(hex, 16));
  const other = [4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0x58, 0x65, 0x6e, 0, 1, 2, 3, 0];
  const head = [4, 0, 0, 0, bytes.length, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4e, 0x55, 0];
  return new Uint8Array([...other, ...head, ...bytes]);
}

async function written(name: string, bytes: Uint8Array): Promise<string> {
  const path = `${folder}/${name}`;
  await Deno.writeFile(path, bytes);
  return path;
}

const vmlinux = (...more: Section[]) =>
  elf([
    { name: ".text", bytes: new Uint8Array(3) },
    { name: ".notes", bytes: buildIdNote(BUILD_ID), type: 7 },
    { name: ".BTF", bytes: btfBytes(STRUCTS) },
    ...more,
  ]);

function vmcoreinfo(...lines: string[]) {
  return parseVmcoreinfo(
    ["OSRELEASE=6.13.0", "SYMBOL(_stext)=ffffffff81000000", ...lines].join("\n"),
  );
}

Deno.test("types come out of a raw file and out of a vmlinux, with its build id", async () => {
  const raw = await readTypeFile(await written("raw.btf", btfBytes(STRUCTS)));
  const image = await readTypeFile(await written("vmlinux", vmlinux()));
  for (const { types } of [raw, image]) {
    assertEquals(await types.structsNamed("task_struct"), [3]);
  }
  assertEquals([raw.buildId, image.buildId], [null, BUILD_ID]);
  const module = btfBytes({ vfio_dma: { iova: 8 } }, raw.types);
  const split = await readTypeFile(await written("vfio.btf", module), raw.types);
  assertEquals(await split.types.structsNamed("vfio_dma"), [raw.types.count]);
});

Deno.test("a file that has no types says what it is, and how to make one", async () => {
  const refused = async (bytes: Uint8Array, why: string) => {
    const path = await written("bad", bytes);
    await assertRejects(() => readTypeFile(path), InvalidArgumentError, why);
  };
  await refused(
    new Uint8Array(0),
    "is not a file of types (BTF): write the kernel's types with: pahole",
  );
  await refused(new TextEncoder().encode("hello".repeat(40)), "is not a file of types");
  await refused(btfBytes(STRUCTS).subarray(0, 90), "is cut off");
  await refused(elf([{ name: ".text", bytes: new Uint8Array(3) }]), "no section .BTF");
  await refused(
    elf([{ name: ".BTF", bytes: btfBytes(STRUCTS), flags: 0x800n }]),
    "its section .BTF is compressed",
  );
  await refused(
    vmlinux({ name: ".BTF.base", bytes: new Uint8Array(1) }),
    "built outside its kernel",
  );
  await refused(vmlinux().subarray(0, 300), "it is cut off");
  const big = vmlinux();
  big[5] = 2;
  await refused(big, "not of 64 bits and little-endian");
  await assertRejects(() => readTypeFile(folder), PagewalkError, "is a folder");
});

Deno.test("the file's build is held against the kernel's", async () => {
  const image = await readTypeFile(await written("vmlinux2", vmlinux()));
  assertEquals(await checkTypeFile(image, vmcoreinfo(`BUILD-ID=${BUILD_ID}`)), null);
  await assertRejects(
    () => checkTypeFile(image, vmcoreinfo(`BUILD-ID=${"ab".repeat(20)}`)),
    InvalidArgumentError,
    `another build of the kernel (build id ${BUILD_ID}): the guest runs 6.13.0`,
  );
  // One of both does not tell: what the kernel says of its structures has to do.
  const told = ["OFFSET(list_head.prev)=8", "SIZE(list_head)=256", "OFFSET(page.flags)=0"];
  const note = await checkTypeFile(image, vmcoreinfo(...told));
  assertMatch(note!, /could not be checked .* tells no build id; 2 sizes and offsets .* the same$/);
  await assertRejects(
    () => checkTypeFile(image, vmcoreinfo("OFFSET(list_head.prev)=16")),
    InvalidArgumentError,
    "the offset of list_head.prev is 8 there, and 16 in the guest",
  );
  const raw = await readTypeFile(await written("raw2.btf", btfBytes(STRUCTS)));
  const said = await checkTypeFile(raw, vmcoreinfo(`BUILD-ID=${BUILD_ID}`));
  const module = await readTypeFile(
    await written("module.btf", btfBytes({ vfio_dma: { iova: 8 } }, raw.types)),
  );
  await assertRejects(
    () => checkTypeFile(module, vmcoreinfo()),
    InvalidArgumentError,
    "no struct task_struct",
  );
  assertMatch(said!, /raw2\.btf has no build id; 0 sizes/);
});

Deno.test("garbage ends well: files of types", async () => {
  const whole = vmlinux();
  const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(changes, async (changes) => {
      const bytes = whole.slice();
      for (const [at, value] of changes) bytes[at] = value;
      const path = await written("garbage", bytes);
      try {
        const { types } = await readTypeFile(path);
        await types.structsNamed("task_struct");
      } catch (error) {
        if (!(error instanceof PagewalkError)) throw error;
      }
    }),
    { numRuns: 100 },
  );
});

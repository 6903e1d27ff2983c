/** Whatever reads files reads regular ones only: no pipe keeps it waiting, and no device fills the memory. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  FileRefusedError,
  openAppendableFileSync,
  openRegularFile,
  readRegularFile,
} from "../../src/core/regular_file.ts";
import { connect } from "../../mod.ts";
import { readSnapshot, readTextInput } from "../../src/cli/mod.ts";
import { DirectoryKernelCache } from "../../src/linux/kernel_cache.ts";
import { History } from "../../src/repl/history.ts";

/** A folder with a pipe, a socket, a folder and a link to each. */
async function oddFiles(): Promise<{ folder: string; odd: string[] } & AsyncDisposable> {
  const folder = await Deno.makeTempDir();
  await new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).output();
  await Deno.mkdir(`${folder}/folder`);
  await Deno.symlink(`${folder}/pipe`, `${folder}/link`);
  const listener = Deno.listen({ transport: "unix", path: `${folder}/socket` });
  return {
    folder,
    odd: [...["pipe", "folder", "link", "socket"].map((n) => `${folder}/${n}`), "/dev/zero"],
    async [Symbol.asyncDispose]() {
      listener.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("what is no regular file is refused at once, and said to be what it is", async () => {
  await using files = await oddFiles();
  for (const path of files.odd) {
    await assertRejects(() => openRegularFile(path), FileRefusedError, "name a regular file");
  }
  await assertRejects(() => openRegularFile(`${files.folder}/none`), Deno.errors.NotFound);
});

Deno.test("a pipe that takes a file's place between the look and the opening ends with an error", async () => {
  await using files = await oddFiles();
  const path = `${files.folder}/raced`;
  await Deno.writeTextFile(path, "x");
  const stat = Deno.stat;
  try {
    Deno.stat = async (each) => {
      const info = await stat(each);
      await Deno.remove(path);
      await Deno.rename(`${files.folder}/pipe`, path);
      return info;
    };
    const opening = openRegularFile(path);
    await assertRejects(() => opening, FileRefusedError, "pipe");
  } finally {
    Deno.stat = stat;
  }
  // Whoever writes to it at last lets the opening end, whose file is closed.
  await Deno.writeTextFile(path, "");
});

Deno.test("readRegularFile() reads what there is, and no more than its limit", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, new Uint8Array(100_000).fill(7));
    assertEquals((await readRegularFile(path, 100_000)).length, 100_000);
    await assertRejects(() => readRegularFile(path, 99_999), FileRefusedError, "99999 bytes");
    await Deno.truncate(path, 2 ** 40); // Holes take no room on the disk.
    await assertRejects(() => readRegularFile(path, 2 ** 20), FileRefusedError);
  } finally {
    await Deno.remove(path);
  }
  // Files of /proc say that they are empty.
  assert((await readRegularFile("/proc/self/maps", 2 ** 20)).length > 100);
  await assertRejects(() => readRegularFile("/proc/self/maps", 100), FileRefusedError);
});

Deno.test("snapshots, texts, recordings, dumps and RAM files must be regular files", async () => {
  await using files = await oddFiles();
  for (const path of files.odd) {
    for (
      const read of [
        () => readSnapshot(path),
        () => readTextInput(path),
        () => connect(`replay:${path}`),
        () => connect(`dump:${path}`),
        () => connect("sim:", { ram: [path] }),
      ]
    ) await assertRejects(read, Error, "name a regular file");
  }
});

Deno.test("the kernel cache passes over what is no regular file, and what is too large", async () => {
  await using files = await oddFiles();
  const shape = "abc";
  await Deno.rename(`${files.folder}/pipe`, `${files.folder}/0011223344556677.${shape}.json`);
  const large = `${files.folder}/0011223344556688.${shape}.json`;
  await Deno.writeTextFile(large, "");
  await Deno.truncate(large, 2 ** 40);
  assertEquals(await new DirectoryKernelCache(files.folder).find(shape), []);
});

Deno.test("the history is kept in a regular file only, and of a huge one the end is read", async () => {
  await using files = await oddFiles();
  for (const name of ["pipe", "folder", "socket"]) {
    assertThrows(() => History.open(`${files.folder}/${name}`));
  }
  assertThrows(() => openAppendableFileSync("/dev/zero"), FileRefusedError);
  const path = `${files.folder}/history`;
  History.open(path).add("ps()");
  History.open(path).add("maps()");
  assertEquals(History.open(path).lines, ["maps()", "ps()"]);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  await Deno.truncate(path, 2 ** 38);
  History.open(path).add("the end of a line");
  History.open(path).add("walk(1)");
  assertEquals(History.open(path).lines[0], "walk(1)");
});

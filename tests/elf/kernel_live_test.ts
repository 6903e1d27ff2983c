/** A kernel in the shapes of xv6, by its ELF file: its processes while it runs, and what a damaged file does. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  AmbiguousProcessError,
  connect,
  ElfFormatError,
  InvalidArgumentError,
  LinuxNotFoundError,
  NoSuchProcessError,
  WrongKernelError,
} from "../../mod.ts";
import { namerFor, whoMapsIt } from "../../src/cli/mod.ts";
import { ElfKernel } from "../../src/elf_kernel/elf_kernel.ts";
import { elfProcessLine, xv6Tables, xv6WalkText } from "../../src/report/mod.ts";
import { ramRange, SparseMemory, startQemu } from "../../src/testing/mod.ts";
import { freePort, QEMU_32, QEMU_64 } from "../riscv/_qemu.ts";
import { riscvRegime } from "../../mod.ts";
import { buildKernel, whyNoKernel } from "./_kernel.ts";

const missing = await whyNoKernel();
const ignore = missing !== null;

/** What the kernel's C source puts into its array. */
const PROCESSES = [
  [1, "init", "SLEEPING"],
  [2, "sh", "RUNNING"],
  [4, "twin", "RUNNABLE"],
  [5, "twin", "RUNNABLE"],
  [6, "\x1b[31mred", "ZOMBIE"],
  [7, "sixteen-letters!", "SLEEPING"],
];

async function inFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-elf-" });
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (
  const { width, binary, mode } of [
    { width: 64, binary: QEMU_64, mode: "Sv39" },
    { width: 32, binary: QEMU_32, mode: "Sv32" },
  ] as const
) {
  const name = `the processes of a running kernel of ${width} bits`;
  Deno.test({ name, ignore, fn: () => inFolder((folder) => live(folder, width, binary, mode)) });
}

async function live(
  folder: string,
  width: 64 | 32,
  binary: string,
  mode: "Sv39" | "Sv32",
): Promise<void> {
  const path = await buildKernel(folder, width, "-g");
  const port = freePort();
  await using _qemu = await startQemu([
    ...["-M", "virt", "-m", "64M", "-bios", "none", "-kernel", path, "-display", "none"],
    ...["-serial", "none", "-monitor", `tcp:127.0.0.1:${port},server=on,wait=off`],
  ], { binary, port, timeoutMs: 60_000 });
  await using session = await connect(port, { kernel: path });
  const kernel = await session.elfKernel();
  const deadline = Date.now() + 60_000;
  while ((await session.pageTable()).context.noTables) {
    assert(Date.now() < deadline, "the kernel does not start");
  }
  const processes = await kernel.processes();
  assertEquals(processes.map(({ pid, comm, state }) => [pid, comm, state]), PROCESSES);
  assertEquals(processes.map(({ sizeBytes }) => sizeBytes), processes.map(() => 0x3000n));
  assertEquals(processes.map(({ root }) => root === null), [
    false,
    false,
    false,
    false,
    true,
    false,
  ]);
  assert(!elfProcessLine(processes[4]!).includes("\x1b"));

  const page = (name: string) => kernel.symbol(name)!.address;
  assertEquals(await session.translate(0n, { pid: 1 }), page("init_code"));
  assertEquals(await session.translate(0x1008n, { comm: "init" }), page("init_data") + 8n);
  assertEquals(await session.translate(0n, { comm: "sh" }), page("sh_code"));
  assertEquals((await session.verify(0x2000n, { user: false }, { pid: 1 })).verdict, "pass");
  assertEquals(kernel.symbolAt(page("sh_code") + 5n)?.name, "sh_code");
  assertEquals(kernel.symbolAt(0x10n), null);
  assertEquals([kernel.symbol("begin")?.type, kernel.symbol("proc")?.type], ["T", "B"]);
  assert(kernel.symbols().every(({ name }) => !name.startsWith("$")));

  const walk = await session.walk(0x1000n, { pid: 1 });
  assert(walk.outcome === "mapped" && walk.mode === mode);
  const text = xv6WalkText(walk).split("\n");
  assertEquals(text.length, walk.steps.length + 1);
  const hex = (value: bigint) => `0x${value.toString(16).padStart(16, "0")}`;
  assertEquals(text[0], `page table ${hex(processes[0]!.root!)}`);
  const dots = " ..".repeat(walk.steps.length);
  const last = walk.steps.at(-1)!;
  assertEquals(text.at(-1), `${dots}1: pte ${hex(last.raw)} pa ${hex(page("init_data"))}`);
  const lines = await Array.fromAsync(xv6Tables(session.memory, walk.regime));
  assertEquals(lines.length, 1 + (mode === "Sv39" ? 2 : 1) + 3);
  for (const line of text) assert(lines.includes(line), line);

  await assertRejects(() => session.walk(0n, { comm: "twin" }), AmbiguousProcessError, "4, 5");
  await assertRejects(() => session.walk(0n, { pid: 3 }), NoSuchProcessError, "1 init, 2 sh");
  const none = await assertRejects(
    () => session.walk(0n, { pid: 6 }),
    NoSuchProcessError,
    "no page",
  );
  assert(!none.message.includes("\x1b"));
  await assertRejects(
    () => session.walk(0n, { cmdline: "x" }),
    NoSuchProcessError,
    "command lines",
  );

  // Another than the kernel that was named is not searched for, and a process has no names of areas.
  await assertRejects(() => session.linux(), LinuxNotFoundError, "its ELF file was named");
  assertEquals(await namerFor(session, await session.tables({ pid: 1 }), false), null);
  const elsewhere = await session.walk(0x1000n, { cpu: 0 });
  assertEquals(elsewhere.outcome, "notPresent");
  assertEquals(
    await whoMapsIt(session, elsewhere),
    "its tables belong to no process. The address is mapped in pid 1 init: --pid 1",
  );

  await session.close();
  await speakInRepl(port, path, page("proc"));
  const other = await buildKernel(folder, width, "-g", "-O2");
  await using wrong = await connect(port, { kernel: other });
  await assertRejects(() => wrong.elfKernel(), WrongKernelError, "does not run this kernel");
  await wrong.close();
  await using unnamed = await connect(port);
  await assertRejects(() => unnamed.elfKernel(), InvalidArgumentError, "`kernel`");
}

/** `ps()`, `pid()` and `sym()` in the REPL are this kernel's. */
async function speakInRepl(port: number, path: string, proc: bigint): Promise<void> {
  const repl = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "repl.ts", String(port), "--kernel", path],
    ...{ stdin: "piped", stdout: "piped", stderr: "piped", env: { NO_COLOR: "1" } },
  }).spawn();
  const input = repl.stdin.getWriter();
  await input.write(new TextEncoder().encode(
    'ps()\npid("sh")\nsym("proc")\nwalk(0, { style: "xv6" })\nmappings()\npid(99)\n',
  ));
  await input.close();
  const { stdout, stderr } = await repl.output();
  const [text, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  const lines = text!.split("\n");
  assertEquals(lines[0]?.trim().split(/ +/), ["PID", "STATE", "SIZE", "ROOT", "NAME"]);
  assert(lines.some((line) => /^ +2 RUNNING +0x3000 +0x8\S+ +sh$/.test(line)), text!);
  assert(lines.some((line) => /^Sv(39|32) paging, root \S+ \(pid 2 sh\)$/.test(line)), text!);
  const symbol = lines.find((line) => line.endsWith(" B proc"))!;
  assert(lines.some((line) => /^ \.\.0: pte 0x[0-9a-f]{16} pa 0x[0-9a-f]{16}$/.test(line)), text!);
  assert(lines.some((line) => line.startsWith("linear addresses")), text! + errors!);
  assertEquals(BigInt(symbol.split(" ")[0]!.replaceAll("_", "")), proc);
  assertStringIncludes(text! + errors!, "The guest has no process 99");
  assert(!text!.includes("\x1b"), "a name moves the cursor");
}

/** A memory with a kernel's segments where a loader puts them. */
function memoryWith(bytes: Uint8Array): SparseMemory {
  const memory = new SparseMemory({ ranges: [ramRange(0x8000_0000n, 0x8100_0000n)] });
  const view = new DataView(bytes.buffer);
  const [at, count] = [Number(view.getBigUint64(32, true)), view.getUint16(56, true)];
  for (let i = 0; i < count; i++) {
    const header = at + 56 * i;
    const [offset, , physical, length] = [8, 16, 24, 32].map((n) =>
      Number(view.getBigUint64(header + n, true))
    );
    if (view.getUint32(header, true) !== 1) continue;
    memory.writeBytes(BigInt(physical!), bytes.subarray(offset, offset! + length!));
  }
  return memory;
}

function open(bytes: Uint8Array, memory: SparseMemory): Promise<ElfKernel> {
  const context = () => Promise.resolve(riscvRegime("Sv39", 0n));
  return ElfKernel.open(bytes, { memory, context });
}

Deno.test({
  name: "every version of DWARF says the same, packed or not, and of an array in a struct",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const kinds = ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"].map((flag) => [flag])
        .concat([["-g", "-gz=zlib"], ["-g", "-DNESTED"], ["-gdwarf-5", "-gdwarf64"]]);
      for (const flags of kinds) {
        const bytes = await Deno.readFile(await buildKernel(folder, 64, ...flags));
        const memory = memoryWith(bytes);
        const kernel = await open(bytes, memory);
        const isNested = flags.includes("-DNESTED");
        assertEquals(kernel.processTable, isNested ? "ptable" : "proc", flags.join());
        // Slot 3, where the C source says the members are.
        const at = kernel.symbol(kernel.processTable)!.address + 80n * 3n + (isNested ? 16n : 0n);
        memory.writeBytes(at + 16n, new Uint8Array([2]));
        memory.writeBytes(at + 36n, new Uint8Array([42]));
        memory.writeBytes(at + 57n, new Uint8Array([0x10, 0, 0x80]));
        memory.writeBytes(at + 64n, new TextEncoder().encode("cat"));
        assertEquals(await kernel.processes(), [{
          ...{ pid: 42, comm: "cat", state: "SLEEPING", sizeBytes: 0n },
          ...{ root: 0x8000_1000n, address: at },
        }], flags.join());
      }
    }),
});

Deno.test({
  name: "a damaged kernel file is refused in words, wherever the damage is",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const whole = await Deno.readFile(await buildKernel(folder, 64, "-g"));
      const memory = memoryWith(whole);
      let refused = 0;
      const attempt = async (bytes: Uint8Array) => {
        try {
          await open(bytes, memory);
        } catch (error) {
          const isOurs = error instanceof ElfFormatError || error instanceof WrongKernelError ||
            error instanceof RangeError === false && error instanceof Error &&
              error.name === "MemoryReadError";
          if (!isOurs) throw error;
          refused++;
        }
      };
      for (let length = 0; length < whole.length; length += 97) {
        await attempt(whole.slice(0, length));
      }
      // A generator of its own, so that a failure comes again.
      let seed = 12345;
      const next = (below: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below;
      for (let i = 0; i < 1500; i++) {
        const damaged = whole.slice();
        for (let n = 0; n < 4; n++) damaged[next(damaged.length)] = next(256);
        await attempt(damaged);
      }
      assert(refused > 150, `${refused} refused`);
      const stripped = await Deno.readFile(await buildKernel(folder, 64, "-g0"));
      const error = await assertRejects(() => open(stripped, memory), ElfFormatError);
      assertStringIncludes(error.message, "-g");
      await assertRejects(() => open(new Uint8Array(100), memory), ElfFormatError, "no ELF header");
    }),
});

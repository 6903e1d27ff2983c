import { assert, assertEquals } from "@std/assert";
import { connect, encodeSnapshot } from "../../mod.ts";
import { fakeMonitor, type MonitorSource, simulatedGuest } from "../../src/testing/mod.ts";
import { runExample } from "../examples/_run.ts";
import { assertClean, assertEscaped, HOSTILE_UTF8 } from "./_hostile_text.ts";

/** A Unix socket's path has 108 bytes. */
const SHORT = "\x1b[31m\x9b\u202e\nok 99 owned\x07";
const PAGE = "0x7f1234567000";
const LOG =
  `[1.0] VFIO: Clearing _PAGE_USER for vaddr=0x7f1234567000 pte=0x8000000110080867\n${HOSTILE_UTF8}\n`;
/** What a serial console shows may say anything. */
const OOPS = `BUG: unable to handle page fault for address: 00007f1234567000 ${HOSTILE_UTF8}
#PF: user write access in user mode
PGD 100000067 P4D 100000067 PUD 1001d8067 PMD 105c0e067 PTE 0
CPU: 1 PID: 245 Comm: ${HOSTILE_UTF8} Not tainted 6.1.0
RIP: 0010:${HOSTILE_UTF8}
`;

const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "pw" });
const file = `${folder}/${SHORT}.pwsnap`;
const list = `${folder}/list`;

/** How each script is run on an endpoint; a new one needs a row. */
const SCRIPTS: Readonly<Record<string, { args?: readonly string[]; stdin?: string } | null>> = {
  "aliases.ts": { args: ["0x5000"] },
  "audit.ts": {},
  "crosscheck.ts": { args: ["sim:", PAGE] },
  // Takes neither arguments nor a peer: it starts its own, and runs qemu_verify_pte.ts on it.
  "demo.ts": null,
  "diff.ts": { args: [file] },
  "dmesg.ts": {},
  "files.ts": { args: ["--path", HOSTILE_UTF8, "--cgroup", HOSTILE_UTF8] },
  "fleet.ts": { args: ["--file", list] },
  "frame.ts": { args: ["0x5000"] },
  "iommu.ts": {},
  "mappings.ts": { args: ["--range", `${PAGE}+64K`] },
  "maps.ts": { args: ["--comm", HOSTILE_UTF8] },
  "modules.ts": {},
  "monitor.ts": { args: ["info status"] },
  "oops.ts": { stdin: OOPS },
  "processes.ts": {},
  "qemu_verify_pte.ts": { args: [PAGE] },
  "qemu_verify_pte_simple.ts": { args: [PAGE] },
  "report.ts": { args: ["-o", `${folder}/${SHORT}.html`, "--title", HOSTILE_UTF8] },
  "snapshot.ts": { args: [`${file}2`] },
  "symbols.ts": { args: [HOSTILE_UTF8] },
  "verify_dmesg.ts": { stdin: LOG },
  "verify_range.ts": { args: [PAGE, "128K"] },
  "verify_vfio.ts": {},
  "watch_pte.ts": { args: [PAGE, "--for", "1"] },
};

/** Runs a script on an endpoint and returns all that it printed. */
async function run(name: string, endpoint: string): Promise<string> {
  const { args = [], stdin } = SCRIPTS[name]!;
  const all = name === "fleet.ts" ? [endpoint, PAGE, ...args] : [endpoint, ...args];
  const { stdout, stderr, code } = await runExample(name, all, {
    permissions: ["-A"],
    ...stdin !== undefined && { stdin },
  });
  assert(code <= 3, `${name} exits ${code}`);
  return stdout + stderr;
}

async function everyScript(check: (name: string) => Promise<void>): Promise<void> {
  for (const [name, row] of Object.entries(SCRIPTS)) if (row) await check(name);
}

async function prepare(): Promise<void> {
  await using guest = await connect("sim:");
  const taken = await guest.snapshot({ range: { start: BigInt(PAGE), lengthBytes: 65536 } });
  await Deno.writeFile(file, await encodeSnapshot({ ...taken, source: HOSTILE_UTF8 }));
  await Deno.writeTextFile(list, `${SHORT.replace("\n", "")}\nunix:${folder}/${SHORT[0]}gone\n`);
}

Deno.test("each script has a row", async () => {
  const names = (await Array.fromAsync(Deno.readDir("examples"))).map(({ name }) => name);
  assertEquals(Object.keys(SCRIPTS).toSorted(), names.toSorted());
});

Deno.test("scripts: no endpoint, file or argument reaches the terminal as it is", async (t) => {
  await prepare();
  await using monitor = fakeMonitor(simulatedGuest(), {
    scheme: "unix",
    path: `${folder}/${SHORT}.sock`,
  });
  await everyScript(async (name) => {
    await t.step(name, async () => assertClean(await run(name, monitor.endpoint), name));
  });
  await t.step("what they were given is there to be read", async () => {
    assertEscaped(await run("qemu_verify_pte.ts", monitor.endpoint), "the endpoint");
    assertEscaped(await run("audit.ts", `${folder}/none${SHORT}.pwsnap`), "the file");
    const { stderr } = await runExample("audit.ts", [`--${HOSTILE_UTF8}`]);
    assertEscaped(stderr, "the option");
  });
});

Deno.test("scripts: nothing that a peer says reaches the terminal as it is", async (t) => {
  const guest = simulatedGuest();
  const source: MonitorSource = {
    version: HOSTILE_UTF8.replaceAll(/\s/g, ""),
    openMonitor: (cpu) => {
      const session = guest.openMonitor(cpu);
      return {
        async answer(line) {
          const answer = await session.answer(line);
          // Its line breaks are QEMU's own.
          const added = HOSTILE_UTF8.replace("\r\n", "\r");
          return { ...answer, text: `${answer.text}${added}\n` };
        },
      };
    },
  };
  await using monitor = fakeMonitor(source);
  await everyScript(async (name) => {
    await t.step(name, async () => assertClean(await run(name, monitor.endpoint), name));
  });
  await t.step("what it says is there to be read", async () => {
    assertEscaped(await run("monitor.ts", monitor.endpoint), "a reply");
  });
});

Deno.test("scripts: nor what a peer says that is none", async () => {
  for (const greeting of [`${HOSTILE_UTF8}\r\n`, `QEMU ${HOSTILE_UTF8} monitor\r\n`]) {
    await using monitor = fakeMonitor(simulatedGuest(), {
      faults: [{ on: "connect", fault: { kind: "raw", bytes: greeting } }],
    });
    const said = await run("qemu_verify_pte.ts", `${monitor.endpoint}`);
    assertClean(said, "a greeting", 3);
  }
});

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

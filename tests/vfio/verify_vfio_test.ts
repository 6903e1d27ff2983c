import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  CapabilityError,
  InconsistentListError,
  NoSuchProcessError,
  pagingContext,
  verifyVfio,
  type VerifyVfioOptions,
  VfioTally,
} from "../../mod.ts";
import type { LinuxGuest, LinuxProcess, MemoryArea, VfioMapping } from "../../src/entries/linux.ts";
import { vfioSummary } from "../../src/report/mod.ts";
import { findLoggedPages } from "../../src/linux/vfio_pages.ts";
import { registersFor } from "../../src/testing/mod.ts";
import { ADDRESS, type Living, World } from "./_world.ts";

/** What the world's Linux answers, and what of it is to go wrong. */
interface Answers {
  mappings?: (living: Living) => VfioMapping[];
  dmesg?: () => never;
  partial?: string;
  /** What the process has mapped, as far as the check looks at it. */
  vmas?: (living: Living) => MemoryArea[];
}

/** The part of a Linux guest that the check asks, answered by a world. */
function linuxOf(world: World, answers: Answers): LinuxGuest {
  const livingOf = ({ pid }: LinuxProcess) =>
    world.living.find(({ process }) => process.pid === pid)!;
  const contextOf = (process: LinuxProcess) =>
    pagingContext(registersFor(livingOf(process).tables));
  const linux: Partial<LinuxGuest> = {
    contextOf,
    processes: () => Promise.resolve(world.living.map(({ process }) => process)),
    process: (wanted) => {
      const found = world.living.find(({ process }) => process.pid === wanted);
      return found ? Promise.resolve(found.process) : Promise.reject(
        new NoSuchProcessError(Number(wanted), `The guest has no process ${wanted}`),
      );
    },
    dmesg: (options) => {
      answers.dmesg?.();
      if (answers.partial !== undefined) options?.onPartial?.(answers.partial);
      return Promise.resolve(world.log.map((record) => ({ ...record, level: 6 })));
    },
    loggedPages: (records, options) => {
      const owners = (options?.among ?? world.living.map(({ process }) => process))
        .map((process) => ({ process, context: contextOf(process) }));
      return findLoggedPages(world.memory, owners, records);
    },
    // deno-lint-ignore require-await -- errors are rejections
    vfioMappings: async (process) => answers.mappings?.(livingOf(process)) ?? [],
    // deno-lint-ignore require-await -- the same
    vmas: async (process) => answers.vmas?.(livingOf(process)) ?? [],
    vfioContainers: (process) =>
      Promise.resolve(
        answers.mappings
          ? [{ mappings: answers.mappings(livingOf(process)), tables: null, domains: [] }]
          : [],
      ),
  };
  return linux as LinuxGuest;
}

/** Runs the check and answers the verdict and the summary. */
async function check(
  world: World,
  answers: Answers = {},
  options: VerifyVfioOptions = {},
): Promise<[string, string[]]> {
  const linux = linuxOf(world, answers);
  const guest = { memory: world.memory, linux: () => Promise.resolve(linux), physicalAddressBits };
  const tally = new VfioTally();
  for await (const judgement of verifyVfio(guest, options)) tally.add(judgement);
  return [tally.verdict, vfioSummary(tally)];
}

/** A process with so many pages, the first of them cleared. */
function target(world: World, pages: number, cleared: number): Living {
  const living = world.start("target");
  for (let i = 0; i < pages; i++) {
    world.map(living, ADDRESS + BigInt(i * 4096));
    if (i < cleared) world.clear(living, ADDRESS + BigInt(i * 4096));
  }
  return living;
}

function pinned(pages: number): VfioMapping {
  const rights = { readable: true, writable: true };
  const owner = { kind: "self", pid: 0 } as const;
  return { iova: 0n, address: ADDRESS, lengthBytes: pages * 4096, ...rights, owner };
}

/** Only the first process has pinned something. */
function pinnedBy(living: Living, pages: number): Answers {
  return { mappings: (asked) => asked === living ? [pinned(pages)] : [] };
}

const physicalAddressBits = () => Promise.resolve(40);

const DEVICES = "not looked at: devices' memory, what devices reach";

Deno.test("what stays pinned though its process is gone is told, and never passes", async () => {
  for (const kind of ["ended", "formerProgram"] as const) {
    const world = new World();
    const living = target(world, 8, 8);
    const gone = { ...pinned(8), iova: 0x10_0000n, owner: { kind, pid: 77 } };
    const mappings = (asked: Living) => asked === living ? [pinned(8), gone] : [];
    const [verdict, lines] = await check(world, { mappings });
    assertEquals(verdict, "inconclusive");
    assertStringIncludes(lines.join("\n"), "8 of 8 pinned pages pass");
  }
});

Deno.test("a device's memory that no open file of VFIO's goes with never passes", async () => {
  const world = new World();
  const living = target(world, 2, 2);
  const area = { kind: "vfio", start: ADDRESS, end: ADDRESS + 8192n, name: "[vfio-device]" };
  const vmas = (asked: Living) => asked === living ? [area as MemoryArea] : [];
  const sources = ["pinned", "device"] as const;
  const [passed] = await check(world, { vmas, mappings: () => [] }, { sources });
  assertEquals(passed, "pass");
  const [verdict, lines] = await check(world, { vmas }, { sources });
  assertEquals(verdict, "inconclusive");
  assertStringIncludes(lines.join("\n"), "2 of 2 pages of devices' memory pass");
});

Deno.test("a log of cleared pages does not pass beside a container that is only mapped", async () => {
  const world = new World();
  const living = target(world, 2, 2);
  const area = { kind: "vfio", start: ADDRESS, end: ADDRESS + 8192n, name: "[vfio-device]" };
  const vmas = (asked: Living) => asked === living ? [area as MemoryArea] : [];
  assertEquals((await check(world))[0], "pass");
  assertEquals((await check(world, { vmas, mappings: () => [] }))[0], "pass");
  const [verdict, lines] = await check(world, { vmas });
  assertEquals(verdict, "inconclusive");
  assertStringIncludes(lines.join("\n"), "2 of 2 pages that the log names pass");
});

Deno.test("what is pinned and still open fails, though all that the log names is cleared", async () => {
  const world = new World();
  const living = target(world, 8, 5);
  world.start("bystander");
  assertEquals(await check(world, pinnedBy(living, 8)), ["fail", [
    "[-] Verification FAILED: 5 of 5 pages that the log names pass; 5 of 8 pinned pages pass, " +
    `3 fail; ${DEVICES}`,
  ]]);
  assertEquals(await check(world, pinnedBy(living, 5)), ["pass", [
    "[+] Verification PASSED: 5 of 5 pages that the log names pass; 5 of 5 pinned pages pass; " +
    DEVICES,
  ]]);
});

Deno.test("a source with nothing in it is said, and changes nothing", async () => {
  const empty = new World();
  const quiet = target(empty, 4, 4);
  empty.log.length = 0;
  assertEquals(await check(empty, pinnedBy(quiet, 4)), ["pass", [
    `[+] Verification PASSED: the log names no page; 4 of 4 pinned pages pass; ${DEVICES}`,
  ]]);
  assertEquals(await check(empty), ["inconclusive", [
    `[-] Verification INCONCLUSIVE: the log names no page; VFIO has pinned nothing; ${DEVICES}`,
  ]]);
  const world = new World();
  target(world, 4, 4);
  assertEquals((await check(world))[0], "pass");
});

Deno.test("where the kernel has no types, the list of pinned memory is said not to be checked", async () => {
  const mappings = () => {
    throw new CapabilityError("types", "This kernel has no type data");
  };
  const world = new World();
  target(world, 4, 4);
  assertEquals(await check(world, { mappings }), ["pass", [
    "[!] what VFIO has pinned was not checked: This kernel has no type data",
    "[+] Verification PASSED: 4 of 4 pages that the log names pass; what VFIO has pinned was not " +
    `checked; ${DEVICES}`,
  ]]);
  const [nothing] = await check(world, { mappings }, { sources: ["pinned"] });
  assertEquals(nothing, "inconclusive");
});

Deno.test("what one process hides is inconclusive, and outweighs no failure", async () => {
  const world = new World();
  const living = target(world, 4, 4);
  const hidden = world.start("iommufd-user");
  for (
    const error of [
      new CapabilityError("vfio", "Process 101 maps memory for DMA by iommufd"),
      new InconsistentListError("The process's DMA mappings", 20),
    ]
  ) {
    const answers: Answers = {
      mappings: (asked) => {
        if (asked === hidden) throw error;
        return [pinned(4)];
      },
    };
    assertEquals((await check(world, answers))[0], "inconclusive");
    assertEquals((await check(world, answers, { process: living.process.pid }))[0], "pass");
    living.tables.setRights(ADDRESS, 1, { user: true });
    assertEquals((await check(world, answers))[0], "fail");
    living.tables.setRights(ADDRESS, 1, { user: false });
  }
  // Handed over to another process: where it lies now is not known.
  const handedOver: Answers = { mappings: () => [{ ...pinned(4), address: null }] };
  assertEquals((await check(world, handedOver))[0], "inconclusive");
  const away: Answers = { mappings: () => [{ ...pinned(4), address: 0x10_0000n }] };
  assertEquals((await check(world, away))[0], "inconclusive");
});

Deno.test("a part of a log, or one that cannot be read, is no pass", async () => {
  const world = new World();
  const living = target(world, 4, 4);
  const [partial, lines] = await check(world, {
    ...pinnedBy(living, 4),
    partial: "only the newest 262144 records were read",
  });
  assertEquals(partial, "inconclusive");
  assertEquals(lines.at(-1)!.includes("the log could not be read completely"), true);
  const dmesg = () => {
    throw new CapabilityError("dmesg", "This kernel keeps its log in another way");
  };
  assertEquals(await check(world, { ...pinnedBy(living, 4), dmesg }), ["pass", [
    "[!] the log was not checked: This kernel keeps its log in another way",
    `[+] Verification PASSED: the log was not checked; 4 of 4 pinned pages pass; ${DEVICES}`,
  ]]);
});

Deno.test("a log buffer that has wrapped is said to have, and one with a gap is no pass", async () => {
  const world = new World();
  const living = target(world, 4, 4);
  const answers = pinnedBy(living, 4);
  for (const [i, record] of world.log.entries()) record.sequence = 70n + BigInt(i);
  assertEquals(await check(world, answers), ["pass", [
    "[!] the log buffer has wrapped: its first 70 records are lost",
    "[+] Verification PASSED: 4 of 4 pages that the log names pass; 4 of 4 pinned pages pass; " +
    DEVICES,
  ]]);
  world.log.at(-1)!.sequence += 3n;
  const [verdict, lines] = await check(world, answers);
  assertEquals(verdict, "inconclusive");
  assertEquals(lines.at(-1)!.includes("the log could not be read completely"), true);
});

Deno.test("one process is asked for: every record is judged in it, and none left out", async () => {
  const world = new World();
  target(world, 4, 4);
  const other = world.start("other");
  world.map(other);
  const [verdict, [line]] = await check(world, {}, { process: other.process.pid });
  assertEquals(verdict, "fail");
  assertEquals(
    line,
    "[-] Verification FAILED: 0 of 4 pages that the log names pass, 1 fails, 3 could not be " +
      `judged; VFIO has pinned nothing; ${DEVICES}`,
  );
  await assertRejects(() => check(world, {}, { process: 9999 }), NoSuchProcessError);
});

Deno.test("a process that has ended when its pages had been read is not judged", async () => {
  const world = new World();
  const living = target(world, 4, 4);
  const answers = pinnedBy(living, 4);
  const linux = linuxOf(world, answers);
  linux.process = () => Promise.reject(new NoSuchProcessError(100, "gone"));
  const tally = new VfioTally();
  const guest = { memory: world.memory, linux: () => Promise.resolve(linux), physicalAddressBits };
  for await (const judgement of verifyVfio(guest)) tally.add(judgement);
  assertEquals([tally.verdict, tally.sources.log.items.inconclusive], ["inconclusive", 4]);
});

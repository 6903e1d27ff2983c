import { access, type CpuRegisters, pagingContext, walk } from "@pagewalk/pagewalk";
import { assert, assertEquals } from "@std/assert";
import type { PageTableMode } from "../../src/testing/page_table_builder.ts";
import { qemuAvailable } from "../../src/testing/qemu_process.ts";
import {
  type AccessCase,
  type AccessResult,
  type AccessTables,
  accessTables,
  performAccesses,
} from "./_access_guest.ts";
import { TCG_DEVIATIONS } from "./_tcg_deviations.ts";

const qemu = await qemuAvailable();
const PG_PE = 0x8000_0011n;
const WP = 1n << 16n;
const LME = 1n << 8n;
const LMA = 1n << 10n;
const NXE = 1n << 11n;
const SMEP = 1n << 20n;
const SMAP = 1n << 21n;
const PKE = 1n << 22n;
const PKS = 1n << 24n;
const CR4: Record<PageTableMode, bigint> = {
  "32-bit": 0x10n,
  "pae": 0x20n,
  "4-level": 0x20n,
  "5-level": 0x1020n,
};
/** TCG's `-cpu max` has 40 physical address bits (QEMU 7.2: `qom-get … phys-bits`). */
const PHYSICAL_ADDRESS_BITS = 40;

const BOTH = [false, true];

/** Every access to every page under every combination of the registers that have a say. */
function* casesOf({ mode, pages }: AccessTables): Generator<AccessCase> {
  const long = mode === "4-level" || mode === "5-level";
  for (const page of pages) {
    for (const wp of BOTH) {
      for (const nxe of mode === "32-bit" ? [false] : BOTH) {
        for (const smep of BOTH) {
          for (const smap of BOTH) {
            for (const keys of page.key > 0 ? [0, 1, 2, 3] : [0]) {
              const registers = {
                cr0: PG_PE | (wp ? WP : 0n),
                cr4: CR4[mode] | (smep ? SMEP : 0n) | (smap ? SMAP : 0n) |
                  (page.key > 0 && keys > 0 ? PKE | PKS : 0n),
                efer: (long ? LME : 0n) | (nxe ? NXE : 0n),
                // Key 1: forbid accesses (1), writes (2), both (3); key 0 stays open to the program.
                pkru: keys << 2,
                pkrs: keys << 2,
              };
              yield* accessesUnder(page, registers);
            }
          }
        }
      }
    }
  }
}

function* accessesUnder(
  page: AccessCase["page"],
  registers: Pick<AccessCase, "cr0" | "cr4" | "efer" | "pkru" | "pkrs">,
): Generator<AccessCase> {
  for (const user of BOTH) {
    for (const [write, fetch] of [[false, false], [true, false], [false, true]] as const) {
      // RFLAGS.AC has a say in SMAP only.
      for (const alignmentCheck of registers.cr4 & SMAP ? BOTH : [false]) {
        yield { page, ...registers, user, write, fetch, alignmentCheck };
      }
    }
  }
}

async function foretell(tables: AccessTables, one: AccessCase): Promise<AccessResult> {
  const registers: Pick<CpuRegisters, "cr0" | "cr3" | "cr4" | "efer"> = {
    cr0: one.cr0,
    cr3: tables.root,
    cr4: one.cr4,
    efer: one.efer & LME ? one.efer | LMA : one.efer,
  };
  const key = JSON.stringify([one.page.address, one.cr0, one.cr4, one.efer].map(String));
  let known = walks.get(key);
  if (!known) {
    const context = pagingContext(registers, { physicalAddressBits: PHYSICAL_ADDRESS_BITS });
    known = { context, walk: await walk(tables.memory, context, one.page.address) };
    walks.set(key, known);
  }
  const verdict = access(known.walk, known.context, {
    cpl: one.user ? 3 : 0,
    write: one.write,
    fetch: one.fetch,
    alignmentCheck: one.alignmentCheck,
    pkru: one.pkru,
    pkrs: one.pkrs,
  });
  switch (verdict.outcome) {
    case "ok":
      return { went: "through" };
    case "pageFault":
      return { went: "fault", vector: 14, error: verdict.error.code, cr2: one.page.address };
    case "generalProtection":
      return { went: "fault", vector: 13, error: 0, cr2: 0n };
    case "unknown":
      throw new Error(verdict.reason);
  }
}
const walks = new Map<
  string,
  { context: ReturnType<typeof pagingContext>; walk: Awaited<ReturnType<typeof walk>> }
>();

for (const mode of ["32-bit", "pae", "4-level", "5-level"] as const) {
  Deno.test({
    name: `access() foretells what a real vCPU does, ${mode}`,
    ignore: qemu === null && Deno.env.get("CI") !== "true",
    async fn() {
      const tables = accessTables(mode);
      const cases = [...casesOf(tables)];
      const started = performance.now();
      const seen = await performAccesses(tables, cases);
      const tookMs = performance.now() - started;
      walks.clear();
      const differing = new Map<string, number>();
      const deviating = new Map<string, number>();
      const count = (counts: Map<string, number>, key: string) =>
        counts.set(key, (counts.get(key) ?? 0) + 1);
      let faults = 0;
      for (const [i, one] of cases.entries()) {
        const foretold = await foretell(tables, one);
        const real = seen[i]!;
        if (real.went === "fault") faults++;
        if (show(foretold) === show(real)) continue;
        const deviation = TCG_DEVIATIONS.find((known) => {
          const instead = known.seen(foretold, one);
          return instead !== null && show(instead) === show(real);
        });
        if (deviation) count(deviating, deviation.about);
        else count(differing, `${describe(one)}: ${show(foretold)} foretold, ${show(real)} seen`);
      }
      console.log(
        `${mode}: ${cases.length} accesses to ${tables.pages.length} kinds of page, ${faults} faults, ` +
          `${differing.size} differ (QEMU ${qemu?.version}, ${Math.round(tookMs)} ms)`,
      );
      for (const [about, times] of deviating) {
        console.log(`  as known of TCG: ${about}, ${times} times`);
      }
      assert(faults > 0 && faults < cases.length);
      assertEquals([...differing.keys()].slice(0, 40), []);
    },
  });
}

function show(result: AccessResult): string {
  if (result.went === "through") return "goes through";
  const { vector, error, cr2 } = result;
  // #GP leaves CR2 as it was.
  if (vector !== 14) return `vector ${vector}, error ${error.toString(2)}`;
  return `vector ${vector}, error ${error.toString(2)}, CR2 ${cr2.toString(16)}`;
}

function describe({ page, cr0, cr4, efer, user, write, fetch, ...others }: AccessCase): string {
  const set = [
    cr0 & WP && "WP",
    efer & NXE && "NXE",
    cr4 & SMEP && "SMEP",
    cr4 & SMAP && "SMAP",
    cr4 & PKE && `keys ${others.pkru >> 2}`,
    others.alignmentCheck && "AC",
  ].filter(Boolean);
  return `${user ? "user" : "supervisor"} ${write ? "write" : fetch ? "fetch" : "read"} of ` +
    `${page.about} at ${page.address.toString(16)} with ${set.join(" ") || "nothing"}`;
}

import { assert, assertEquals } from "@std/assert";
import {
  isRiscvRegisters,
  parseRiscvRegisters,
  type PrintedRiscvRegisters,
} from "../../src/arch/riscv/parse_registers.ts";
import { riscvRegimeOf, riscvStagesOf } from "../../src/arch/riscv/hart_regime.ts";

/** Replies of Debian's 7.2.22, 10.0.13 and 11.1.3 with Linux 7.2. */
function fixture(version: string): string {
  return Deno.readTextFileSync(
    new URL(`../fixtures/riscv/registers_${version}.txt`, import.meta.url),
  );
}

function parsed(reply: string): PrintedRiscvRegisters[] {
  const all = parseRiscvRegisters(reply);
  assert(Array.isArray(all), Deno.inspect(all));
  return all;
}

function regimeOf(reply: string) {
  const [first] = parsed(reply);
  return riscvRegimeOf({ ...first!, cpu: first!.cpu ?? 0 });
}

/** The registers that count, as 7.2 and 10.0 print them. */
function old(values: { v?: 0 | 1; mstatus?: string; satp: string }): string {
  const { v = 0, mstatus = "0000000a000000a0", satp } = values;
  return `\r\nCPU#0\r\n V      =   ${v}\r\n pc       ${"0".repeat(satp.length)}\r\n` +
    ` mstatus  ${mstatus}\r\n satp     ${satp}\r\n`;
}

/** The same, as 11.1 does. */
function recent(
  values: { v?: 0 | 1; priv?: string; satp: string; others?: Record<string, string> },
): string {
  const { v = 0, priv = "S", satp, others = {} } = values;
  const lines = { mstatus: "0000000a000000a0", satp, ...others };
  return `\nCPU#0\n priv          ${priv}\n V             ${v}\n` +
    ` pc            ffffffff80dd3620\n` +
    Object.entries(lines).map(([name, digits]) => ` ${name.padEnd(13)} ${digits}\n`).join("");
}

Deno.test("registers of each version give the mode and the root", () => {
  for (
    const [version, mode, root, privilege] of [
      ["7.2", "Sv48", 0x8388_a000n, undefined],
      ["10.0", "Sv57", 0x838f_9000n, undefined],
      ["11.1", "Sv39", 0x839b_0000n, "S"],
    ] as const
  ) {
    const reply = fixture(version);
    assert(isRiscvRegisters(reply), version);
    const [hart] = parsed(reply);
    assertEquals([hart?.cpu, hart?.xlen, hart?.privilege], [0, 64, privilege], version);
    const regime = regimeOf(reply);
    assertEquals([regime.mode, regime.root, regime.noTables], [mode, root, undefined], version);
  }
});

Deno.test("the second CPU's block is read by its number, and a reply without a header has none", () => {
  const one = old({ satp: "8000000000087f41" });
  const two = `${one}${one.replace("CPU#0", "CPU#7")}`;
  assertEquals(parsed(two).map(({ cpu }) => cpu), [0, 7]);
  assertEquals(parsed(one.replace("\r\nCPU#0\r\n", "")).map(({ cpu }) => cpu), [null]);
});

Deno.test("a 32-bit hart is told by its mstatus, also where 16 digits are printed", () => {
  const short = old({ mstatus: "00000080", satp: "82480010" });
  const long = old({ mstatus: "0000000000000080", satp: "0000000082480010" });
  for (const reply of [short, long]) {
    assertEquals(parsed(reply)[0]?.xlen, 32);
    const { mode, root } = regimeOf(reply);
    // The address-space number in bits 30 to 22 is no part of the root.
    assertEquals([mode, root], ["Sv32", 0x8001_0000n]);
  }
});

Deno.test("V=1, machine mode and MODE 0 give no tables", () => {
  const satp = "8000700000040020";
  const kinds = [
    old({ v: 1, satp }),
    recent({ v: 1, satp }),
    recent({ priv: "M", satp }),
    old({ satp: "0000000000000000" }),
    recent({ satp: "0000000000087f41" }),
    recent({ satp: "5000000000087f41" }),
  ].map((reply) => regimeOf(reply).noTables?.kind);
  assertEquals(kinds, ["nested", "nested", "firmware", "pagingOff", "pagingOff", "pagingOff"]);
  assertEquals(regimeOf(recent({ priv: "U", satp })).noTables, undefined);
});

Deno.test("damaged registers are named, not guessed", () => {
  const good = recent({ satp: "8000000000087f41" });
  const all: [string, string][] = [
    [good.replace(/ satp.*\n/, ""), "satp"],
    [good.replace("8000000000087f41", "8000000000087f4"), "satp"],
    [good.replace("8000000000087f41", "8000000000087f4g"), "satp"],
    [good.replace("8000000000087f41", "8000000000087f41 x"), "satp"],
    [good.replace(/ priv.*\n/, ""), "priv"],
    [good.replace(" V             0", " V             2"), "V"],
    [good.replace(/ mstatus.*\n/, ""), "mstatus"],
    ["", "registers"],
  ];
  for (const [reply, missing] of all) assertEquals(parseRiscvRegisters(reply), { missing });
});

Deno.test("the two stages are known only where vsatp and hgatp are told", () => {
  const satp = "8000700000040020";
  const [before] = parsed(old({ v: 1, satp }));
  assertEquals(riscvStagesOf({ ...before!, cpu: 0 }), null);
  const others = { vsatp: satp, hgatp: "8000500000080013" };
  const [after] = parsed(recent({ v: 1, satp, others }));
  const stages = riscvStagesOf({ ...after!, cpu: 0 });
  assertEquals([stages?.first?.mode, stages?.first?.root], ["Sv39", 0x4002_0000n]);
  // The root of a second stage is 16 KiB aligned.
  assertEquals([stages?.second?.mode, stages?.second?.root], ["Sv39x4", 0x8001_0000n]);
});

Deno.test("menvcfg and the format say which bits of an entry exist", () => {
  const others = { menvcfg: "0000000000000000" };
  const withoutTypes = regimeOf(recent({ satp: "8000000000087f41", others }));
  const reserved = (regime: typeof withoutTypes, raw: bigint) =>
    regime.spans[0]!.levels[2]!.decode(raw, 0n, 0).reservedBits;
  const [nc, software] = [0xcfn | 1n << 61n, 0xcfn | 1n << 59n];
  assertEquals(reserved(withoutTypes, nc), 1n << 61n);
  assertEquals(reserved(withoutTypes, software), 0n);
  const before = regimeOf(old({ satp: "8000000000087f41" }));
  assertEquals(reserved(before, nc), 0n);
  assertEquals(reserved(before, software), 1n << 59n);
});

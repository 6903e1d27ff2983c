import { assertEquals, assertThrows } from "@std/assert";
import { flag, oneOf, parseCommandLine, value, wholeNumber } from "../../src/cli/options.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { parseAddress } from "../../src/core/address.ts";

const SPECS = {
  json: flag("print JSON"),
  cpu: wholeNumber("N", "the vCPU", 0, 255),
  root: value("ADDR", "the root", parseAddress),
  expect: oneOf(["cleared", "set"], "what to expect"),
};

Deno.test("parseCommandLine() keeps addresses as text and turns options into values", () => {
  const args = ["1334", "--cpu", "1", "0x7f1234567000", "--json", "--root=0xffffffff81000000"];
  assertEquals(parseCommandLine(args, SPECS), {
    positionals: ["1334", "0x7f1234567000"],
    options: { json: true, cpu: 1, root: 0xffffffff81000000n, expect: undefined },
  });
});

Deno.test("parseCommandLine() takes an empty value where one may be empty, and no missing one", () => {
  const specs = {
    ...SPECS,
    comm: { ...value("NAME", "the name", String), mayBeEmpty: true },
  } as const;
  for (const args of [["--comm", ""], ["--comm="], ["--json", "--comm", ""]]) {
    assertEquals(parseCommandLine(args, specs).options.comm, "");
  }
  for (const args of [["--comm"], ["--json", "--comm"]]) {
    assertThrows(() => parseCommandLine(args, specs), InvalidArgumentError, "--comm needs a value");
  }
});

Deno.test("parseCommandLine() takes everything behind -- as it stands", () => {
  assertEquals(parseCommandLine(["--", "--json"], SPECS).positionals, ["--json"]);
});

Deno.test("parseCommandLine() says what is wrong with an option", () => {
  const cases: [string[], string][] = [
    [
      ["--jsno"],
      "Unknown option --jsno: did you mean --json? The options are --json, --cpu, --root, --expect",
    ],
    [["-x"], "Unknown option -x"],
    [["--cpu"], "--cpu needs a value: N"],
    [["--cpu", "256"], "--cpu: it must be a whole number from 0 to 255"],
    [["--cpu", "0x1"], "--cpu: it must be a whole number"],
    [["--root", "ffff"], "--root: Not an address"],
    [["--expect", "clear"], "--expect: it must be cleared or set"],
  ];
  for (const [args, message] of cases) {
    assertThrows(() => parseCommandLine(args, SPECS), InvalidArgumentError, message);
  }
});

Deno.test("parseCommandLine() names the option that was most likely meant", () => {
  const specs = { sample: wholeNumber("MS", "sample"), json: flag("print JSON") };
  assertThrows(
    () => parseCommandLine(["--sampel=5"], specs),
    InvalidArgumentError,
    "Unknown option --sampel=5: did you mean --sample? The options are --sample, --json",
  );
});

import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { BOOLEAN, checkOptions, nearest, TEXT, wholeNumberFrom } from "../../src/core/options.ts";

interface Options {
  user?: boolean;
  lengthBytes?: number;
  comm?: string;
}
const SHAPE = { user: BOOLEAN, lengthBytes: wholeNumberFrom(1), comm: TEXT };
const check = (options: unknown) =>
  checkOptions(options as Options, "the options", SHAPE, { leaf: 'scope: "leaf"' });

Deno.test("checkOptions() takes known keys with values of their type, and what is undefined", () => {
  check({});
  check({ user: false, lengthBytes: 4096, comm: "target" });
  check({ user: undefined });
});

Deno.test("checkOptions() names the nearest key, or what to write instead", () => {
  const message = (options: unknown) =>
    assertThrows(() => check(options), InvalidArgumentError).message;
  assertEquals(
    message({ usr: true }),
    'Unknown key "usr" in the options: did you mean user? The keys are user, lengthBytes, comm',
  );
  assertEquals(
    message({ leaf: true }).slice(0, 66),
    'Unknown key "leaf" in the options: did you mean scope: "leaf"? The',
  );
  assertEquals(
    message({ quux: 1 }),
    'Unknown key "quux" in the options; the keys are user, lengthBytes, comm',
  );
  assertThrows(() => check({ constructor: 1 }), InvalidArgumentError, "constructor");
  assertThrows(() => check(JSON.parse('{"__proto__": 1}')), InvalidArgumentError, "__proto__");
});

Deno.test("checkOptions() refuses values of the wrong type, and says which and what they are", () => {
  for (
    const [options, message] of [
      [{ user: "no" }, 'user of the options must be true or false: it is "no"'],
      [{ user: 0 }, "it is 0"],
      [{ user: null }, "it is null"],
      [{ lengthBytes: NaN }, "a whole number from 1 up: it is NaN"],
      [{ lengthBytes: -1 }, "it is -1"],
      [{ lengthBytes: 1.5 }, "it is 1.5"],
      [{ lengthBytes: 4096n }, "it is 4096"],
      [{ lengthBytes: "4096" }, 'it is "4096"'],
      [{ comm: "" }, "not empty"],
      [5, "must be an object with keys of user, lengthBytes, comm: it is 5"],
      [null, "it is null"],
      [[], "it is an array"],
      ["0x1000", 'it is "0x1000"'],
    ] as const
  ) assertThrows(() => check(options), InvalidArgumentError, message);
});

Deno.test("nearest() finds what was most likely meant, and nothing where nothing is near", () => {
  const words = ["user", "writable", "executable", "present", "scope", "maxTables", "filter"];
  for (
    const [typed, meant] of [
      ["usr", "user"],
      ["User", "user"],
      ["writeable", "writable"],
      ["exec", "executable"],
      ["flter", "filter"],
      ["maxtables", "maxTables"],
      ["presnet", "present"],
      ["quux", null],
      ["x", null],
    ] as const
  ) assertEquals(nearest(typed, words), meant, typed);
  assertEquals(nearest("f", ["x", "xp"]), null);
  assertEquals(nearest("X", ["x", "xp"]), "x");
});

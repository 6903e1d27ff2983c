import { assertEquals } from "@std/assert";
import { LAB_PRESETS } from "../lab/presets.ts";
import { kernelsFor } from "./prepare_lab.ts";
import { unitsOf } from "./test_units.ts";

Deno.test("kernelsFor() finds the kernels of the presets that the chosen tests boot", () => {
  const texts: Record<string, string> = {
    "a_test.ts": 'Deno.test(await labTest("a", "pae", fn));',
    "b_test.ts": 'const lab = await startLab("4-level");',
    "c_test.ts": 'Deno.test("2-level tables that nobody boots", fn);',
  };
  const kernels = (...files: string[]) =>
    [...kernelsFor(unitsOf(files), (file) => texts[file]!)].map(({ imagePackage }) => imagePackage);
  assertEquals(kernels("a_test.ts"), ["linux-image-686-pae"]);
  assertEquals(kernels("a_test.ts", "b_test.ts", "c_test.ts").sort(), [
    "linux-image-686-pae",
    LAB_PRESETS["4-level"].kernel.imagePackage,
  ]);
  assertEquals(kernels("c_test.ts"), []);
});

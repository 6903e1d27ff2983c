import { fetchKernel, NEWEST } from "../kernels/debian_kernels.ts";
import { buildLab } from "../lab/build.ts";
import { LabUnavailableError } from "../lab/errors.ts";
import type { LabKernel } from "../lab/kernels.ts";
import { LAB_PRESETS } from "../lab/presets.ts";
import type { TestUnit } from "./test_units.ts";

/**
 * Builds the lab's guests that tests will boot, and says what it downloads and builds: within a test nobody
 * would see it. Those that cannot be had are skipped, or fail, where they are tested.
 */
export async function prepareLab(
  units: readonly TestUnit[],
  textOf: (file: string) => string,
): Promise<void> {
  const progress = (line: string) => console.log(`[lab] ${line}`);
  const make: (() => Promise<unknown>)[] = [...kernelsFor(units, textOf)].map((kernel) => () =>
    buildLab(kernel, { progress })
  );
  if (textsOf(units, textOf).some((text) => text.includes("fetchKernel(NEWEST"))) {
    make.push(() => fetchKernel(NEWEST, progress));
  }
  for (const one of make) {
    try {
      await one();
    } catch (error) {
      if (!(error instanceof LabUnavailableError)) throw error;
      console.log(`[lab] ${error.message}`);
    }
  }
}

/** The kernels of the presets that test files name. */
export function kernelsFor(
  units: readonly TestUnit[],
  textOf: (file: string) => string,
): Set<LabKernel> {
  const texts = textsOf(units, textOf).filter((text) => /\b(?:labTest|startLab)\b/.test(text));
  const named = Object.entries(LAB_PRESETS).filter(([name]) =>
    texts.some((text) => text.includes(name))
  );
  return new Set(named.map(([, { kernel }]) => kernel));
}

function textsOf(units: readonly TestUnit[], textOf: (file: string) => string): string[] {
  const files = units.flatMap(({ args }) => args.filter((arg) => arg.endsWith("_test.ts")));
  return [...new Set(files)].map(textOf);
}

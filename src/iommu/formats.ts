import type { Regime } from "../translate/regime.ts";
import { amdviRegime } from "./amdvi/regime.ts";
import { firstLevelRegime } from "./vtd/first_level.ts";
import { secondLevelRegime } from "./vtd/second_level.ts";

type Maker = (root: bigint, levels: number) => Regime | null;

const ANY = [true, false];
const AMDVI = ANY.flatMap((readable) =>
  ANY.map((writable): Maker => (root, levels) => amdviRegime(root, levels, { readable, writable }))
);
const MAKERS: readonly Maker[] = [firstLevelRegime, secondLevelRegime, ...AMDVI];
const MAX_LEVELS = 6;

/** One kind of tables, for what keeps tables in a file. */
export interface IommuFormat {
  /** The name of its regimes' rules. */
  readonly name: string;
  /** The regime with this mode and root; null if there is none. */
  regimeFrom(state: Readonly<Record<string, unknown>>): Regime | null;
}

/** The kinds of IOMMU tables: each makes a regime again from its mode and root. */
export const IOMMU_FORMATS: readonly IommuFormat[] = [
  "vtd-first-level",
  "vtd-second-level",
  "amdvi-v1",
].map((name) => ({ name, regimeFrom: (state) => regimeFrom(name, state) }));

function regimeFrom(name: string, { mode, root }: Readonly<Record<string, unknown>>) {
  if (typeof root !== "bigint") return null;
  for (const make of MAKERS) {
    for (let levels = 1; levels <= MAX_LEVELS; levels++) {
      const regime = make(root, levels);
      if (regime !== null && regime.mode === mode && regime.rules.architecture === name) {
        return regime;
      }
    }
  }
  return null;
}

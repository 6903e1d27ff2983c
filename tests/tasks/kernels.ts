/**
 * `deno task test:kernels`: boots Debian's kernels from 5.10 to the newest, each on five machines, and
 * compares what is read from guest memory with what the guest says of itself. The kernels are fetched
 * once. Not part of CI. Arguments are kernels: `deno task test:kernels 5.10 newest`.
 */
import { checkKernel, CHECKS } from "../kernels/check_kernel.ts";
import { DEBIAN_KERNELS, type FetchedKernel, fetchKernel } from "../kernels/debian_kernels.ts";
import type { KernelSettings } from "../kernels/kernel_guest.ts";
import { SETTINGS, settingsText } from "../kernels/settings.ts";
import { LabError, LabUnavailableError } from "../lab/mod.ts";

const unknown = Deno.args.filter((arg) => !DEBIAN_KERNELS.some(({ name }) => name === arg));
if (unknown.length > 0) {
  const known = DEBIAN_KERNELS.map(({ name }) => name).join(", ");
  console.error(`There is no kernel ${unknown.join(", ")} here, only ${known}`);
  Deno.exit(3);
}
const kernels = DEBIAN_KERNELS.filter(({ name }) =>
  Deno.args.length === 0 || Deno.args.includes(name)
);
const WIDTHS = [28, 31, ...CHECKS.map(() => 10)];
let failed = 0;
printRow("kernel", "machine", ...CHECKS);
for (const kernel of kernels) {
  try {
    const fetched = await fetchKernel(kernel, (line) => console.error(`[kernels] ${line}`));
    for (const settings of SETTINGS) failed += await checkMachine(fetched, settings);
  } catch (error) {
    if (!(error instanceof LabUnavailableError)) throw error;
    console.log(`${kernel.name}: ${error.message}`);
    failed++;
  }
}
console.log(failed === 0 ? "No difference." : "There are differences.");
Deno.exit(failed === 0 ? 0 : 1);

/** Compares one kernel on one machine, and returns how much was wrong. A guest that dies counts too. */
async function checkMachine(kernel: FetchedKernel, settings: KernelSettings): Promise<number> {
  try {
    const checks = await checkKernel(kernel, settings);
    const cells = CHECKS.map((name) => {
      const { compared, differences } = checks[name];
      return differences.length === 0 ? `${compared}` : `${differences.length} DIFFER`;
    });
    printRow(kernel.release, settingsText(settings), ...cells);
    const lines = CHECKS.flatMap((name) =>
      checks[name].differences.slice(0, 10).map((line) => `  ${name}: ${line}`)
    );
    for (const line of lines) console.log(line);
    return lines.length;
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    printRow(kernel.release, settingsText(settings), error.message);
    return 1;
  }
}

function printRow(...cells: string[]): void {
  console.log(cells.map((cell, i) => cell.padEnd(WIDTHS[i]!)).join("  ").trimEnd());
}

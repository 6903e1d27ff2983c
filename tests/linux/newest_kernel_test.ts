/** Debian's newest kernel: where Linux changes next, this test is the first to see it. */
import { assertEquals } from "@std/assert";
import { checkKernel, CHECKS } from "../kernels/check_kernel.ts";
import { fetchKernel, NEWEST } from "../kernels/debian_kernels.ts";
import { SETTINGS, settingsText } from "../kernels/settings.ts";
import { LabUnavailableError, whyNoLab } from "../lab/mod.ts";

const name = "Linux is what it says of itself on Debian's newest kernel";
const missing = await whyNoLab("4-level") ?? await whyNotFetched();

Deno.test({
  name: missing === undefined ? name : `${name} (skipped: ${missing})`,
  ignore: missing !== undefined,
  fn: async () => {
    const kernel = await fetchKernel(NEWEST, () => {});
    const settings = SETTINGS.find(({ la57, pti }) => la57 && pti)!;
    const checks = await checkKernel(kernel, settings);
    for (const check of CHECKS) assertEquals(checks[check].differences, [], check);
    const counts = CHECKS.map((check) => `${checks[check].compared} ${check}`).join(", ");
    console.log(`${kernel.release} (${settingsText(settings)}): ${counts}: no difference`);
  },
});

/** An archive may be out of reach, of CI too: the lab's own kernel is then tested all the same. */
async function whyNotFetched(): Promise<string | undefined> {
  try {
    await fetchKernel(NEWEST, () => {});
    return undefined;
  } catch (error) {
    if (error instanceof LabUnavailableError) return error.message;
    throw error;
  }
}

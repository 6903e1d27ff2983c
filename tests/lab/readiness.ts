import { buildLab } from "./build.ts";
import { LabUnavailableError } from "./errors.ts";
import { LAB_PRESETS, type LabPresetName } from "./presets.ts";
import { requireTools } from "./tools.ts";

/**
 * Says why a guest cannot be had on this machine, or undefined when it can (and then it is built).
 * Where everything must be there (`CI=true`), it throws instead: a test that is skipped there would
 * be one that nobody runs.
 *
 * ```ts ignore
 * const missing = await whyNoLab("4-level");
 * Deno.test({ name: `lab: …${missing ? ` (skipped: ${missing})` : ""}`, ignore: !!missing, fn });
 * ```
 */
export async function whyNoLab(preset: LabPresetName): Promise<string | undefined> {
  try {
    await requireTools(["qemu-system-x86_64", "setpriv"]);
    await buildLab(LAB_PRESETS[preset].kernel);
    return undefined;
  } catch (error) {
    if (error instanceof LabUnavailableError && Deno.env.get("CI") !== "true") {
      return error.message;
    }
    throw error;
  }
}

/** What `Deno.test` is given for a lab test: a name that tells why, if it is skipped. */
export async function labTest(
  name: string,
  preset: LabPresetName,
  fn: (t: Deno.TestContext) => Promise<void>,
): Promise<Deno.TestDefinition> {
  const missing = await whyNoLab(preset);
  const ignore = missing !== undefined;
  return { name: ignore ? `${name} (skipped: ${missing})` : name, ignore, fn };
}

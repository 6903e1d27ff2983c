/**
 * Boots a Linux guest with real VFIO and leaves it running, with the monitor on 1334 and the
 * gdbstub on 1234: something to point pagewalk at.
 *
 *     deno run -A tests/lab/main.ts --pti
 */
import { flag, oneOf, runCommand, value, wholeNumber } from "../../src/cli/mod.ts";
import { guestText, HELP_TEXT } from "./guest_text.ts";
import { LabError, LabGuest, type LabPreset, startLab } from "./mod.ts";
import { kernelNamed } from "./kernels.ts";
import { LAB_FEATURES, LAB_PRESETS, type LabFeature, type LabPresetName } from "./presets.ts";

const MONITOR_ABOVE_DEBUG = 100;

await runCommand({
  name: "tests/lab/main.ts",
  purpose: "Boot a Linux guest with real VFIO and leave it running",
  positionals: [],
  options: {
    preset: oneOf(Object.keys(LAB_PRESETS) as LabPresetName[], "a guest by name (default 4-level)"),
    pti: flag("page-table isolation and two processors"),
    la57: flag("five levels"),
    "high-memory": flag("4 GiB, half of it above the PCI hole"),
    huge: flag("a 1 GiB page"),
    vsyscall: flag("a vsyscall page that can be read"),
    scalable: flag("the IOMMU in scalable mode"),
    "first-level": flag("the same with first-level tables; QEMU 10.0 and later"),
    "amd-iommu": flag("AMD's IOMMU instead of Intel's; with --kernel linux-image-amd64"),
    "virtio-iommu": flag(
      "virtio's IOMMU instead of Intel's; --preset virtio-iommu has the kernel for it",
    ),
    "iommu-pt": flag("devices that VFIO does not have pass through the IOMMU"),
    decoy: flag("another process maps the DMA address too"),
    kernel: value("PACKAGE", "boot this image package; append :i386 for 32-bit ones", kernelNamed),
    "debug-port": wholeNumber(
      "N",
      "the gdbstub's port; the monitor's is 100 above (default 1234)",
      1,
      65535 - MONITOR_ABOVE_DEBUG,
    ),
    qemu: value("ARGS", "more arguments for QEMU, separated by spaces", (text) => text.split(" ")),
    update: flag("ask the archive for newer packages"),
  },
  permissions: "-A",
  examples: ["", "--pti --debug-port 2234", "--la57 --huge", "--preset pae"],
}, async ({ options }) => {
  const debugPort = options["debug-port"] ?? 1234;
  const monitorPort = debugPort + MONITOR_ABOVE_DEBUG;
  requireFree(debugPort, "the gdbstub");
  requireFree(monitorPort, "the monitor");
  const preset: LabPreset = LAB_PRESETS[options.preset ?? "4-level"];
  const interrupt = new AbortController();
  const interrupted = signalled();
  interrupted.then((signal) => interrupt.abort(new LabError(`stopped by ${signal}`)));
  const started = performance.now();
  const starting = startLab({
    kernel: options.kernel ?? preset.kernel,
    features: [...new Set([...preset.features, ...LAB_FEATURES.filter(isChosen)])],
  }, {
    monitorPort,
    gdbPort: debugPort,
    signal: interrupt.signal,
    progress: (line) => console.error(`[lab] ${line}`),
    refresh: options.update,
    ...options.qemu && { qemuArguments: options.qemu },
  });
  await using guest = await starting.catch((error) => {
    if (error === interrupt.signal.reason) return undefined;
    throw error;
  });
  if (guest === undefined) return console.error(`[lab] ${await interrupted}: stopped`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  await Deno.writeTextFile(`${guest.folder}/dmesg.log`, await guest.dmesg());
  console.log(guestText(guest, seconds));
  if (Deno.stdin.isTerminal()) serveTerminal(guest);
  const reason = await Promise.race([interrupted, guest.ended.then(() => "QEMU has ended")]);
  console.error(`[lab] ${reason}: stopping`);

  function isChosen(feature: LabFeature): boolean {
    return options[feature];
  }
});
// The terminal is still being read.
Deno.exit();

/** Tells of a taken port before anything is built: QEMU's own message names no way out. */
function requireFree(port: number, what: string): void {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new LabError(
      `port ${port}, for ${what}, is in use on this machine; choose others with --debug-port N`,
    );
  }
}

/** Resolves at the first signal that asks to stop. */
function signalled(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => resolve(signal));
  }
  return promise;
}

/** What is typed goes to the target, or after `!` to the guest's shell. */
async function serveTerminal(guest: LabGuest): Promise<void> {
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
  let partial = "";
  for await (const text of lines) {
    const parts = (partial + text).split("\n");
    partial = parts.pop() ?? "";
    for (const line of parts.map((part) => part.trim()).filter((part) => part !== "")) {
      try {
        console.log(await answer(guest, line));
      } catch (error) {
        if (!(error instanceof LabError)) throw error;
        console.error(error.message);
      }
    }
  }
}

async function answer(guest: LabGuest, line: string): Promise<string> {
  if (line === "help") return HELP_TEXT;
  if (line.startsWith("!")) return await guest.shell(line.slice(1));
  return [...await guest.request(line), "OK"].join("\n");
}

/** What a whole check costs, from the start of the process to its end. */
import { bundleCommand } from "../tasks/bundle_command.ts";
import { type BenchRow, measurePairs, ms, timePairs } from "./_measure.ts";
import { peakMebibytes, runScript, scriptCpuMs } from "./_process.ts";

/** Measures one verification against a Deno process that does nothing. */
export async function processBench(monitorPort: number, address: string): Promise<BenchRow[]> {
  const empty = new URL("./_empty.ts", import.meta.url).pathname;
  const script = new URL("../../examples/qemu_verify_pte.ts", import.meta.url).pathname;
  const verify = [`--allow-net=127.0.0.1:${monitorPort}`, script, `${monitorPort}`, address];
  const { aMs, bMs, ratio } = await timePairs(
    15,
    () => runScript(verify),
    () => runScript([empty]),
  );
  const cpu = (args: readonly string[]) =>
    measurePairs(15, () => scriptCpuMs(args), () => scriptCpuMs([empty]));
  const checked = await cpu(verify);
  const simulated = await cpu([script, "sim:", "0x7f1234567000"]);
  const packed = await Deno.makeTempDir({ prefix: "pagewalk-bench-" });
  await bundleCommand(packed);
  const [net, , ...checks] = verify;
  const bundled = await cpu([net!, `${packed}/pagewalk.js`, "verify", ...checks]);
  await Deno.remove(packed, { recursive: true });
  const [peak, emptyPeak] = [await peakMebibytes(verify), await peakMebibytes([empty])];
  return [
    {
      name: "one verification, whole process",
      figure: ms(aMs),
      against: `empty deno run ${ms(bMs)}`,
      ratio: `${ratio.toFixed(2)} times as long`,
    },
    {
      name: "its processor time",
      figure: ms(checked.aMs),
      against: `empty deno run ${ms(checked.bMs)}`,
      ratio: `${checked.ratio.toFixed(2)} times as much`,
      aim: "at most 2.2 times",
    },
    {
      name: "the same by the packed command",
      figure: ms(bundled.aMs),
      against: `empty deno run ${ms(bundled.bMs)}`,
      ratio: `${bundled.ratio.toFixed(2)} times as much`,
      aim: "at most 1.7 times",
    },
    {
      name: "the same on sim:",
      figure: ms(simulated.aMs),
      against: `empty deno run ${ms(simulated.bMs)}`,
      ratio: `${simulated.ratio.toFixed(2)} times as much`,
    },
    {
      name: "its peak memory",
      figure: `${peak.toFixed(0)} MiB`,
      against: `empty deno run ${emptyPeak.toFixed(0)} MiB`,
      ratio: `${(peak / emptyPeak).toFixed(2)} times as much`,
      aim: "at most 1.35 times",
    },
  ];
}

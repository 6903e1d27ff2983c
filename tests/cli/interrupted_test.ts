/** Ctrl-C and SIGTERM end each script with the exit code that shells give it, wherever it is just then. */
import { assertEquals } from "@std/assert";
import { fakeMonitor, type FaultRule, simulatedGuest } from "../../src/testing/mod.ts";
import { startExample } from "../examples/_run.ts";

const PAGE = "0x7f1234567000";
const SIGNALS = [["SIGINT", 130], ["SIGTERM", 143]] as const;
/** The monitor answers nothing, not even a banner. */
const MUTE: FaultRule = { fault: { kind: "silence" }, on: "connect" };
/** Nothing is slow before memory is read. */
const SLOW: FaultRule = { fault: { kind: "delay", delayMs: 500 }, on: "xp" };

/** A script, where it is interrupted, and what it leaves behind. */
interface Row {
  readonly script: string;
  readonly args: readonly string[];
  readonly fault: FaultRule;
  /** How often the guest is paused and resumed, if it is. */
  readonly freezes?: true;
}

const ROWS: readonly Row[] = [
  { script: "qemu_verify_pte.ts", args: [PAGE], fault: MUTE },
  { script: "qemu_verify_pte.ts", args: [PAGE], fault: SLOW },
  { script: "qemu_verify_pte.ts", args: [PAGE, "--freeze"], fault: SLOW, freezes: true },
  { script: "verify_range.ts", args: [PAGE, "1M", "--freeze"], fault: SLOW, freezes: true },
  { script: "audit.ts", args: ["--freeze"], fault: SLOW, freezes: true },
  { script: "mappings.ts", args: [], fault: MUTE },
  { script: "watch_pte.ts", args: [PAGE], fault: MUTE },
  { script: "watch_pte.ts", args: [PAGE], fault: SLOW },
  { script: "watch_pte.ts", args: [PAGE, "--until", "set"], fault: SLOW },
  { script: "monitor.ts", args: ["info status"], fault: MUTE },
];

for (const { script, args, fault, freezes } of ROWS) {
  const at = fault === MUTE ? "connecting" : "reading";
  Deno.test(`${[script, ...args].join(" ")} interrupted while ${at}`, async () => {
    for (const [signal, code] of SIGNALS) {
      await using monitor = fakeMonitor(simulatedGuest(), { faults: [fault] });
      const child = startExample(script, [`${monitor.port}`, ...args], [
        `--allow-net=127.0.0.1:${monitor.port}`,
      ]);
      const hasBegun = () => fault === MUTE ? monitor.clients > 0 : monitor.count("xp") > 0;
      while (!hasBegun()) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill(signal);
      const { code: found, stderr } = await child.output();
      assertEquals([found, new TextDecoder().decode(stderr)], [code, ""]);
      const times = freezes ? 1 : 0;
      assertEquals([monitor.count("stop"), monitor.count("cont")], [times, times]);
    }
  });
}

import { assertEquals, assertStringIncludes } from "@std/assert";
import { inProcessTransport } from "../../src/testing/fake_monitor_in_process.ts";
import type { QemuRelease } from "../../src/testing/hmp_text/flavours.ts";
import { HmpSession } from "../../src/testing/hmp_text/session.ts";
import { recorded, RecordedMachine, RELEASES } from "./_recorded.ts";
import { WireClient } from "./_wire_client.ts";

interface Recording {
  /** The name of the recording. */
  name: string;
  /** What was sent. */
  sent: string;
  /** What had been sent before. */
  before?: string[];
  /** The releases that it is compared for, if not all. */
  releases?: QemuRelease[];
}

/** Recordings whose every byte must be the fake's too. */
const RECORDINGS: Recording[] = [
  { name: "hmp-xp_2gx_0x1000", sent: "xp /2gx 0x1000\n" },
  { name: "hmp-xp_2xg_0x1000", sent: "xp/2xg 0x1000\n" },
  { name: "hmp-xp_3xb_0x1000", sent: "xp /3xb 0x1000\n" },
  { name: "hmp-xp_512gx_0x1000000", sent: "xp /512gx 0x1000000\n" },
  { name: "hmp-xp_4gx_0x3ffffff0", sent: "xp /4gx 0x3ffffff0\n" },
  { name: "hmp-xp_2gx_0x3ffffff8", sent: "xp /2gx 0x3ffffff8\n" },
  { name: "hmp-xp_2gx_0x200000000000", sent: "xp /2gx 0x200000000000\n" },
  { name: "hmp-xp_2gx_0xfffffffffffffff0", sent: "xp /2gx 0xfffffffffffffff0\n" },
  { name: "hmp-xp_2gx_0xfee00000", sent: "xp /2gx 0xfee00000\n" },
  { name: "hmp-xp_4xw_0xfee00030", sent: "xp /4xw 0xfee00030\n" },
  { name: "hmp-xp_2gx_0xfec00000", sent: "xp /2gx 0xfec00000\n" },
  { name: "hmp-xp_2gx_0xfed00000", sent: "xp /2gx 0xfed00000\n" },
  { name: "hmp-xp_2gx_0xfffffff0", sent: "xp /2gx 0xfffffff0\n" },
  { name: "hmp-xp_2gx_0xa0000", sent: "xp /2gx 0xa0000\n" },
  { name: "hmp-xp_2gx_zzz", sent: "xp /2gx zzz\n" },
  { name: "hmp-xp", sent: "xp\n" },
  { name: "hmp-x_2gx_0x10", sent: "x /2gx 0x10\n" },
  { name: "hmp-gva2gpa_0x10", sent: "gva2gpa 0x10\n" },
  { name: "hmp-gpa2hva_0x40000000", sent: "gpa2hva 0x40000000\n" },
  { name: "hmp-info_status", sent: "info status\n" },
  { name: "hmp-info_status-paused", sent: "info status\n", before: ["stop\n"] },
  { name: "hmp-stop", sent: "stop\n" },
  { name: "hmp-info_version", sent: "info version\n" },
  { name: "hmp-info_bogus", sent: "info bogus\n" },
  { name: "hmp-bogus_command", sent: "bogus command\n" },
  { name: "hmp-info_registers_9", sent: "info registers 9\n" },
  { name: "hmp-info_registers_z", sent: "info registers -z\n" },
  { name: "hmp-info_registers_1", sent: "info registers 1\n", releases: ["5.2"] },
  { name: "hmp-cpu_1", sent: "cpu 1\n" },
  { name: "hmp-cpu_9", sent: "cpu 9\n" },
  { name: "hmp-print_cr3", sent: "print $cr3\n", before: ["cpu 1\n"] },
  { name: "hmp-print_rip", sent: "print $rip\n", before: ["cpu 1\n"] },
  { name: "hmp-empty", sent: "\n" },
  { name: "hmp-pipelined", sent: "info status\ninfo status\n" },
  { name: "hmp-crlf", sent: "info status\r\n" },
  { name: "hmp-after-nudge00", sent: "\0\0\0\0\0info status\n" },
  { name: "hmp-nudge05-midcommand", sent: "info \x05status\n" },
];

for (const release of RELEASES) {
  Deno.test(`fake QEMU ${release}: banner and replies are the recorded bytes`, async () => {
    let compared = 0;
    for (const { name, sent, before = [], releases = RELEASES } of RECORDINGS) {
      if (!releases.includes(release)) continue;
      await using client = connect(new RecordedMachine(release));
      assertEquals(await client.untilPrompt(), recorded(release, "hmp-banner"));
      for (const earlier of before) await client.exchange(earlier);
      const expected = recorded(release, name);
      await client.send(sent);
      assertEquals(await client.atLeast(expected.length), expected, name);
      compared++;
    }
    console.log(`QEMU ${release}: ${compared} recordings compared`);
  });

  const registers: [string, string][] = [
    ["hmp-info_registers", "info registers\n"],
    ["hmp-info_registers_a", "info registers -a\n"],
  ];
  if (release !== "5.2") registers.push(["hmp-info_registers_1", "info registers 1\n"]);
  for (const [name, sent] of registers) {
    Deno.test(`fake QEMU ${release}: ${sent.trim()} is the recorded bytes`, async () => {
      await using client = connect(new RecordedMachine(release, name));
      await client.untilPrompt();
      assertEquals(await client.exchange(sent), recorded(release, name));
    });
  }

  Deno.test(`fake QEMU ${release}: info cpus is the recorded text, thread numbers aside`, () => {
    const session = new HmpSession(new RecordedMachine(release));
    const withoutThreads = (text: string) => text.replaceAll(/thread_id=\d+/g, "thread_id=N");
    for (const name of ["hmp-info_cpus", "hmp-reconnect-info_cpus"]) {
      const { text } = session.answer("info cpus");
      assertEquals(withoutThreads(text), withoutThreads(recordedText(release, name)), name);
      session.answer("cpu 1");
    }
  });

  Deno.test(`fake QEMU ${release}: info mtree -f has the recorded flat views`, () => {
    const session = new HmpSession(new RecordedMachine(release));
    const { text } = session.answer("info mtree -f");
    const expected = flatViews(recordedText(release, "hmp-info_mtree_f"));
    assertEquals(flatViews(text), expected);
    assertEquals(expected.length, 5);
  });

  Deno.test(`fake QEMU ${release}: help is the recorded text`, () => {
    const session = new HmpSession(new RecordedMachine(release));
    for (const topic of ["cpu", "gva2gpa", "info registers", "print", "xp"]) {
      const expected = recorded(release, `extra-help_${topic.replace(" ", "_")}`);
      const text = session.answer(`help ${topic}`).text.replaceAll("\n", "\r\n");
      assertEquals(`${text}(qemu) `, expected);
    }
  });

  Deno.test(`fake QEMU ${release}: a typed character is echoed with the line so far`, async () => {
    await using client = connect(new RecordedMachine(release));
    await client.untilPrompt();
    await client.send("info status");
    const echo = recorded(release, "hmp-echo-before-newline");
    assertEquals(await client.atLeast(echo.length), echo);
    await client.send("\n");
    assertEquals(await client.untilPrompt(), recorded(release, "hmp-echo-after-newline"));
  });

  Deno.test(`fake QEMU ${release}: quit ends the connection without a prompt`, async () => {
    await using client = connect(new RecordedMachine(release));
    await client.untilPrompt();
    await client.send("quit\n");
    assertEquals(await client.untilEnd(), recorded(release, "hmp-quit"));
  });
}

Deno.test("fake QEMU: the flavours differ where the recordings do", () => {
  assertStringIncludes(recorded("11.1", "hmp-print_cr3"), "0x468a000\r\n");
  assertEquals(new Set(RELEASES.map((release) => recorded(release, "hmp-info_version"))).size, 4);
});

function connect(machine: RecordedMachine): WireClient {
  const source = {
    version: machine.flavour.version,
    openMonitor: () => new HmpSession(machine),
  };
  return new WireClient(inProcessTransport(source));
}

/** A recorded reply without echo and prompt. */
function recordedText(release: QemuRelease, name: string): string {
  const text = recorded(release, name);
  return text.slice(text.indexOf("\r\n") + 2).replace(/\(qemu\) $/, "").replaceAll("\r\n", "\n");
}

/** The flat views in an order of their own: QEMU's order varies from run to run. */
function flatViews(text: string): string[] {
  return text.split(/^FlatView #\d+\n/m).slice(1)
    .map((view) => {
      const lines = view.split("\n");
      const spaces = lines.filter((line) => line.startsWith(" AS ")).sort();
      return [...spaces, ...lines.filter((line) => !line.startsWith(" AS "))].join("\n");
    })
    .sort();
}

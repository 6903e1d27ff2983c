import { assertEquals } from "@std/assert";
import {
  encodeVirsh,
  type VirshAnswer,
  VirshOutput,
} from "../../src/connectors/libvirt/virsh_output.ts";

// As virsh 9.0 was seen to write them, with our marks.
const STDOUT = `virsh # qemu-monitor-command 'vm' '{"execute":"query-status"}'
{"return":{"status":"running"},"id":"libvirt-411"}
virsh # echo pagewalk-1
pagewalk-1virsh # echo --err pagewalk-1
virsh # qemu-monitor-command 'nodom' '{}'
virsh # echo pagewalk-2
pagewalk-2virsh # echo --err pagewalk-2
virsh # qemu-monitor-command 'vm' '{}'
{"id":"libvirt-412","error":{"class":"GenericError","desc":"no"}}
virsh # echo pagewalk-3
pagewalk-3virsh # echo --err pagewalk-3
`;
const STDERR = `
error: pagewalk-1
error: failed to get domain 'nodom'

error: pagewalk-2
error: pagewalk-3
`;
const EXPECTED: VirshAnswer[] = [
  { number: 1, line: { text: '{"return":{"status":"running"},"id":"libvirt-411"}' } },
  { number: 2, error: "failed to get domain 'nodom'" },
  {
    number: 3,
    line: { text: '{"id":"libvirt-412","error":{"class":"GenericError","desc":"no"}}' },
  },
];

/** Feeds both streams in pieces, one a given number of bytes ahead of the other. */
function feed(pieceBytes: number, first: "stdout" | "stderr"): VirshAnswer[] {
  const answers: VirshAnswer[] = [];
  const output = new VirshOutput(1000, (answer) => answers.push(answer));
  output.sent(EXPECTED.length);
  const push = (text: string, take: (bytes: Uint8Array) => void) => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      take(bytes.subarray(at, at + pieceBytes));
    }
  };
  const stdout = () => push(STDOUT, (bytes) => output.pushOutput(bytes));
  const stderr = () => push(STDERR, (bytes) => output.pushError(bytes));
  if (first === "stdout") stdout();
  stderr();
  if (first === "stderr") stdout();
  return answers.sort((a, b) => a.number - b.number);
}

Deno.test("answers and errors find their commands, whichever stream comes first", () => {
  for (const pieceBytes of [1, 3, 50, 10_000]) {
    for (const first of ["stdout", "stderr"] as const) {
      assertEquals(feed(pieceBytes, first), EXPECTED);
    }
  }
});

Deno.test("a command is sent as virsh reads it, quotes and all", () => {
  const lines = encodeVirsh("vm", `{"command-line":"help it's"}`, 7).split("\n");
  assertEquals(lines, [
    `qemu-monitor-command 'vm' '{"command-line":"help it'\\''s"}'`,
    "echo pagewalk-7",
    "echo --err pagewalk-7",
    "",
  ]);
});

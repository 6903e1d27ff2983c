/** virsh dies, falls silent or says what it never says: a stand-in of that name does it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  connect,
  ConnectError,
  ConnectionLostError,
  MonitorError,
  QmpError,
  ReplyTimeoutError,
  ReplyTooLargeError,
} from "../../mod.ts";
import { askStatus, attempt, type Outcome } from "../conformance/_attempt.ts";
import { answer, StandInVirsh, STATUS, VERSION, type VirshSays } from "./_stand_in_virsh.ts";

/** So long that no end of virsh may ever be noticed by them. */
const PATIENT = { connectTimeoutMs: 60_000, commandTimeoutMs: 60_000 };
/** For what ends by them alone. */
const SHORT = { ...PATIENT, commandTimeoutMs: 300 };
const FIRST = answer(1, VERSION);
const SECOND = answer(2, STATUS);

function ask(at: string, options = SHORT): Promise<Outcome> {
  return attempt(() => connect("libvirt:vm", options), askStatus, at);
}

Deno.test("a virsh that dies after any byte is a typed error, or the answer was complete", async () => {
  await using virsh = await StandInVirsh.install();
  const cuts: VirshSays[][] = [];
  for (const [before, last] of [[[], FIRST], [[FIRST], SECOND]] as const) {
    for (let n = 0; n < last.stdout.length; n++) {
      cuts.push([...before, { stdout: last.stdout.slice(0, n), stderr: last.stderr }]);
    }
    for (let n = 0; n < last.stderr.length; n++) {
      cuts.push([...before, { stdout: last.stdout, stderr: last.stderr.slice(0, n) }]);
    }
  }
  let answered = 0;
  for (const answers of cuts) {
    await virsh.script(answers);
    const at = `cut after ${JSON.stringify(answers.at(-1))}`;
    const { answer: found, error } = await ask(at, PATIENT);
    if (found !== null) {
      assertEquals(found, "VM status: running");
      answered++;
    } else {
      const type = answers.length === 1
        ? [ConnectError, ConnectionLostError]
        : [ConnectionLostError];
      assert(type.some((each) => error instanceof each), `${at}: ${error}`);
    }
  }
  // QEMU's line and its mark are all that is needed of the second answer.
  assertEquals(answered, SECOND.stderr.length);
});

type ErrorClass = new (...args: never[]) => MonitorError;

const FAULTS: [name: string, answers: VirshSays[], then: string, type: ErrorClass][] = [
  ["it dies with a word", [FIRST], "echo 'error: Disconnected' >&2; exit 1", ConnectionLostError],
  ["it is killed", [FIRST], "kill -9 $$", ConnectionLostError],
  ["it falls silent", [FIRST], "exec sleep 60", ReplyTimeoutError],
  ["it closes its input", [FIRST], "exec sleep 60 <&-", ReplyTimeoutError],
  ["it closes its output", [FIRST], "exec sleep 60 >&- 2>&-", ConnectionLostError],
  ["lines without end", [FIRST], "exec yes", ReplyTimeoutError],
  ["a line without end", [FIRST], "yes '{' | tr -d '\\n'", ReplyTooLargeError],
  ["errors without end", [FIRST], "exec yes >&2", ReplyTimeoutError],
  ["marks without end", [FIRST], "exec yes pagewalk-2", ConnectionLostError],
  ["error marks without end", [FIRST], "exec yes 'error: pagewalk-2' >&2", ConnectionLostError],
  ["no JSON", [FIRST, answer(2, "{no JSON")], "exec sleep 60", ConnectionLostError],
  ["no reply", [FIRST, answer(2, '{"event":"X"}')], "exec sleep 60", ConnectionLostError],
  ["no text", [FIRST, answer(2, '{"return":5}')], "exec sleep 60", ConnectionLostError],
  ["no words", [FIRST, answer(2, '{"error":{}}')], "exec sleep 60", ConnectionLostError],
  ["another answer", [FIRST, answer(7, STATUS)], "exec sleep 60", ConnectionLostError],
  ["the first again", [FIRST, FIRST], "exec sleep 60", ConnectionLostError],
  ["nothing but marks", [FIRST, answer(2, "")], "exec sleep 60", MonitorError],
  [
    "QEMU's own error",
    [FIRST, answer(2, '{"error":{"class":"GenericError","desc":"no"}}')],
    "exec sleep 60",
    QmpError,
  ],
  ["a malformed version", [answer(1, '{"return":"7.2"}')], "exec sleep 60", ConnectError],
  [
    "a version without numbers",
    [answer(1, '{"return":{"qemu":{}}}')],
    "exec sleep 60",
    ConnectError,
  ],
  ["binary noise", [], "exec head -c 100000 /dev/urandom", ConnectError],
];

for (const [name, answers, then, type] of FAULTS) {
  Deno.test(`virsh: ${name} is a typed error in time`, async () => {
    await using virsh = await StandInVirsh.install();
    await virsh.script(answers, then);
    const timeouts = type === ReplyTimeoutError || type === MonitorError ? SHORT : PATIENT;
    const { error } = await attempt(
      () => connect("libvirt:vm", { ...timeouts, maxReplyBytes: 1 << 16 }),
      askStatus,
      name,
    );
    assert(error instanceof type, `${error}`);
    assert(error.message.length < 700, error.message);
  });
}

Deno.test("virsh: a reply over the cap fails its own command only", async () => {
  await using virsh = await StandInVirsh.install();
  const long = JSON.stringify({ return: "x".repeat(5000) });
  await virsh.script([FIRST, answer(2, long), answer(3, STATUS)], "exec sleep 60");
  await using guest = await connect("libvirt:vm", { ...PATIENT, maxReplyBytes: 1000 });
  const [large, small] = await Promise.allSettled([
    guest.monitor.command("info registers"),
    guest.monitor.command("info status"),
  ]);
  assert(large.status === "rejected" && large.reason instanceof ReplyTooLargeError);
  assertEquals(small, { status: "fulfilled", value: "VM status: running" });
});

Deno.test("a virsh that does not end when it is told to is made to", async () => {
  await using virsh = await StandInVirsh.install();
  // What it has started holds its streams open, as ssh may.
  await virsh.script(
    [FIRST],
    `trap '' TERM; sleep 300 & echo $! > ${virsh.path("sleeper")}; while :; do wait; done`,
  );
  const guest = await connect("libvirt:vm", SHORT);
  await assertRejects(() => guest.monitor.command("info status"), ReplyTimeoutError);
  const sleeper = Number(await Deno.readTextFile(virsh.path("sleeper")));
  await guest.close();
  // Throws if it is gone: then we have waited for it.
  Deno.kill(sleeper, "SIGKILL");
});

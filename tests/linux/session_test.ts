import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { connect, InvalidArgumentError, LinuxNotFoundError } from "../../mod.ts";
import {
  checkTableChoice,
  describeSource,
  processOf,
  splitTableChoice,
  type TableChoice,
} from "../../src/session/table_choice.ts";

Deno.test("a guest without Linux says so, also when a process is named", async () => {
  await using guest = await connect("sim:");
  await assertRejects(() => guest.linux(), LinuxNotFoundError, "the guest runs something else");
  await assertRejects(() => guest.walk(0x1000n, { pid: 84 }), LinuxNotFoundError);
  await assertRejects(
    () => guest.verify(0x1000n, undefined, { comm: "target" }),
    LinuxNotFoundError,
  );
});

Deno.test("a process and another choice of table exclude each other", async () => {
  await using guest = await connect("sim:");
  for (const other of [{ cpu: 0 }, { root: 0x1000n }, { sampleMs: 10 }, { comm: "target" }]) {
    await assertRejects(() => guest.walk(0x1000n, { pid: 84, ...other }), InvalidArgumentError);
  }
});

Deno.test("what describes a process may be given together, and not beside its pid", () => {
  const traits = { comm: "sh", cmdline: "x", cgroup: "/a", nspid: 7 };
  checkTableChoice(traits);
  assertEquals(processOf(traits), traits);
  assertEquals(processOf({ pid: 84 }), 84);
  assertEquals(processOf({ cpu: 1 } as TableChoice), undefined);
  for (const key of ["comm", "cmdline", "cgroup", "nspid"] as const) {
    assertThrows(
      () => checkTableChoice({ pid: 84, [key]: traits[key] }),
      InvalidArgumentError,
      "exclude each other",
    );
    assertThrows(() => checkTableChoice({ cpu: 0, [key]: traits[key] }), InvalidArgumentError);
  }
});

Deno.test("a choice is told from the options around it, and a process by pid and name", () => {
  const options = { pid: 84, recheck: false };
  assertEquals(splitTableChoice(options), [{ pid: 84 }, { recheck: false }]);
  assertEquals(describeSource({ kind: "process", pid: 84, comm: "target" }), "pid 84 target");
});

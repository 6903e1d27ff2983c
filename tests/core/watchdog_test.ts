import { assert, assertEquals } from "@std/assert";
import { Watchdog } from "../../src/core/watchdog.ts";

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("Watchdog calls back once, not before its time", async () => {
  const started = performance.now();
  const late: number[] = [];
  const dog = new Watchdog(() => late.push(performance.now() - started));
  dog.start(30);
  await pause(120);
  assertEquals(late.length, 1);
  assert(late[0]! >= 29, `called after ${late[0]} ms`);
});

Deno.test("Watchdog.check() calls back where no timer has its turn, and only once", async () => {
  let calls = 0;
  const dog = new Watchdog(() => calls++);
  dog.check();
  dog.start(600_000);
  dog.check();
  assertEquals(calls, 0);
  dog.start(20);
  for (const started = performance.now(); performance.now() - started < 25;) {
    // No timer fires in here.
  }
  dog.check();
  dog.check();
  assertEquals(calls, 1);
  await pause(40);
  assertEquals(calls, 1);
});

Deno.test("Watchdog.stop() ends the wait", async () => {
  let calls = 0;
  const dog = new Watchdog(() => calls++);
  dog.start(20);
  dog.stop();
  await pause(60);
  assertEquals(calls, 0);
});

Deno.test("Watchdog that is started again waits anew, longer or shorter", async () => {
  const started = performance.now();
  const late: number[] = [];
  const dog = new Watchdog(() => late.push(performance.now() - started));
  dog.start(20);
  dog.start(600_000);
  await pause(60);
  assertEquals(late, []);
  dog.start(10);
  await pause(60);
  assertEquals(late.length, 1);
  assert(late[0]! < 600_000, `called after ${late[0]} ms`);
});

Deno.test("a timer that was outlived by its wait is kept from a process that has ended", async () => {
  const code = `import { Watchdog } from "${import.meta.resolve("../../src/core/watchdog.ts")}";
    const dog = new Watchdog(() => console.log("late"));
    for (let i = 0; i < 1000; i++) { dog.start(600_000); dog.stop(); }`;
  const started = performance.now();
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", `data:application/typescript,${encodeURIComponent(code)}`],
  }).output();
  assert(success);
  assert(performance.now() - started < 600_000, "the process waited for a stopped watchdog");
});

import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import fc from "fast-check";
import { isChange } from "../../src/linux/changed.ts";
import { InconsistentListError } from "../../src/linux/errors.ts";
import { readTaskList } from "../../src/linux/task_list.ts";
import { TaskReader } from "../../src/linux/task_record.ts";
import { BusyKernel } from "./_busy_kernel.ts";

/** What may happen before a read: nothing, or something to the n-th process. */
const EVENT = fc.oneof(
  { weight: 6, arbitrary: fc.constant(null) },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom("fork", "exec", "exit", "reap"), fc.nat(200)),
  },
);

/** How many ways of change are tried: 100,000 take some minutes. */
const RUNS = Number(Deno.env.get("PAGEWALK_TASK_LIST_RUNS") ?? 300);

type Events = readonly (readonly [string, number] | null)[];
/** A process that twice had the same memory, which was freed in between. */
const SAME_MEMORY_AGAIN: readonly [number, Events] = [2, [
  null,
  null,
  ["exec", 0],
  ["exit", 25],
  ["exec", 0],
  ["fork", 0],
  ["exec", 0],
  null,
  ["exit", 0],
  ["fork", 0],
]];

/** What the kernel tells, and what it leaves in memory that it has freed. */
const KERNELS = [
  { hasExecIds: true, poisons: false },
  { hasExecIds: true, poisons: true },
  { hasExecIds: false, poisons: true },
] as const;

Deno.test("every list of tasks under way is right or refused", async () => {
  let [lists, refused, changed] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 40 }),
      fc.array(EVENT, { minLength: 1, maxLength: 400, size: "max" }),
      fc.constantFrom(...KERNELS),
      async (count, events, options) => {
        const kernel = new BusyKernel(count, options);
        const before = new Map(kernel.living.map(({ pid, pgd }) => [pid, pgd]));
        kernel.beforeRead = () => {
          const event = events[kernel.reads - 1];
          if (!event) return;
          changed++;
          const [what, which] = event;
          const process = kernel.living[which % Math.max(1, kernel.living.length)];
          if (what === "fork") kernel.fork();
          else if (process) kernel[what as "exec" | "exit" | "reap"](process);
        };
        const list = await readTaskList(kernel.source).catch((error) => {
          if (error instanceof InconsistentListError) return null;
          throw error;
        });
        lists++;
        if (list === null) return void refused++;
        const listed = new Map(list.map((record) => [record.pid, record]));
        assertEquals(listed.size, list.length, "a pid twice");
        for (const { pid, comm, mm, pgd } of list) {
          assertEquals(comm, `process-${pid}`);
          const memory = mm === null ? "none" : `${mm} ${pgd}`;
          assert(kernel.history.get(pid)?.has(memory), `${pid} never had ${memory}`);
        }
        for (const { pid } of kernel.living) {
          if (before.has(pid)) assert(listed.has(pid), `${pid} was there all the time`);
        }
      },
    ),
    {
      numRuns: RUNS,
      // A smaller case takes minutes to find.
      endOnFailure: true,
      examples: KERNELS.map((options) => [...SAME_MEMORY_AGAIN, options] as never),
    },
  );
  assert(changed > 10 * lists && refused < lists / 20, `${changed} changes, ${refused} refused`);
  console.log(`${lists} lists under ${changed} changes: ${refused} refused, none wrong`);
});

Deno.test("a list that stands still is read in one go: two reads a task, its memories together", async () => {
  const kernel = new BusyKernel(100);
  const list = await readTaskList(kernel.source);
  assertEquals(list.map(({ pid }) => pid), kernel.living.map(({ pid }) => pid));
  assertEquals(list.map(({ pgd }) => pgd), kernel.living.map(({ pgd }) => pgd));
  assertLess(kernel.reads, 2.1 * 100);
});

Deno.test("processes that never hold still are refused in the end", async () => {
  const kernel = new BusyKernel(3);
  kernel.beforeRead = () => kernel.living.forEach((process) => kernel.exec(process));
  await assertRejects(() => readTaskList(kernel.source), InconsistentListError, "frozen");
});

Deno.test("a task is told from one that was taken off the list, or used anew", async () => {
  const kernel = new BusyKernel(3);
  const [, second] = kernel.living;
  const tasks = new TaskReader(kernel.source);
  const task = await tasks.read(second!.task);
  assertEquals([tasks.isListed(task), (await tasks.record(task))?.pid], [true, 2]);
  kernel.exit(second!);
  assertEquals((await tasks.record(task))?.mm, null);
  kernel.reap(second!);
  assertEquals(tasks.isListed(await tasks.read(second!.task)), false);
  kernel.fork(); // in the same place
  assertEquals((await tasks.read(second!.task)).u32("pid"), 4);
  assertEquals([isChange(new Error("x")), isChange(new TypeError("y"))], [false, false]);
});

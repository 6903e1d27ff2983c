/** Where a kernel's image is looked for while the processes whose tables the vCPUs have come and go. */
import { assertEquals, assertRejects } from "@std/assert";
import { LinuxNotFoundError, pagingContext, type Regime } from "../../mod.ts";
import { findKernelImage, mapsImage } from "../../src/linux/kernel_image.ts";
import { PageTableBuilder, registersFor } from "../../src/testing/page_table_builder.ts";
import { ramRange, SparseMemory } from "../../src/testing/sparse_memory.ts";
import { clearedPage, sessionOn } from "../session/_vcpus.ts";

const TEXT = 0xffff_ffff_8100_0000n;
const TWO_MIB = 0x20_0000n;

/** Tables that map code, read-only data and data as Linux has them. */
function kernel(): { memory: SparseMemory; context: Regime } {
  const memory = new SparseMemory({ ranges: [ramRange(0n, 0x800_0000n)] });
  const tables = new PageTableBuilder("4-level", memory, { tablesAt: 0x10_0000n });
  for (let i = 0n; i < 10n; i++) {
    const rights = { user: false, writable: i > 6n, noExecute: i > 2n };
    tables.map(TEXT + i * TWO_MIB, 0x200_0000n + i * TWO_MIB, "2M", rights);
  }
  return { memory, context: pagingContext(registersFor(tables)) };
}

/** Contexts as the vCPUs tell of them, one after the other and then the last, and how often they did. */
function telling(context: Regime, roots: readonly bigint[]) {
  const told = { count: 0 };
  const contexts = () => {
    const root = roots[Math.min(told.count++, roots.length - 1)]!;
    return Promise.resolve([{ ...context, root }]);
  };
  return { told, contexts };
}

Deno.test("a kernel is found though the processes on the vCPU exit before their tables are read", async () => {
  const { memory, context } = kernel();
  const gone = [0x700_0000n, 0x700_2000n, 0x700_4000n];
  for (const before of [[], gone.slice(0, 1), gone, [...gone, ...gone]]) {
    const { told, contexts } = telling(context, [...before, context.root]);
    const image = await findKernelImage(memory, contexts);
    assertEquals([image.text, image.rodata.start], [TEXT, TEXT + 3n * TWO_MIB]);
    assertEquals([image.context.root, told.count], [context.root, before.length + 1]);
    const again = telling(context, [...before, context.root]);
    assertEquals(await mapsImage(memory, again.contexts, image), true);
  }
});

Deno.test("where the vCPU's tables stay, and map no kernel, they are read twice; else eight times", async () => {
  const { memory, context } = kernel();
  const image = await findKernelImage(memory, () => Promise.resolve([context]));
  const roots = Array.from({ length: 20 }, (_, i) => 0x700_0000n + BigInt(i) * 0x2000n);
  for (const [others, asked] of [[roots.slice(0, 1), 2], [roots, 8]] as const) {
    const finding = telling(context, others);
    await assertRejects(() => findKernelImage(memory, finding.contexts), LinuxNotFoundError);
    const current = telling(context, others);
    assertEquals(await mapsImage(memory, current.contexts, image), false);
    assertEquals([finding.told.count, current.told.count], [asked, asked]);
  }
});

Deno.test("a kernel is looked for again while the vCPU is in system-management mode", async () => {
  const { tables: { memory }, running } = clearedPage();
  const asked = { count: 0 };
  const leaving = (after: number) =>
    sessionOn(memory, () => [{ ...running, smm: asked.count++ < after }]);
  const looked = await assertRejects(() => leaving(3).linux(), LinuxNotFoundError);
  assertEquals(looked.message.startsWith("None of the roots"), true, looked.message);
  asked.count = 0;
  const stuck = await assertRejects(() => leaving(Infinity).linux(), LinuxNotFoundError);
  assertEquals(/^No vCPU runs on the guest's page tables/.test(stuck.message), true, stuck.message);
  assertEquals(asked.count, 20);
});

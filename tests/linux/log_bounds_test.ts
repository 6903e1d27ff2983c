import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { readKernelLog } from "../../src/linux/log.ts";
import type { Reader } from "../../src/linux/reader.ts";
import { parseVmcoreinfo } from "../../src/linux/vmcoreinfo.ts";
import { LOG_LAYOUT, vmcoreinfoOf } from "./_hostile.ts";

const VMCOREINFO = parseVmcoreinfo(vmcoreinfoOf(LOG_LAYOUT));
const layout = (name: string) => VMCOREINFO.offsets.get(name) ?? VMCOREINFO.sizes.get(name)!;

const [RING, DESCRIPTORS, INFOS, TEXT] = [1n << 40n, 2n << 40n, 3n << 40n, 4n << 40n] as const;

/** A log of any size that is not in memory: each record's fields are worked out as they are read. */
function endlessLog(
  countBits: number,
  record: (id: number) => { begin: bigint; next: bigint; length: number },
): { reader: Reader; bytesRead: () => number } {
  let read = 0;
  const ring = new Map<bigint, bigint>();
  const descRing = BigInt(layout("printk_ringbuffer.desc_ring"));
  const textRing = BigInt(layout("printk_ringbuffer.text_data_ring"));
  const desc = (name: string) => RING + descRing + BigInt(layout(`prb_desc_ring.${name}`));
  const text = (name: string) => RING + textRing + BigInt(layout(`prb_data_ring.${name}`));
  ring.set(VMCOREINFO.symbols.get("prb")!, RING);
  ring.set(desc("count_bits"), BigInt(countBits));
  ring.set(desc("descs"), DESCRIPTORS);
  ring.set(desc("infos"), INFOS);
  ring.set(desc("tail_id"), 0n);
  ring.set(desc("head_id"), BigInt(2 ** countBits - 1));
  ring.set(text("size_bits"), 30n);
  ring.set(text("data"), TEXT);
  const block = layout("prb_desc.text_blk_lpos");
  const fill = (bytes: Uint8Array, address: bigint) => {
    const view = new DataView(bytes.buffer);
    if (address >= TEXT && address < 2n * TEXT) return void bytes.fill(0x61);
    if (address < DESCRIPTORS || address >= 2n * TEXT) {
      for (const [at, value] of ring) {
        const place = Number(at - address);
        if (place < 0 || place >= bytes.length) continue;
        if (place + 8 <= bytes.length) view.setBigUint64(place, value, true);
        else view.setUint32(place, Number(value), true);
      }
      return;
    }
    const isInfo = address >= INFOS;
    const size = layout(isInfo ? "printk_info" : "prb_desc");
    const first = Number(address - (isInfo ? INFOS : DESCRIPTORS)) / size;
    for (let i = 0; i * size < bytes.length; i++) {
      const { begin, next, length } = record(first + i);
      if (isInfo) {
        view.setUint16(i * size + layout("printk_info.text_len"), length, true);
        continue;
      }
      const state = 2n << 62n | BigInt(first + i);
      view.setBigUint64(i * size + layout("prb_desc.state_var"), state, true);
      view.setBigUint64(i * size + block + layout("prb_data_blk_lpos.begin"), begin, true);
      view.setBigUint64(i * size + block + layout("prb_data_blk_lpos.next"), next, true);
    }
  };
  const reader: Reader = {
    read: (address, lengthBytes) => {
      read += lengthBytes;
      const bytes = new Uint8Array(lengthBytes);
      fill(bytes, address);
      return Promise.resolve(bytes);
    },
  };
  return { reader, bytesRead: () => read };
}

async function readAll(reader: Reader) {
  const reasons: string[] = [];
  const kernel = { live: reader, vmcoreinfo: VMCOREINFO };
  const records = await readKernelLog(kernel, { onPartial: (reason) => reasons.push(reason) });
  return { records, reasons };
}

Deno.test("a log of a million records is read in its newest part, and said to be", async () => {
  const { reader } = endlessLog(20, (id) => ({
    begin: BigInt(id * 16),
    next: BigInt(id * 16 + 16),
    length: 8,
  }));
  const { records, reasons } = await readAll(reader);
  assertEquals(records.length, 1 << 18);
  assertEquals(records.at(-1)!.text, "aaaaaaaa");
  assertEquals(reasons, ["only the newest 262144 of the log's 1048576 records were read"]);
});

Deno.test("records whose texts overlap cost no more than a log may hold", async () => {
  // Each says that its text is the whole ring, a gibibyte.
  const { reader, bytesRead } = endlessLog(16, () => ({
    begin: 0n,
    next: (1n << 30n) - 8n,
    length: 0xffff,
  }));
  const { records, reasons } = await readAll(reader);
  assertEquals(records.every(({ text }) => text.length === 8192), true);
  assertMatch(reasons[0]!, /^only the first 8193 records were read/);
  assertLess(bytesRead(), 100 << 20);
});

Deno.test("a whole log is no part of one", async () => {
  const { reader } = endlessLog(8, (id) => ({
    begin: BigInt(id * 16),
    next: BigInt(id * 16 + 16),
    length: 5,
  }));
  const { records, reasons } = await readAll(reader);
  assertEquals([records.length, records[0]!.text, reasons], [256, "aaaaa", []]);
});

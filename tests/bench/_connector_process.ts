/**
 * One connector, in a process of its own, so that its peak memory is its own: a walk and a listing. Takes the
 * connector and the root in JSON, and prints what it found in JSON.
 */
import { connect, type ConnectOptions, mappings, walk } from "../../mod.ts";
import { count } from "./_count.ts";
import { median, timeMs } from "./_measure.ts";

/** What is to be measured. */
export interface ConnectorTask {
  endpoint: string;
  options: ConnectOptions;
  root: string;
}

/** What it came to; the bytes are those of one listing. */
export interface ConnectorFigures {
  walkMs: number;
  listMs: number;
  pages: number;
  commands: number;
  reads: number;
  readBytes: number;
}

const WALKS = 20;
const LISTINGS = 5;
const ADDRESS = 0x7f12_3456_7000n;

async function measure({ endpoint, options, root }: ConnectorTask): Promise<ConnectorFigures> {
  await using session = await connect(endpoint, options);
  const { context } = await session.pageTable({ root });
  let pages = 0;
  const list = async () => {
    pages = 0;
    for await (const record of mappings(session.memory, context, {}, { pages: true })) {
      if (record.kind === "mapping") pages++;
    }
  };
  await list(); // warms up what is compiled at run time
  const counted = count(session, !endpoint.startsWith("dump:"));
  const listings = [await timeMs(list)];
  const { commands, reads, readBytes } = counted;
  for (let i = 1; i < LISTINGS; i++) listings.push(await timeMs(list));
  const walks: number[] = [];
  for (let i = 0; i < WALKS; i++) {
    walks.push(await timeMs(() => walk(session.memory, context, ADDRESS)));
  }
  return {
    ...{ walkMs: median(walks), listMs: median(listings) },
    ...{ pages, commands, reads, readBytes },
  };
}

if (import.meta.main) console.log(JSON.stringify(await measure(JSON.parse(Deno.args[0]!))));

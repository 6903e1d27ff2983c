import { type HostilePeer, MEEK_GDBSTUB } from "./_hostile_peers.ts";

const PIECE_BYTES = 64 * 1024;

/** Serves one peer on loopback. A gdbstub is hostile to its first client only, so that it can be left. */
export class HostileServer implements AsyncDisposable {
  readonly port: number;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  readonly #served: Promise<void>;

  constructor(peer: HostilePeer) {
    this.port = this.#listener.addr.port;
    this.#served = this.#serve(peer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) end(connection);
    await this.#served;
  }

  async #serve(peer: HostilePeer): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      const which = peer.prefix === "gdb:" && serving.length > 0 ? MEEK_GDBSTUB : peer;
      serving.push(
        talk(connection, which).catch(ignoreGone).finally(() => {
          end(connection);
          this.#open.delete(connection);
        }),
      );
    }
    await Promise.all(serving);
  }
}

async function talk(connection: Deno.Conn, peer: HostilePeer): Promise<void> {
  const answer = peer.answers();
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let { say, floods } = peer.greeting;; { say, floods } = await next()) {
    await writeAll(connection, latin1(say));
    if (floods) {
      for (const bytes = latin1(peer.flood);;) await writeAll(connection, bytes);
    }
  }

  async function next() {
    const count = await connection.read(buffer);
    if (count === null) throw new Deno.errors.BrokenPipe("the client has left");
    return answer(decoder.decode(buffer.subarray(0, count)));
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
}

function ignoreGone(error: unknown): void {
  const { BrokenPipe, ConnectionReset, BadResource, Interrupted } = Deno.errors;
  const gone = [BrokenPipe, ConnectionReset, BadResource, Interrupted];
  if (!gone.some((type) => error instanceof type)) throw error;
}

function end(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error; // It is closed.
  }
}

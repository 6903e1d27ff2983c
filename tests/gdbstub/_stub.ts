import { encodePacket, PacketFramer } from "../../src/connectors/gdbstub/packet.ts";

/** A gdbstub that keeps to itself until it is told to speak, and notes what it is sent. */
export interface QuietStub extends AsyncDisposable {
  readonly port: number;
  /** Settles when a client has connected; nothing has been answered then. */
  readonly accepted: Promise<void>;
  /** Answers what has been asked so far and will be. */
  speak(): void;
  /** What the client has sent, when it has closed the connection. */
  readonly requests: Promise<string[]>;
}

const ANSWERS: Readonly<Record<string, string>> = {
  qSupported: "PacketSize=1000;qXfer:features:read+",
};

/** Starts one on a free port. It tells that it stopped the guest, as QEMU up to 7.2 does. */
export function quietStub(): QuietStub {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = Promise.withResolvers<void>();
  const speaking = Promise.withResolvers<void>();
  const serve = async () => {
    using connection = await listener.accept();
    accepted.resolve();
    await speaking.promise;
    const say = async (data: string) => {
      try {
        await connection.write(new TextEncoder().encode(encodePacket(data)));
      } catch (error) {
        // A client that has left with an answer on its way is what is tried here.
        if (!isGone(error)) throw error;
      }
    };
    await say("T02thread:01;");
    const framer = new PacketFramer();
    const requests: string[] = [];
    const buffer = new Uint8Array(4096);
    const hear = () => connection.read(buffer).catch((error) => isGone(error) ? null : fail(error));
    for (let n = await hear(); n !== null; n = await hear()) {
      for (const packet of framer.push(buffer.subarray(0, n))) {
        const request = new TextDecoder().decode(packet);
        requests.push(request);
        if (request.startsWith("qRcmd,")) await say(`O${hexOf(`${VERSION}\n`)}`);
        await say(ANSWERS[request] ?? "OK");
      }
    }
    return requests;
  };
  const requests = serve();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    accepted: accepted.promise,
    speak: speaking.resolve,
    requests,
    async [Symbol.asyncDispose]() {
      speaking.resolve();
      listener.close();
      await requests;
    },
  };
}

const VERSION = "7.2.22 (Debian 1:7.2)";

function hexOf(text: string): string {
  return [...text].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}

function fail(error: unknown): never {
  throw error;
}

/** A reply over the cap fails its own command, typed, and the next one gets its own reply. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ReplyTooLargeError } from "../../mod.ts";
import { liveTest } from "../live.ts";
import { openAt, SOCKET_CONNECTORS, startBehind } from "./_socket_connectors.ts";

/** Less than the registers' 4 KB, more than the status. */
const CAP_BYTES = 1000;

for (const connector of SOCKET_CONNECTORS) {
  liveTest(`${connector.name}: a reply over the cap fails its own command only`, async () => {
    await using behind = await startBehind(connector);
    await using session = await openAt(connector, behind.address, { maxReplyBytes: CAP_BYTES });
    const { monitor } = session;
    const status = await monitor.command("info status");
    for (let i = 0; i < 3; i++) {
      // All of them are under way at once.
      const large = ["info registers", "info mtree -f"].map((line) =>
        assertRejects(() => monitor.command(line), ReplyTooLargeError, "raise maxReplyBytes")
      );
      const small = monitor.command("info status");
      for (const error of await Promise.all(large)) {
        assertEquals(error.limitBytes, CAP_BYTES);
        assert(error.message.includes(error.command!), error.message);
      }
      assertEquals(await small, status);
    }
    await session.close();
    await behind.requireRunning("replies over the cap");
  });
}

import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { labTest, startLab } from "../lab/mod.ts";
import { compareConnectors, dumpGuest, inFolder, onDump, registersOf } from "./_same_walks.ts";

for (const preset of ["4-level", "pae"] as const) {
  Deno.test(
    await labTest(
      `a dump of a Linux guest with RAM above 4 GiB (${preset})`,
      preset,
      () =>
        inFolder(async (folder) => {
          await using guest = await startLab(preset, {
            qemuArguments: ["-m", "512M", "-machine", "max-ram-below-4g=256M"],
          });
          const facts = guest.facts.map(({ address }) => address);
          const path = `${folder}/core`;
          // A 32-bit kernel keeps page tables where it does not map them, and -p leaves those out.
          for (const options of preset === "4-level" ? ["", "-p "] : [""]) {
            await using live = await connect(guest.monitorPort);
            await live.frozen(async () => {
              await dumpGuest(live, path, options);
              const started = performance.now();
              await onDump(path, {}, async (dump) => {
                const openMs = performance.now() - started;
                assertEquals(await registersOf(dump), await registersOf(live));
                const compared = await compareConnectors(live, dump, 20);
                const { root } = guest.target;
                let high = 0;
                for (const address of facts) {
                  const expected = await live.walk(address, { root });
                  assertEquals(await dump.walk(address, { root }), expected);
                  if (
                    expected.outcome === "mapped" && expected.physicalAddress >= 1n << 32n
                  ) high++;
                }
                assert(high > 0, "nothing lies above 4 GiB");
                const verdicts = [];
                for (const session of [live, dump]) {
                  const { start, lengthBytes } = { start: facts[0]!, lengthBytes: 1 << 20 };
                  verdicts.push(await session.verifyRange(start, lengthBytes, undefined, { root }));
                }
                assertEquals(verdicts[1], verdicts[0]);
                const pid = guest.target.pid;
                if (preset === "4-level") {
                  const process = await dump.walk(facts[0]!, { pid });
                  assertEquals(process.outcome, (await live.walk(facts[0]!, { pid })).outcome);
                }
                console.log(
                  `  ${preset} ${options}: opened in ${
                    openMs.toFixed(1)
                  } ms; ${compared} walks of ` +
                    `the listing, ${facts.length} facts (${high} above 4 GiB): no difference`,
                );
              });
            });
            await Deno.remove(path);
          }
        }),
    ),
  );
}

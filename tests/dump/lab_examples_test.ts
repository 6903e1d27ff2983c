import { assert, assertEquals } from "@std/assert";
import { connect, formatAddress } from "../../mod.ts";
import { runExample } from "../examples/_run.ts";
import { labTest, startLab } from "../lab/mod.ts";
import { dumpGuest, inFolder } from "./_same_walks.ts";

Deno.test(
  await labTest(
    "every script says of a dump of Linux what it says of the guest",
    "4-level",
    () =>
      inFolder(async (folder) => {
        // One client holds a monitor at a time, so the scripts get one of their own.
        await using guest = await startLab("4-level", {
          qemuArguments: ["-monitor", "unix:{folder}/scripts.sock,server=on,wait=off"],
        });
        const { pid } = guest.target;
        const facts = guest.facts.map(({ address }) => formatAddress(address));
        const buffer = facts[0]!;
        const scripts: [name: string, ...args: string[]][] = [
          ["qemu_verify_pte.ts", buffer, "--pid", `${pid}`],
          ["verify_range.ts", buffer, "64K", "--pid", `${pid}`],
          ["processes.ts"],
          ["maps.ts", "--pid", `${pid}`],
          ["symbols.ts"],
          ["dmesg.ts"],
          ["mappings.ts", "--pid", `${pid}`],
        ];
        const path = `${folder}/core`;
        const socket = `${guest.folder}/scripts.sock`;
        await using live = await connect(guest.monitorPort);
        await live.frozen(async () => {
          await dumpGuest(live, path);
          for (const [name, ...args] of scripts) {
            const run = async (connector: string, permissions: string[]) => {
              const { code, stdout } = await runExample(name, [connector, ...args], {
                permissions,
              });
              return { code, stdout: stdout.replaceAll(connector, "CONNECTOR") };
            };
            const onGuest = await run(`unix:${socket}`, ["-A"]);
            const onDump = await run(`dump:${path}`, [`--allow-read=${path}`]);
            assert(onGuest.code < 3 && onGuest.stdout.length > 20, `${name}: ${onGuest.stdout}`);
            assertEquals(onDump, onGuest, name);
            console.log(
              `  ${name}: ${onDump.stdout.split("\n").length - 1} lines, exit ${onDump.code}`,
            );
          }
        });
      }),
  ),
);

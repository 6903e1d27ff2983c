/** A connector defined here: nothing else of pagewalk changes for it. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  connect,
  connectors,
  describeSource,
  diff,
  formatEndpoint,
  InvalidArgumentError,
  NoMonitorError,
  parseEndpoint,
  permissionFor,
} from "../../mod.ts";
import { type Connector, type GuestSource, registerConnector } from "../../src/entries/extend.ts";
import { verificationText } from "../../src/report/mod.ts";
import { simulatedGuest } from "../../src/testing/mod.ts";

const PAGE = 0x7f1234567000n;
const USER_HALF = { start: 0n, lengthBytes: 2 ** 47 };

interface ToyEndpoint {
  scheme: "toy" | "toy+slow";
  crate: string;
}

/** Registers and memory of a simulated guest by calls of functions: no socket, no file, no monitor. */
const TOY: Connector<ToyEndpoint> = {
  name: "toy",
  usage: "toy:CRATE",
  schemes: {
    toy: (crate, text) => toyEndpoint("toy", crate, text),
    "toy+slow": (crate, text) => toyEndpoint("toy+slow", crate, text),
  },
  describe: ({ scheme, crate }) => `${scheme}:${crate}`,
  permissions: ({ crate }) => [{ name: "read", path: `/toys/${crate}` }],
  // deno-lint-ignore require-await -- as connectors that wait for somebody are
  async open(endpoint, { record }): Promise<GuestSource> {
    if (record !== undefined) {
      throw new InvalidArgumentError("A toy says nothing to record", record);
    }
    const guest = simulatedGuest({ schedule: [["target"], ["idle"]] });
    return {
      endpoint: TOY.describe(endpoint),
      qemuVersion: "",
      cpus: {
        registers: (cpu = 0) => Promise.resolve(guest.registers(cpu)),
        allRegisters: () => Promise.resolve([guest.registers(0), guest.registers(1)]),
      },
      memory: guest.memory,
      notice: "it is a toy",
      close: () => Promise.resolve(),
    };
  },
};

function toyEndpoint(scheme: ToyEndpoint["scheme"], crate: string, text: string): ToyEndpoint {
  if (crate === "") throw new InvalidArgumentError(`There is no crate in "${text}"`, text);
  return { scheme, crate };
}

Deno.test("a toy connector parses, prints its permissions, connects, walks, lists, verifies, audits, diffs and prints", async () => {
  using _ = registerConnector(TOY);
  const endpoint = parseEndpoint(" toy+slow:blue ");
  assertEquals(endpoint, { scheme: "toy+slow", crate: "blue" } as ToyEndpoint);
  assertEquals(formatEndpoint(endpoint), "toy+slow:blue");
  assertEquals(permissionFor(endpoint), "--allow-read=/toys/blue");
  assertThrows(() => parseEndpoint("toy:"), InvalidArgumentError, 'no crate in "toy:"');

  for (const where of ["toy:red", endpoint]) {
    await using guest = await connect(where);
    assertEquals(guest.notice, "it is a toy");
    assertEquals((await guest.walk(PAGE)).outcome, "mapped");
    const { verdict, reason } = await guest.verify(PAGE, { user: false }, { cpu: 0 });
    assertEquals([verdict, reason], ["pass", "_PAGE_USER is cleared in the PTE"]);
    const range = await guest.verifyRange(PAGE, 0x2000);
    assertEquals(range.pages > 0, true);
    const runs = [];
    for await (const run of guest.mappings({ start: PAGE, lengthBytes: 0x1000 })) runs.push(run);
    assertEquals(runs.length, 1);
    assertEquals((await guest.access(PAGE, { cpl: 3 })).outcome, "pageFault");
    const findings = await Array.fromAsync(guest.audit({ range: USER_HALF }));
    assertEquals(findings.map(({ rule }) => rule).includes("not-audited"), false);
    const before = await guest.snapshot({ range: USER_HALF });
    assertEquals(before.source, guest.endpoint);
    const { context, source } = await guest.pageTable({ cpu: 0 });
    const now = { memory: guest.memory, context };
    assertEquals(await Array.fromAsync(diff(before, now, { range: USER_HALF })), []);
    const text = verificationText(
      await guest.verify(PAGE, { user: false }, { cpu: 0 }),
      { source: describeSource(source) },
    );
    assertStringIncludes(text, "Verification PASSED");
    assertThrows(() => guest.monitor, NoMonitorError, guest.endpoint);
  }
  await assertRejects(
    () => connect("toy:red", { record: "/tmp/x" }),
    InvalidArgumentError,
    "toy says",
  );
});

Deno.test("a connector is unknown before it registers and after it is called off", async () => {
  const before = connectors().length;
  {
    using _ = registerConnector(TOY);
    assertEquals(connectors().length, before + 1);
    assertThrows(() => registerConnector(TOY), InvalidArgumentError, 'Two connectors have "toy:"');
    assertEquals(connectors().length, before + 1);
  }
  assertEquals(connectors().length, before);
  // It is a host's name again, whose port this is none.
  assertThrows(() => parseEndpoint("toy:red"), InvalidArgumentError);
  const unknown = { scheme: "toy", crate: "red" };
  assertThrows(
    () => formatEndpoint(unknown),
    InvalidArgumentError,
    'There is no "toy:" among tcp:',
  );
  await assertRejects(() => connect(unknown), InvalidArgumentError, 'There is no "toy:"');
});

Deno.test("a scheme that no endpoint could be written with is refused", () => {
  for (const scheme of ["", "TOY", "to y", "+toy", "toy:", "toy/"]) {
    const odd = { ...TOY, schemes: { [scheme]: TOY.schemes.toy! } };
    const error = assertThrows(() => registerConnector(odd), InvalidArgumentError, "Not a scheme");
    assertStringIncludes(error.message, `"${scheme}"`);
  }
});

Deno.test("each connector's usage text names an endpoint that it takes and writes", () => {
  for (const { name, usage, schemes, describe, permissions } of connectors()) {
    for (const form of usage.split(", ")) {
      const text = form.replace(/ \(.*/, "").replace("…", "4444").replace(/^host/, "127.0.0.1");
      const endpoint = parseEndpoint(text);
      assertEquals(Object.hasOwn(schemes, endpoint.scheme), true, `${name}: ${form}`);
      assertEquals(parseEndpoint(describe(endpoint)), endpoint, `${name}: ${form}`);
      assertEquals(Array.isArray(permissions(endpoint)), true);
    }
  }
});

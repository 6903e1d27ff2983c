import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import {
  checkCommand,
  READ_ONLY_COMMANDS,
  REFUSED_COMMANDS,
} from "../../src/monitor/allow_list.ts";
import { CommandRefusedError } from "../../src/monitor/errors.ts";

const endpoint = "127.0.0.1:1334";

Deno.test("checkCommand() lets the read-only commands through", () => {
  const lines = [
    "info status",
    "info",
    " info  lapic ",
    "xp /2gx 0x1000",
    "xp/2gx 0",
    "x /4wx 0",
    "help",
    "?",
  ];
  for (
    const line of [...lines, "p 1+1", "print 0", "gva2gpa 0", "gpa2hva 0", "info registers -a"]
  ) {
    checkCommand(line, { endpoint });
  }
});

for (
  const line of [
    "stop",
    "cont",
    "c",
    "quit",
    "q",
    "cpu 1",
    "pmemsave 0 1 f",
    "o 0x70 1",
    "i /1bx 0x70",
    "infox",
    "XP 0",
    "migrate d",
  ]
) {
  Deno.test(`checkCommand() refuses "${line}" unless it is named`, () => {
    const name = line.split(" ")[0]!;
    const error = assertThrows(
      () => checkCommand(line, { endpoint }),
      CommandRefusedError,
      `"${name}"`,
    );
    assertEquals([error.commandName, error.command, error.endpoint], [name, line, endpoint]);
    checkCommand(line, { endpoint, allowUnsafe: [name] });
    assertThrows(
      () => checkCommand(line, { endpoint, allowUnsafe: ["system_reset"] }),
      CommandRefusedError,
    );
  });
}

for (const line of ["info mem", " info   mem", "info mem/x", "info/mem"]) {
  Deno.test(`checkCommand() refuses "${line}", which blocks QEMU`, () => {
    assertThrows(() => checkCommand(line, { endpoint }), CommandRefusedError, "5-level");
    checkCommand(line, { endpoint, allowUnsafe: ["info mem"] });
  });
}

for (const line of ["info tlb", "  info  tlb", "info tlb/x", "info/tlb"]) {
  Deno.test(`checkCommand() refuses "${line}", which hostile tables make endless`, () => {
    assertThrows(() => checkCommand(line, { endpoint }), CommandRefusedError, "SIGKILL");
    checkCommand(line, { endpoint, allowUnsafe: ["info tlb"] });
  });
}

for (
  const line of [
    "",
    "  ",
    "info status\nquit",
    "info status\rquit",
    "info\tstatus",
    "info \x04",
    "info \x1b[A",
    "info é",
    "info \x00",
    "info \x7f",
    "info \xff",
  ]
) {
  Deno.test(`checkCommand() refuses ${JSON.stringify(line)} as a line`, () => {
    assertThrows(
      () => checkCommand(line, { endpoint, allowUnsafe: ["quit"] }),
      InvalidArgumentError,
    );
  });
}

Deno.test("checkCommand() keeps to the length that QEMU takes", () => {
  checkCommand("info " + "a".repeat(4089), { endpoint });
  assertThrows(
    () => checkCommand("info " + "a".repeat(4090), { endpoint }),
    InvalidArgumentError,
    "4095 characters, QEMU takes 4094",
  );
});

Deno.test("every rule says why", () => {
  for (const rule of [...READ_ONLY_COMMANDS, ...REFUSED_COMMANDS]) {
    assertEquals(rule.reason.length > 10, true, rule.name);
  }
});

Deno.test("checkCommand() lets qom-get read phys-bits, and no other property", () => {
  checkCommand("qom-get /machine/unattached/device[0] phys-bits", { endpoint });
  for (
    const line of [
      "qom-get /machine/unattached/device[0] realized",
      "qom-get /objects/secret0 data",
      "qom-get /machine phys-bits phys-bits",
      "qom-get x phys-bits",
      "qom-get",
      " qom-get /machine  phys-bits",
      "qom-set /machine phys-bits",
    ]
  ) assertThrows(() => checkCommand(line, { endpoint }), CommandRefusedError, "Refused", line);
});

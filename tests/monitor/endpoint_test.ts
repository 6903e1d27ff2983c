import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import {
  type Endpoint,
  formatEndpoint,
  monitorPortFor,
  parseEndpoint,
  permissionFor,
} from "../../mod.ts";

const READABLE: [text: string, endpoint: Endpoint & Record<string, unknown>, formatted: string][] =
  [
    ["1334", { scheme: "tcp", host: "127.0.0.1", port: 1334 }, "127.0.0.1:1334"],
    [" 1334 ", { scheme: "tcp", host: "127.0.0.1", port: 1334 }, "127.0.0.1:1334"],
    ["127.0.0.1:1334", { scheme: "tcp", host: "127.0.0.1", port: 1334 }, "127.0.0.1:1334"],
    ["localhost:1", { scheme: "tcp", host: "localhost", port: 1 }, "localhost:1"],
    [
      "vm-1.example.org:65535",
      { scheme: "tcp", host: "vm-1.example.org", port: 65535 },
      "vm-1.example.org:65535",
    ],
    ["[::1]:1334", { scheme: "tcp", host: "::1", port: 1334 }, "[::1]:1334"],
    ["tcp:127.0.0.1:1334", { scheme: "tcp", host: "127.0.0.1", port: 1334 }, "127.0.0.1:1334"],
    [
      "tcp:[fe80::1%eth0]:1334",
      { scheme: "tcp", host: "fe80::1%eth0", port: 1334 },
      "[fe80::1%eth0]:1334",
    ],
    ["tcp::1334,server,nowait", { scheme: "tcp", host: "127.0.0.1", port: 1334 }, "127.0.0.1:1334"],
    [
      "127.0.0.1:1334,server=on,wait=off",
      { scheme: "tcp", host: "127.0.0.1", port: 1334 },
      "127.0.0.1:1334",
    ],
    [
      "telnet:127.0.0.1:1334",
      { scheme: "telnet", host: "127.0.0.1", port: 1334 },
      "telnet:127.0.0.1:1334",
    ],
    ["telnet:[::1]:1334", { scheme: "telnet", host: "::1", port: 1334 }, "telnet:[::1]:1334"],
    ["unix:/run/vm:1.sock", { scheme: "unix", path: "/run/vm:1.sock" }, "unix:/run/vm:1.sock"],
    ["unix:vm.sock,server=on,wait=off", { scheme: "unix", path: "vm.sock" }, "unix:vm.sock"],
    ["libvirt:my vm", { scheme: "libvirt", domain: "my vm" }, "libvirt:my vm"],
    [
      "libvirt:///session/vm",
      { scheme: "libvirt", instance: "session", domain: "vm" },
      "libvirt:///session/vm",
    ],
    [
      "libvirt+ssh://me@host:22/vm",
      { scheme: "libvirt+ssh", host: "me@host:22", domain: "vm" },
      "libvirt+ssh://me@host:22/vm",
    ],
    [
      "libvirt+ssh://host/session/system",
      { scheme: "libvirt+ssh", host: "host", instance: "session", domain: "system" },
      "libvirt+ssh://host/session/system",
    ],
    ["sim:demo", { scheme: "sim", name: "demo" }, "sim:demo"],
  ];

for (const [text, endpoint, formatted] of READABLE) {
  Deno.test(`parseEndpoint() reads ${JSON.stringify(text)}`, () => {
    assertEquals(parseEndpoint(text), endpoint);
    assertEquals(formatEndpoint(endpoint), formatted);
    assertEquals(parseEndpoint(formatted), endpoint);
  });
}

const REFUSED: [text: string, message: string][] = [
  ["", "expected a port"],
  ["localhost", "expected a port"],
  ["0", 'Not a port: "0"; it must be 1 to 65535'],
  ["65536", 'Not a port: "65536"'],
  ["123456", 'Not a port: "123456"'],
  ["host:", 'Not a port: "" in "host:"'],
  ["host:-1", 'Not a port: "-1" in "host:-1"'],
  ["host:0x536", "Not a port"],
  ["tcp:host:1334x", "Not a port"],
  ["::1:1334", "an IPv6 address goes in brackets"],
  ["[::1]", "expected a port"],
  ["[host]:1334", "Not an IPv6 address"],
  ["ho st:1334", 'Not a host name or address: "ho st"'],
  ["-host:1334", "Not a host name or address"],
  ["unix:", "Not a socket's path"],
  ["/run/vm.sock", "for a Unix socket write unix:/run/vm.sock"],
  ["libvirt:", "Not a domain's name"],
  ["libvirt:a'b", "Not a domain's name"],
  ["libvirt:///other/vm", "expected libvirt:DOMAIN, or libvirt:///system/DOMAIN"],
  ["libvirt:///system/", "Not a domain's name"],
  ["libvirt+ssh://host", "expected libvirt+ssh://HOST/DOMAIN"],
  ["libvirt+ssh://-oProxyCommand=x/vm", "expected libvirt+ssh://HOST/DOMAIN"],
  ["libvirt+ssh://host/other/vm", "Not a domain's name"],
  ["http://127.0.0.1:1334", 'there is no "http:" among tcp:, telnet:, unix:'],
  ["foo:127.0.0.1:1334", 'there is no "foo:" among'],
  ["abcd::1:1334", "an IPv6 address goes in brackets"],
];

for (const [text, message] of REFUSED) {
  Deno.test(`parseEndpoint() refuses ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => parseEndpoint(text), InvalidArgumentError, message);
    assertEquals(error.input, text);
    assertEquals(error.message.includes("\n"), false);
  });
}

Deno.test("a machine that is not simulated is refused, and not shown as another", () => {
  for (const text of ["sim:riscv", "sim:riscv32", "sim:rv64", "sim:arm64", "sim:aarch64"]) {
    assertThrows(() => parseEndpoint(text), InvalidArgumentError, "sim:riscv64 is RISC-V");
  }
});

Deno.test("permissionFor() names the least flags, quoted for a shell", () => {
  assertEquals(permissionFor(parseEndpoint("1334")), "--allow-net=127.0.0.1:1334");
  assertEquals(permissionFor(parseEndpoint("telnet:[::1]:1334")), "--allow-net=[::1]:1334");
  assertEquals(
    permissionFor(parseEndpoint("unix:/run/vm.sock")),
    "--allow-read=/run/vm.sock --allow-write=/run/vm.sock --allow-net=unix:/run/vm.sock",
  );
  assertEquals(
    permissionFor({ scheme: "unix", path: "/a b" }),
    "'--allow-read=/a b' '--allow-write=/a b' '--allow-net=unix:/a b'",
  );
  assertEquals(permissionFor(parseEndpoint("sim:demo")), "");
});

Deno.test("monitorPortFor() adds 100 and stays a port", () => {
  assertEquals(monitorPortFor(1234), 1334);
  assertEquals(monitorPortFor(65435), 65535);
  for (const port of [0, 65436, 1.5, NaN, -100]) {
    assertThrows(() => monitorPortFor(port), InvalidArgumentError, "Not a debug port");
  }
});

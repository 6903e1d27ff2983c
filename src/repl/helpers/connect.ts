import { describeSession } from "../describe_session.ts";
import type { Helper } from "../helper.ts";
import { showAs } from "../show/renderers.ts";

/** `connect()`. */
export const CONNECT: Helper = {
  name: "connect",
  usage: "connect(endpoint?)",
  purpose: "connect again, or to another guest",
  takesText: true,
  notes: [
    'endpoint: 1334, "host:1334", "unix:/path", "sim:". The session in use is the variable session.',
  ],
  example: `
> connect("sim:")
QEMU 7.2.22 at sim:
> session.endpoint
sim:
`,
  create: (repl) => async (endpoint?: string | number) => {
    const session = await repl.guest.connect(endpoint);
    return showAs(session, describeSession);
  },
};

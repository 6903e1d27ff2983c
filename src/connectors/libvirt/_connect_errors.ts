import { formatError } from "../../core/errors.ts";
import {
  ConnectError,
  type ConnectFailure,
  MonitorError,
  ReplyTimeoutError,
} from "../../monitor/errors.ts";
import { permissionFlags } from "../../core/permission_flags.ts";
import { connectionUri } from "./_connection_uri.ts";
import { DOMAIN_PERMISSIONS, type DomainEndpoint, formatDomain } from "./endpoint.ts";

/** Why a domain's monitor is not reached. */
type DomainFailure = Extract<
  ConnectFailure,
  "permission" | "noProgram" | "noSuchDomain" | "notAllowed" | "refused" | "timedOut" | "failed"
>;

/** What virsh's words mean (9.0). */
const BY_WORDS: readonly { words: RegExp; failure: DomainFailure }[] = [
  { words: /failed to get domain/, failure: "noSuchDomain" },
  { words: /Permission denied|authentication|access denied/i, failure: "notAllowed" },
  { words: /Failed to connect socket|Connection refused/i, failure: "refused" },
];

/** What a message is made of. */
interface Circumstances {
  /** The endpoint, as a user would type it. */
  name: string;
  /** The machine that libvirt runs on. */
  where: string;
  /** What went wrong, in others' words. */
  detail: string;
  endpoint: DomainEndpoint;
}

const MESSAGES: Record<DomainFailure, (of: Circumstances) => string> = {
  permission: ({ name }) =>
    `No permission to run virsh for ${name}: run deno with ${permissionFlags(DOMAIN_PERMISSIONS)}`,
  noProgram: ({ name }) =>
    `There is no virsh for ${name}: install it (Debian: apt-get install libvirt-clients)`,
  noSuchDomain: ({ where, endpoint }) => {
    const { domain } = endpoint;
    const uri = connectionUri(endpoint);
    const listing = `virsh ${uri === null ? "" : `-c ${uri} `}list --all`;
    // By itself virsh connects to one of a machine's two libvirts.
    const others = uri === null
      ? `; libvirt:///system/${domain} and libvirt:///session/${domain} name one of its two libvirts`
      : "";
    return `libvirt on ${where} has no domain "${domain}": "${listing}" lists those it has${others}`;
  },
  notAllowed: ({ name, where, detail }) =>
    `libvirt on ${where} does not let this user in for ${name}: join its group "libvirt" (${detail})`,
  refused: ({ name, where, detail }) =>
    `No libvirtd answers on ${where} for ${name}: is it running? (${detail})`,
  timedOut: ({ name, detail }) =>
    `virsh gave no answer for ${name} within ${detail}: is libvirtd busy or starting?`,
  failed: ({ name, detail }) => `Could not connect to ${name}: ${detail}`,
};

/** The error that the first command's failure stands for: what virsh said is wrong, told from its words. */
export function connectErrorFrom(
  error: unknown,
  endpoint: DomainEndpoint,
  timeoutMs: number,
): unknown {
  if (error instanceof ReplyTimeoutError) {
    return connectError("timedOut", endpoint, error, `${timeoutMs} ms`);
  }
  if (!(error instanceof MonitorError)) return error;
  const said = error.message;
  const known = BY_WORDS.find(({ words }) => words.test(said));
  return connectError(known?.failure ?? "failed", endpoint, error, said);
}

/** The error of a domain that is not reached. */
export function connectError(
  failure: DomainFailure,
  endpoint: DomainEndpoint,
  cause?: unknown,
  detail = formatError(cause),
): ConnectError {
  const name = formatDomain(endpoint);
  const where = endpoint.scheme === "libvirt" ? "this machine" : endpoint.host;
  const message = MESSAGES[failure]({ name, where, detail, endpoint });
  return new ConnectError(failure, message, { endpoint: name, cause });
}

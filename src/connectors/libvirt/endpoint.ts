import { InvalidArgumentError } from "../../core/errors.ts";

/** One of a host's two libvirts: the `system`'s, or the `session`'s, which is a user's own. */
export type LibvirtInstance = "system" | "session";

/** A domain of libvirt's, reached through `virsh`. */
export interface LibvirtEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "libvirt";
  /**
   * Whose libvirt has it.
   *
   * @default the one that virsh connects to by itself: what LIBVIRT_DEFAULT_URI says, or libvirt.conf,
   * else `system` for root and `session` for others
   */
  instance?: LibvirtInstance;
  /** The domain's name, number or UUID. */
  domain: string;
}

/** A domain of another host's libvirt, reached through `virsh` and ssh. */
export interface LibvirtSshEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "libvirt+ssh";
  /** `host`, `user@host`, either with `:port`. */
  host: string;
  /**
   * Whose libvirt has it.
   *
   * @default {"system"}
   */
  instance?: LibvirtInstance;
  /** The domain's name, number or UUID. */
  domain: string;
}

/** A domain, wherever its libvirt runs. */
export type DomainEndpoint = LibvirtEndpoint | LibvirtSshEndpoint;

/*
 * The syntax is libvirt's own for its connections, with `libvirt` for `qemu` and the domain at the end:
 * qemu:///session, qemu+ssh://host/system. No domain's name holds a slash: libvirt refuses that (9.0).
 */
const HOST = String.raw`(?:[\w.-]+@)?(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?`;
const LOCAL = /^\/\/\/(system|session)\/(.*)$/;
const OVER_SSH = new RegExp(String.raw`^//(${HOST})/(?:(system|session)/)?(.+)$`);

/** Writes a domain's endpoint the way a user would type it. */
export function formatDomain(endpoint: DomainEndpoint): string {
  const { domain, instance } = endpoint;
  if (endpoint.scheme === "libvirt+ssh") {
    return `libvirt+ssh://${endpoint.host}/${
      instance === undefined ? "" : `${instance}/`
    }${domain}`;
  }
  return instance === undefined ? `libvirt:${domain}` : `libvirt:///${instance}/${domain}`;
}

/** What reaching a domain takes. */
export const DOMAIN_PERMISSIONS: readonly Deno.PermissionDescriptor[] = [
  { name: "run", command: "virsh" },
];

/** Reads a domain of this machine's libvirt: `libvirt:DOMAIN`, `libvirt:///session/DOMAIN`. */
export function parseLibvirt(rest: string, text: string): LibvirtEndpoint {
  const [, instance, domain] = LOCAL.exec(rest) ?? [];
  if (instance === undefined) return { scheme: "libvirt", domain: parseDomain(rest, text) };
  return { scheme: "libvirt", ...parts(instance, domain!, text) };
}

/** Reads a domain of another host's libvirt: `libvirt+ssh://HOST/DOMAIN`. */
export function parseLibvirtSsh(rest: string, text: string): LibvirtSshEndpoint {
  const [, host, instance, domain] = OVER_SSH.exec(rest) ?? [];
  if (host === undefined || host.startsWith("-")) {
    throw new InvalidArgumentError(
      `Not a monitor endpoint: "${text}"; expected libvirt+ssh://HOST/DOMAIN`,
      text,
    );
  }
  return { scheme: "libvirt+ssh", host, ...parts(instance, domain!, text) };
}

function parts(
  instance: string | undefined,
  domain: string,
  text: string,
): { instance?: LibvirtInstance; domain: string } {
  return {
    ...instance !== undefined && { instance: instance as LibvirtInstance },
    domain: parseDomain(domain, text),
  };
}

/** virsh takes a name as one word of a shell-like line, so none may hold a quote or a line end. */
function parseDomain(domain: string, text: string): string {
  if (!/^[^\s-]/.test(domain) || /['"\\/]|[^\x20-\x7e\u00a0-\uffff]/.test(domain)) {
    throw new InvalidArgumentError(
      `Not a domain's name: "${domain}" in "${text}"; expected libvirt:DOMAIN, or ` +
        "libvirt:///system/DOMAIN, libvirt:///session/DOMAIN",
      text,
    );
  }
  return domain;
}

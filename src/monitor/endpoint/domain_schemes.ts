import { InvalidArgumentError } from "../../core/errors.ts";
import type { LibvirtEndpoint, LibvirtInstance, LibvirtSshEndpoint } from "./endpoint.ts";
import type { Scheme } from "./scheme.ts";

/*
 * The syntax is libvirt's own for its connections, with `libvirt` for `qemu` and the domain at the end:
 * qemu:///session, qemu+ssh://host/system. No domain's name holds a slash: libvirt refuses that (9.0).
 */
const HOST = String.raw`(?:[\w.-]+@)?(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?`;
const LOCAL = /^\/\/\/(system|session)\/(.*)$/;
const OVER_SSH = new RegExp(String.raw`^//(${HOST})/(?:(system|session)/)?(.+)$`);

/** A domain of this machine's libvirt: `libvirt:DOMAIN`, `libvirt:///session/DOMAIN`. */
export const LIBVIRT: Scheme<LibvirtEndpoint> = {
  parse: parseLibvirt,
  format: ({ domain, instance }) =>
    instance === undefined ? `libvirt:${domain}` : `libvirt:///${instance}/${domain}`,
  permissions: () => [{ name: "run", command: "virsh" }],
};

/** A domain of another host's libvirt: `libvirt+ssh://HOST/DOMAIN`. */
export const LIBVIRT_SSH: Scheme<LibvirtSshEndpoint> = {
  parse: parseLibvirtSsh,
  format: ({ domain, host, instance }) =>
    `libvirt+ssh://${host}/${instance === undefined ? "" : `${instance}/`}${domain}`,
  permissions: () => [{ name: "run", command: "virsh" }],
};

function parseLibvirt(rest: string, text: string): LibvirtEndpoint {
  const [, instance, domain] = LOCAL.exec(rest) ?? [];
  if (instance === undefined) return { scheme: "libvirt", domain: parseDomain(rest, text) };
  return { scheme: "libvirt", ...parts(instance, domain!, text) };
}

function parseLibvirtSsh(rest: string, text: string): LibvirtSshEndpoint {
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

import { InvalidArgumentError } from "../../core/errors.ts";
import type { LibvirtEndpoint, LibvirtSshEndpoint } from "./endpoint.ts";
import type { Scheme } from "./scheme.ts";

/** A domain of this machine's libvirt: `libvirt:DOMAIN`. */
export const LIBVIRT: Scheme<LibvirtEndpoint> = {
  parse: (rest, text) => ({ scheme: "libvirt", domain: parseDomain(rest, text) }),
  format: ({ domain }) => `libvirt:${domain}`,
  permissions: () => [{ name: "run", command: "virsh" }],
};

/** A domain of another host's libvirt: `libvirt+ssh://HOST/DOMAIN`. */
export const LIBVIRT_SSH: Scheme<LibvirtSshEndpoint> = {
  parse: (rest, text) => ({ scheme: "libvirt+ssh", ...parseSshDomain(rest, text) }),
  format: ({ host, domain }) => `libvirt+ssh://${host}/${domain}`,
  permissions: () => [{ name: "run", command: "virsh" }],
};

/** virsh takes a name as one word of a shell-like line, so none may hold a quote or a line end. */
function parseDomain(domain: string, text: string): string {
  if (!/^[^\s-]/.test(domain) || /['"\\]|[^\x20-\x7e\u00a0-\uffff]/.test(domain)) {
    throw new InvalidArgumentError(`Not a domain's name: "${domain}" in "${text}"`, text);
  }
  return domain;
}

function parseSshDomain(rest: string, text: string): { host: string; domain: string } {
  const [, host, domain] =
    /^\/\/((?:[\w.-]+@)?(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::\d+)?)\/(.+)$/.exec(rest) ??
      [];
  if (host === undefined || host.startsWith("-")) {
    throw new InvalidArgumentError(
      `Not a monitor endpoint: "${text}"; expected libvirt+ssh://HOST/DOMAIN`,
      text,
    );
  }
  return { host, domain: parseDomain(domain!, text) };
}

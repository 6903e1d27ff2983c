import type { DomainEndpoint } from "./endpoint.ts";

/** What virsh is to connect to; null for what it connects to by itself. */
export function connectionUri(endpoint: DomainEndpoint): string | null {
  if (endpoint.scheme === "libvirt") {
    return endpoint.instance === undefined ? null : `qemu:///${endpoint.instance}`;
  }
  const { host, instance = "system" } = endpoint;
  // Without no_tty ssh would ask for a password on the terminal, behind everybody's back.
  return `qemu+ssh://${host}/${instance}?no_tty=1`;
}

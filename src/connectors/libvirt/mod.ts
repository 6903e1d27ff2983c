import { type Connector, openMonitorSource } from "../connector.ts";
import {
  DOMAIN_PERMISSIONS,
  type DomainEndpoint,
  formatDomain,
  parseLibvirt,
  parseLibvirtSsh,
} from "./endpoint.ts";

/** A domain of libvirt's, on this machine or another, by `virsh`. */
export const LIBVIRT: Connector<DomainEndpoint> = {
  name: "libvirt",
  usage: "libvirt:DOMAIN",
  schemes: { libvirt: parseLibvirt, "libvirt+ssh": parseLibvirtSsh },
  describe: formatDomain,
  permissions: () => [...DOMAIN_PERMISSIONS],
  async open(endpoint, options) {
    const { LibvirtClient } = await import("./libvirt_client.ts");
    const open = () => LibvirtClient.open(endpoint, options);
    return await openMonitorSource(endpoint.scheme, open, options);
  },
};

/** A monitor on a TCP port. */
export interface TcpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "tcp";
  /** The host's name or address; an IPv6 address without brackets. */
  host: string;
  /** The port, 1 to 65535. */
  port: number;
}

/** A monitor on a TCP port that speaks telnet (`-monitor telnet:…`). */
export interface TelnetEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "telnet";
  /** The host's name or address; an IPv6 address without brackets. */
  host: string;
  /** The port, 1 to 65535. */
  port: number;
}

/** A monitor on a Unix socket. */
export interface UnixEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "unix";
  /** The socket's path. */
  path: string;
}

/** A QMP server: the machine's language of the same monitor (`-qmp …`). */
export interface QmpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "qmp";
  /** The socket that it listens on. */
  socket: TcpEndpoint | UnixEndpoint;
}

/** A gdbstub (`-gdb …`, `-s`). Connecting to it pauses the guest. */
export interface GdbEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "gdb";
  /** The socket that it listens on. */
  socket: TcpEndpoint | UnixEndpoint;
}

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

/** A monitor inside this process, such as the simulated guest's. */
export interface SimEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "sim";
  /** What the simulated guest is called. */
  name: string;
}

/** A recording of a monitor's answers, instead of a guest. */
export interface ReplayEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "replay";
  /** The recording's path. */
  path: string;
}

/** A dump of a guest's memory, instead of a guest. */
export interface DumpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "dump";
  /** The dump's path. */
  path: string;
}

/** Where a monitor is. A further scheme is one more member here and one more row in the table of schemes. */
export type Endpoint =
  | TcpEndpoint
  | TelnetEndpoint
  | UnixEndpoint
  | QmpEndpoint
  | GdbEndpoint
  | LibvirtEndpoint
  | LibvirtSshEndpoint
  | SimEndpoint
  | ReplayEndpoint
  | DumpEndpoint;

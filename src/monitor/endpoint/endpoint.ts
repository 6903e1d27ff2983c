/** What is connected to. What stands behind the scheme differs by scheme. */
export interface Endpoint {
  /** Which kind of endpoint this is: what is written before its colon. */
  readonly scheme: string;
}

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

/** A socket that QEMU listens on. */
export type SocketEndpoint = TcpEndpoint | TelnetEndpoint | UnixEndpoint;

/** A QMP server: the machine's language of the same monitor (`-qmp …`). */
export interface QmpEndpoint {
  /** Which kind of endpoint this is. */
  scheme: "qmp";
  /** The socket that it listens on. */
  socket: TcpEndpoint | UnixEndpoint;
}

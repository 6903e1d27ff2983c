/**
 * Without systemd nobody starts libvirt's daemons, so as root the test does. libvirtd asks virtlogd for
 * each domain that it starts, so both must listen.
 */
const DAEMONS = [
  { path: "/usr/sbin/virtlogd", socket: "/run/libvirt/virtlogd-sock" },
  { path: "/usr/sbin/libvirtd", socket: "/run/libvirt/libvirt-sock" },
];

/** Whether libvirt is there: it runs, or it can be started. */
export const LIBVIRT: boolean = await listens(DAEMONS[1]!) ||
  (Deno.uid() === 0 &&
    (await Promise.all(DAEMONS.map(({ path }) => exists(path)))).every(Boolean));

/**
 * Runs a daemon as its orphans' next of kin. libvirtd has QEMU turn into a daemon, kills it and waits
 * until it is gone, for half a minute; in a container whose first process waits for nobody it stays a
 * zombie, unless somebody in between does (PR_SET_CHILD_SUBREAPER is 36, prctl is call 157 on x86-64).
 */
const REAPER = `
  syscall(157, 36, 1, 0, 0, 0) == 0 or die "prctl: $!";
  my $daemon = fork // die "fork: $!";
  if ($daemon == 0) { exec @ARGV or die "$ARGV[0]: $!" }
  $SIG{TERM} = sub { kill TERM => $daemon };
  while (wait != $daemon) {}
`;

/** Starts libvirt unless it runs; disposing of it stops what was started. */
export async function startLibvirt(): Promise<AsyncDisposable> {
  const running: Deno.ChildProcess[] = [];
  for (const daemon of DAEMONS) {
    // As root alone; where libvirtd runs for others, whoever runs it sees to virtlogd.
    if (await listens(daemon) || Deno.uid() !== 0) continue;
    running.push(
      new Deno.Command("perl", {
        args: ["-e", REAPER, daemon.path],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn(),
    );
    while (!await listens(daemon)) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const child of running) child.kill("SIGTERM");
      await Promise.all(running.map((child) => child.status));
    },
  };
}

async function listens({ socket: path }: { socket: string }): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    // A socket that a daemon has left behind refuses.
    const { NotFound, ConnectionRefused } = Deno.errors;
    if (error instanceof NotFound || error instanceof ConnectionRefused) return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

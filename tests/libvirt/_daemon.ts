const SOCKET = "/run/libvirt/libvirt-sock";

/** Without systemd nobody starts libvirt's daemons, so as root the test does. */
const DAEMONS = ["/usr/sbin/virtlogd", "/usr/sbin/libvirtd"];

/** Whether libvirt is there: it runs, or it can be started. */
export const LIBVIRT: boolean = await listens() ||
  (Deno.uid() === 0 && (await Promise.all(DAEMONS.map(exists))).every(Boolean));

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

/** Held by whoever uses libvirt: a machine has one, and whoever started it stops it. */
const LOCK = "/tmp/pagewalk-test-libvirt.lock";

/**
 * Starts libvirt unless it runs; disposing of it stops what was started. Test files that run beside each
 * other have it one after the other.
 */
export async function startLibvirt(): Promise<AsyncDisposable> {
  const file = await Deno.open(LOCK, { create: true, write: true });
  await file.lock(true);
  const stop = await listens() ? () => Promise.resolve() : await startDaemons();
  return {
    async [Symbol.asyncDispose]() {
      await stop();
      file.close();
    },
  };
}

/** Returns what stops them. */
async function startDaemons(): Promise<() => Promise<void>> {
  const running = DAEMONS.map((path) =>
    new Deno.Command("perl", {
      args: ["-e", REAPER, path],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn()
  );
  while (!await listens()) await new Promise((resolve) => setTimeout(resolve, 50));
  return async () => {
    for (const child of running) child.kill("SIGTERM");
    await Promise.all(running.map((child) => child.status));
  };
}

async function listens(): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path: SOCKET })).close();
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

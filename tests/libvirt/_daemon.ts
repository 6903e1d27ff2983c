/** Without systemd nobody starts libvirt's daemons, so as root the test does. */
const DAEMONS = [
  { path: "/usr/sbin/virtlogd", socket: "/run/libvirt/virtlogd-sock" },
  { path: "/usr/sbin/libvirtd", socket: "/run/libvirt/libvirt-sock" },
];

/** Whether libvirt is there: it runs, or it can be started. */
export const LIBVIRT: boolean = await listens("/run/libvirt/libvirt-sock") ||
  (Deno.uid() === 0 && (await Promise.all(DAEMONS.map(({ path }) => exists(path)))).every(Boolean));

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

/** Not every container lets even root have namespaces. */
const canHaveMounts = LIBVIRT && Deno.uid() === 0 &&
  (await new Deno.Command("unshare", {
    args: ["--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
    stderr: "null",
  }).output()).success;

/** Held by whoever uses libvirt: a machine has one, and whoever started it stops it. */
const LOCK = "/tmp/pagewalk-test-libvirt.lock";

/**
 * Starts libvirt unless it runs; disposing of it stops what was started. Test files that run beside each
 * other have it one after the other.
 */
export async function startLibvirt(): Promise<AsyncDisposable> {
  const file = await Deno.open(LOCK, { create: true, write: true });
  await file.lock(true);
  const started: Deno.ChildProcess[] = [];
  const folder = await Deno.makeTempDir({ prefix: "pagewalk-libvirt-" });
  for (const [i, { path, socket }] of DAEMONS.entries()) {
    // The system's own listen already, by systemd's sockets.
    if (await listens(socket)) continue;
    await Deno.mkdir(`${folder}/${i}`);
    started.push(await startDaemon(path, socket, `${folder}/${i}`));
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const child of started) child.kill("SIGTERM");
      await Promise.all(started.map((child) => child.status));
      await Deno.remove(folder, { recursive: true });
      file.close();
    },
  };
}

/** The daemon in a mount namespace of its own, if that can be had, with a /dev of its own in a folder. */
const WITHOUT_KVM = `
  daemon=$1 folder=$2
  if [ -e /dev/kvm ]; then
    . "$3"
    # Domains cannot have mounts of their own on top of these.
    echo 'namespaces = []' > $folder/qemu.conf
    mount --bind $folder/qemu.conf /etc/libvirt/qemu.conf
  fi
  exec "$daemon"
`;

async function startDaemon(
  path: string,
  socket: string,
  folder: string,
): Promise<Deno.ChildProcess> {
  const script = new URL("without_kvm.sh", import.meta.url).pathname;
  const daemon = canHaveMounts
    ? ["unshare", "--mount", "sh", "-ec", WITHOUT_KVM, "sh", path, folder, script]
    : [path];
  const child = new Deno.Command("perl", {
    args: ["-e", REAPER, ...daemon],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  while (!await listens(socket)) await new Promise((resolve) => setTimeout(resolve, 50));
  return child;
}

async function listens(path: string): Promise<boolean> {
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

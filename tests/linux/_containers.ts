import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { AmbiguousProcessError, NoSuchProcessError } from "../../mod.ts";
import { type LinuxGuest, readProcessFiles } from "../../src/entries/linux.ts";
import { compareDetails, type GuestShell } from "./_compare.ts";
import { compareFiles } from "./_compare_more.ts";

/** A container of the simple kind: pids and mounts of its own, and a root that is not the guest's. */
const CONTAINER = "mkdir -p /tmp/c; unshare -m -p -f sh -c '" +
  "mount -t tmpfs none /tmp/c && mkdir -p /tmp/c/bin /tmp/c/dev && cp /bin/busybox /tmp/c/bin/ && " +
  "mknod /tmp/c/dev/held c 1 3 && cd /tmp/c && mount -o move /tmp/c / && " +
  "exec chroot . /bin/busybox sleep 7779 3< dev/held' > /dev/null 2>&1 & sleep 1; ";

/** Processes as people know them: by arguments, cgroups, pids in containers; and what they have open. */
export async function checkContainers(lab: GuestShell, linux: LinuxGuest): Promise<void> {
  await lab.shell(
    "mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && mkdir -p /tmp/cg/a.slice/b.service; " +
      "unshare -p -f sleep 7777 > /dev/null 2>&1 & sleep 0.5; " +
      `echo $! > /tmp/cg/a.slice/b.service/cgroup.procs; ${CONTAINER}`,
  );
  const details = await compareDetails(lab, linux);
  const files = await compareFiles(lab, linux);
  assertEquals([...details.differences, ...files.differences], []);
  assertGreater(details.compared, 30);
  assertGreater(files.compared, 20);

  const pid = async (wanted: Parameters<LinuxGuest["process"]>[0]) =>
    (await linux.process(wanted)).pid;
  const sleeps = [
    await pid({ cmdline: "sleep 7777", comm: "sleep" }),
    await pid({ cmdline: "sleep 7779", comm: "busybox" }),
  ];
  // Both are the first in their container.
  const several = await assertRejects(() => pid({ nspid: 1 }), AmbiguousProcessError);
  assertEquals(several.pids.toSorted((a, b) => a - b), sleeps.toSorted((a, b) => a - b));
  assertEquals(
    several.message.replace(/choose one by pid: .*/, "…"),
    "2 processes have pid 1 in a container: …",
  );
  assertEquals(await pid({ nspid: 1, cmdline: "7779" }), sleeps[1]);
  const group = await pid({ cgroup: "/a.slice" });
  assertEquals(await linux.cgroup(await linux.process(group)), "/a.slice/b.service");
  for (const cgroup of ["/a.slice/", "/a.slice/b.service", "b.serv"]) {
    assertEquals(await pid({ cgroup }), group);
  }
  await assertRejects(
    () => pid({ cgroup: "/a.slice/b" }),
    NoSuchProcessError,
    'the cgroup "/a.slice/b"',
  );
  await assertRejects(() => pid({ nspid: 2 }), NoSuchProcessError, "pid 2 in a container");

  // The path is the container's own.
  const holders = (await readProcessFiles(linux))
    .flatMap(({ process, files }) => files.map((file) => ({ pid: process.pid, ...file })))
    .filter(({ path }) => path === "/dev/held");
  assertEquals(holders.map(({ pid, fd, device }) => ({ pid, fd, device })), [
    { pid: sleeps[1]!, fd: 3, device: { major: 1, minor: 3 } },
  ]);
  await lab.shell("kill -9 $(pidof sleep busybox); umount /tmp/cg");
  console.log(
    `${details.compared} arguments, cgroups and pids, ${files.compared} open files: no difference`,
  );
}

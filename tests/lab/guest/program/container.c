/*
 * Runs a program as in a container: in namespaces of its own for pids, mounts, cgroups, names and IPC, in a
 * cgroup of its own, with another root.
 *
 * Usage: container CGROUP ROOT PROGRAM [ARGUMENTS]
 */
#include <linux/mount.h>
#include <linux/sched.h>

#include "system.h"
#include "text.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC)

static int failed(const char *what, long result)
{
	if (result >= 0)
		return 0;
	say("%s failed: %u", what, (unsigned long)-result);
	return 1;
}

int run(int argc, char **argv)
{
	int fd;

	if (argc < 4)
		return 2;
	fd = sys_open(argv[1], O_WRONLY);
	if (failed("opening the cgroup", fd) || failed("joining the cgroup", sys_write(fd, "0", 1)))
		return 1;
	if (failed("unshare", CALL1(__NR_unshare, NAMESPACES)))
		return 1;
	if (sys_fork() == 0) {
		char *no_environment[] = { 0 };

		if (failed("mount", system_call(__NR_mount, (long)"none", (long)"/", 0,
						MS_REC | MS_PRIVATE, 0, 0)) ||
		    failed("chroot", CALL1(__NR_chroot, argv[2])) ||
		    failed("chdir", CALL1(__NR_chdir, "/")))
			return 1;
		failed("execve", CALL3(__NR_execve, argv[3], argv + 3, no_environment));
		return 1;
	}
	for (;;)
		CALL1(__NR_pause, 0);
}

/*
 * Pages in every state that a table tells of beside being there, as far as this kernel has it; and then
 * nothing but waiting. It writes a line for each: the state's name, its address and its length, and
 * `ready` in the end.
 */
#include <linux/ioctl.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>

#include "regions.h"
#include "system.h"
#include "text.h"

#define LENGTH 0x4000UL
#ifdef __x86_64__
#define AT 0x7e0000000000UL
#else
#define AT 0x60000000UL
#endif

/* Newer than some headers: include/uapi/asm-generic/mman-common.h, include/uapi/linux/userfaultfd.h. */
#define ADVICE_HWPOISON 100
#define ADVICE_GUARD_INSTALL 102
#define FEATURE_WP_HUGETLBFS_SHMEM (1UL << 12)
#define FEATURE_POISON (1UL << 14)

#define SIGBUS 7
#define SA_RESTORER_FLAG 0x04000000UL

struct poison_request {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};
#define IOCTL_POISON _IOWR(UFFDIO, 0x08, struct poison_request)

static unsigned long map(unsigned long number, int flags)
{
	return sys_mmap(AT + number * 0x10000, LENGTH, PROT_READ | PROT_WRITE, flags | MAP_FIXED_NOREPLACE,
			-1, 0);
}

static void touch(unsigned long at)
{
	for (unsigned long i = 0; i < LENGTH; i += PAGE)
		*(volatile char *)(at + i) = 1;
}

static int userfaultfd(unsigned long features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = CALL1(__NR_userfaultfd, 0);

	return fd >= 0 && sys_ioctl(fd, UFFDIO_API, &api) == 0 ? fd : -1;
}

static int watch(int fd, unsigned long at, unsigned long mode)
{
	struct uffdio_register wanted = { .range = { at, LENGTH }, .mode = mode };

	return sys_ioctl(fd, UFFDIO_REGISTER, &wanted) == 0;
}

/* Shared memory that nobody has touched: the mark has to stand in an entry of its own. */
static unsigned long write_protect(void)
{
	unsigned long at = map(1, MAP_SHARED | MAP_ANONYMOUS);
	int fd = userfaultfd(UFFD_FEATURE_PAGEFAULT_FLAG_WP | FEATURE_WP_HUGETLBFS_SHMEM);
	struct uffdio_writeprotect protect = { { at, LENGTH }, UFFDIO_WRITEPROTECT_MODE_WP };

	return fd >= 0 && watch(fd, at, UFFDIO_REGISTER_MODE_WP) &&
		sys_ioctl(fd, UFFDIO_WRITEPROTECT, &protect) == 0 ? at : 0;
}

static unsigned long poison(void)
{
	unsigned long at = map(2, MAP_PRIVATE | MAP_ANONYMOUS);
	int fd = userfaultfd(FEATURE_POISON);
	struct poison_request request = { .range = { at, LENGTH } };

	return fd >= 0 && watch(fd, at, UFFDIO_REGISTER_MODE_MISSING) &&
		sys_ioctl(fd, IOCTL_POISON, &request) == 0 ? at : 0;
}

static unsigned long guard(void)
{
	unsigned long at = map(3, MAP_PRIVATE | MAP_ANONYMOUS);

	return sys_madvise(at, LENGTH, ADVICE_GUARD_INSTALL) == 0 ? at : 0;
}

/* What rt_sigaction(2) takes. */
struct kernel_sigaction {
	void (*handler)(int number);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

extern void restore_signal(void);

static void on_signal(int number)
{
	(void)number;
}

/* The kernel takes the frames for broken, never gives them out again, and tells the process by a signal. */
static unsigned long hwpoison(void)
{
	unsigned long at = map(4, MAP_PRIVATE | MAP_ANONYMOUS);
	struct kernel_sigaction action = { on_signal, SA_RESTORER_FLAG, restore_signal, 0 };

	system_call(__NR_rt_sigaction, SIGBUS, (long)&action, 0, sizeof(action.mask), 0, 0);
	touch(at);
	return sys_madvise(at, LENGTH, ADVICE_HWPOISON) == 0 ? at : 0;
}

static unsigned long no_access(void)
{
	unsigned long at = map(5, MAP_PRIVATE | MAP_ANONYMOUS);

	touch(at);
	return sys_mprotect(at, LENGTH, PROT_NONE) == 0 ? at : 0;
}

int run(int argc, char **argv)
{
	static const struct {
		const char *name;
		unsigned long (*make)(void);
	} states[] = {
		{ "uffd-wp", write_protect },
		{ "poisoned", poison },
		{ "guard", guard },
		{ "hwpoison", hwpoison },
		{ "none", no_access },
	};

	(void)argc;
	(void)argv;
	for (unsigned i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		unsigned long at = states[i].make();

		if (at != 0)
			say("STATE %s 0x%x %u", states[i].name, (uint64_t)at, LENGTH);
	}
	say("ready");
	for (;;)
		CALL1(__NR_pause, 0);
}

/*
 * Many of one thing, for tests of scale, and then nothing but waiting. It writes `ready` once all are
 * there.
 *
 * Usage: crowd processes|threads|files COUNT
 *        crowd areas COUNT [FILE]       one page each: of the file, or anonymous
 */
#include <linux/resource.h>
#include <linux/sched.h>

#include "regions.h"
#include "system.h"
#include "text.h"

#define AREAS_AT 0x10000000UL
#define MAX_FILES 1000000UL

static void wait_for_ever(void)
{
	for (;;)
		CALL1(__NR_pause, 0);
}

static long add_process(unsigned long i)
{
	long child = sys_fork();

	(void)i;
	if (child == 0)
		wait_for_ever();
	return child;
}

static long add_thread(unsigned long i)
{
	(void)i;
#ifdef __x86_64__
	long result = __NR_clone;

	/* The thread waits without touching the stack that it shares. */
	__asm__ volatile("syscall\n"
			 "	test %%rax, %%rax\n"
			 "	jnz 2f\n"
			 "1:	mov %[pause], %%eax\n"
			 "	syscall\n"
			 "	jmp 1b\n"
			 "2:"
			 : "+a"(result)
			 : "D"(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD),
			   "S"(0L), "d"(0L), [pause] "i"(__NR_pause)
			 : "rcx", "r11", "memory");
	return result;
#else
	return -1;
#endif
}

static long add_file(unsigned long i)
{
	(void)i;
	return sys_open("/dev/null", O_RDONLY);
}

static int mapped_file = -1;

static long add_area(unsigned long i)
{
	int shared = mapped_file < 0 ? MAP_ANONYMOUS : 0;
	unsigned long at = AREAS_AT + i * 2 * PAGE;

	return sys_mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE | shared,
			mapped_file, 0) == at ? 0 : -1;
}

int run(int argc, char **argv)
{
	static const struct {
		const char *name;
		long (*add)(unsigned long i);
	} kinds[] = {
		{ "processes", add_process },
		{ "threads", add_thread },
		{ "files", add_file },
		{ "areas", add_area },
	};
	struct rlimit files = { MAX_FILES, MAX_FILES };
	unsigned long count;

	if (argc < 3)
		return 2;
	count = next_number(&argv[2], 0);
	if (argc > 3)
		mapped_file = sys_open(argv[3], O_RDONLY);
	CALL2(__NR_setrlimit, RLIMIT_NOFILE, &files);
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (!same(argv[1], kinds[k].name))
			continue;
		for (unsigned long i = 0; i < count; i++) {
			if (kinds[k].add(i) < 0)
				return 1;
		}
		sys_write(1, "ready\n", 6);
		wait_for_ever();
	}
	return 2;
}

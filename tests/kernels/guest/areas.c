/*
 * A process with one memory area of each kind, and two threads: anonymous, shared, PROT_NONE, of a
 * file, of a memfd, of huge pages, and growing downwards. Every page of the first half of each is
 * touched. There is no C library: the same source builds with any gcc.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#define CLONE_THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define LENGTH 0x8000UL
#define HUGE 0x200000UL

/* long call(number, a, b, c, d, e, f) */
long call(long number, ...);
long clone_sleeper(long flags, void *stack);

__asm__(".section .note.GNU-stack, \"\", @progbits\n"
	".text\n"
	".globl _start, call, clone_sleeper\n"
	"_start: xor %ebp, %ebp\n"
	"	mov 16(%rsp), %rdi\n" /* argv[1] */
	"	and $-16, %rsp\n"
	"	call run\n"
	"call:	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"	syscall\n"
	"	ret\n"
	/* The new thread has a stack of its own, with nothing on it to return to. */
	"clone_sleeper: xor %edx, %edx\n"
	"	xor %r10d, %r10d\n"
	"	xor %r8d, %r8d\n"
	"	mov $56, %eax\n" /* clone */
	"	syscall\n"
	"	test %eax, %eax\n"
	"	jz sleeper\n"
	"	ret\n");

static char stacks[2][4096] __attribute__((aligned(16)));

void sleeper(void)
{
	call(__NR_prctl, (long)PR_SET_NAME, (long) "a (worker) of m", 0L, 0L, 0L, 0L);
	for (;;)
		call(__NR_pause, 0L, 0L, 0L, 0L, 0L, 0L);
}

static char *map(unsigned long length, long protection, long flags, long fd)
{
	long at = call(__NR_mmap, 0L, length, protection, flags, fd, 0L);

	if (at < 0 && at > -4096)
		return 0;
	for (unsigned long i = 0; protection & PROT_WRITE && i < length / 2; i += 4096)
		((volatile char *)at)[i] = 1;
	return (char *)at;
}

void run(const char *path)
{
	const long both = PROT_READ | PROT_WRITE;
	char *none = map(LENGTH, both, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	long file = call(__NR_open, path, (long)(O_RDWR | O_CREAT), 0600L, 0L, 0L, 0L);
	long memfd = call(__NR_memfd_create, "a memfd", 0L, 0L, 0L, 0L, 0L);

	call(__NR_mprotect, none + 0x1000, 0x2000L, (long)PROT_NONE, 0L, 0L, 0L);
	map(LENGTH, both, MAP_SHARED | MAP_ANONYMOUS, -1);
	map(LENGTH, both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
	map(HUGE, both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	call(__NR_ftruncate, file, LENGTH, 0L, 0L, 0L, 0L);
	map(LENGTH, both, MAP_SHARED, file);
	map(LENGTH, both, MAP_PRIVATE, file);
	call(__NR_ftruncate, memfd, LENGTH, 0L, 0L, 0L, 0L);
	map(LENGTH, PROT_READ, MAP_SHARED, memfd);
	for (int i = 0; i < 2; i++)
		clone_sleeper(CLONE_THREAD_FLAGS, stacks[i + 0] + 4096);
	for (;;)
		call(__NR_pause, 0L, 0L, 0L, 0L, 0L, 0L);
}

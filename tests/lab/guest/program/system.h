/* The system calls that the lab program uses, made without a C library (start.S). */
#ifndef LAB_SYSTEM_H
#define LAB_SYSTEM_H

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <stddef.h>
#include <stdint.h>

/* Every call answers a negative errno on failure, as the kernel does. */
long system_call(long number, long a, long b, long c, long d, long e, long f);

#define CALL1(n, a) system_call(n, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b) system_call(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c) system_call(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)

static inline int is_error(unsigned long result)
{
	return result >= (unsigned long)-4095;
}

static inline long sys_open(const char *path, int flags)
{
	return CALL3(__NR_open, path, flags, 0);
}

static inline long sys_close(int fd)
{
	return CALL1(__NR_close, fd);
}

static inline long sys_read(int fd, void *buffer, size_t length)
{
	return CALL3(__NR_read, fd, buffer, length);
}

static inline long sys_write(int fd, const void *buffer, size_t length)
{
	return CALL3(__NR_write, fd, buffer, length);
}

static inline long sys_ioctl(int fd, unsigned long request, const void *argument)
{
	return CALL3(__NR_ioctl, fd, request, argument);
}

static inline long sys_getpid(void)
{
	return CALL1(__NR_getpid, 0);
}

static inline long sys_fork(void)
{
	/* SIGCHLD tells the parent of the end, as fork() does. */
	return CALL2(__NR_clone, 17, 0);
}

static inline void sys_exit(int status)
{
	CALL1(__NR_exit_group, status);
}

/* pread64 takes its 64-bit offset in two registers on i386. */
static inline long sys_pread(int fd, void *buffer, size_t length, uint64_t offset)
{
#ifdef __x86_64__
	return system_call(__NR_pread64, fd, (long)buffer, length, offset, 0, 0);
#else
	return system_call(__NR_pread64, fd, (long)buffer, length, (long)offset,
			   (long)(offset >> 32), 0);
#endif
}

/* mmap2 counts its offset in pages; every offset used here is 0 or a device region's. */
static inline unsigned long sys_mmap(unsigned long address, size_t length, int protection,
				     int flags, int fd, uint64_t offset)
{
#ifdef __x86_64__
	return system_call(__NR_mmap, address, length, protection, flags, fd, offset);
#else
	return system_call(__NR_mmap2, address, length, protection, flags, fd, offset >> 12);
#endif
}

static inline long sys_munmap(unsigned long address, size_t length)
{
	return CALL2(__NR_munmap, address, length);
}

static inline long sys_mprotect(unsigned long address, size_t length, int protection)
{
	return CALL3(__NR_mprotect, address, length, protection);
}

static inline long sys_madvise(unsigned long address, size_t length, int advice)
{
	return CALL3(__NR_madvise, address, length, advice);
}

/* i386 has a second pair of calls for times that are 64 bits wide. */
#ifdef __x86_64__
#define LAB_NR_CLOCK_GETTIME __NR_clock_gettime
#define LAB_NR_CLOCK_NANOSLEEP __NR_clock_nanosleep
#else
#define LAB_NR_CLOCK_GETTIME __NR_clock_gettime64
#define LAB_NR_CLOCK_NANOSLEEP __NR_clock_nanosleep_time64
#endif

static inline int64_t sys_now_ns(void)
{
	struct __kernel_timespec now;

	CALL2(LAB_NR_CLOCK_GETTIME, CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Sleeps for less than a second. */
static inline void sys_sleep_ns(long nanoseconds)
{
	struct __kernel_timespec nap = { .tv_sec = 0, .tv_nsec = nanoseconds };

	system_call(LAB_NR_CLOCK_NANOSLEEP, CLOCK_MONOTONIC, 0, (long)&nap, 0, 0, 0);
}

#endif

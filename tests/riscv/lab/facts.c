/*
 * Memory of every kind at fixed addresses, and what /proc/self/pagemap says of each page of it:
 *
 *   FACT name= vaddr= length= page= protection= state= user=   as the other lab guest's program says it
 *   PAGEMAP vaddr= entry=
 *
 * With an argument it holds its pid in s11 instead and spins, so that a hart that runs it says whose
 * page table it is on.
 */
typedef unsigned long u64;

#define PAGE 0x1000UL
#define SMALL 0x1234500000UL
#define NAPOT 0x1240000000UL
#define LARGE 0x1280000000UL
/* Above 47 bits, where a process of Sv57 gets memory only by asking for it. */
#define WIDE 0xab123456789000UL

enum { EACCES_NONE = 0, READ = 1, WRITE = 2, EXEC = 4 };
enum { PRIVATE = 2, FIXED_NOREPLACE = 0x100000, ANONYMOUS = 0x20, HUGETLB = 0x40000 };
enum { MADV_PAGEOUT = 21 };
enum { OPENAT = 56, WRITE_ = 64, PREAD = 67, NANOSLEEP = 101, KILL = 129, GETPID = 172, MUNMAP = 215,
       MMAP = 222, MPROTECT = 226, MADVISE = 233 };

static long call(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a3 asm("a3") = d;
	register u64 a4 asm("a4") = e, a5 asm("a5") = f;
	register long a7 asm("a7") = number;

	asm volatile("ecall" : "+r"(a0)
		     : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
	return (long)a0;
}

static void put(const char *text)
{
	u64 length = 0;

	while (text[length])
		length++;
	call(WRITE_, 1, (u64)text, length, 0, 0, 0);
}

static void put_hex(const char *key, u64 value)
{
	char digits[19] = "0x";
	int at = 2;

	for (int shift = 60; shift >= 0; shift -= 4)
		digits[at++] = "0123456789abcdef"[value >> shift & 15];
	digits[at] = 0;
	put(key);
	put(digits);
}

static void tell(const char *name, u64 address, u64 pages, u64 page_bytes, const char *protection,
		 const char *state)
{
	put("FACT name=");
	put(name);
	put_hex(" vaddr=", address);
	put_hex(" length=", pages * page_bytes);
	put_hex(" page=", page_bytes);
	put(" protection=");
	put(protection);
	put(" state=");
	put(state);
	put(" user=set\n");
}

static int map(u64 address, u64 length, u64 flags)
{
	return call(MMAP, address, length, READ | WRITE,
		    PRIVATE | ANONYMOUS | FIXED_NOREPLACE | flags, -1, 0) == (long)address;
}

static void touch(u64 address, u64 length, u64 step)
{
	for (u64 at = 0; at < length; at += step)
		*(volatile char *)(address + at) = (char)(at / step + 1);
}

static void region(int slot, const char *name, int bits, const char *protection)
{
	const u64 at = SMALL + slot * 0x10000UL, length = 4 * PAGE;

	if (!map(at, length, 0))
		return put("WARNING no region\n");
	touch(at, length, PAGE);
	call(MPROTECT, at, length, bits, 0, 0, 0);
	tell(name, at, 4, PAGE, protection, bits ? "present" : "protnone");
}

static void large(const char *name, u64 at, u64 bytes, u64 log)
{
	if (!map(at, bytes, HUGETLB | log << 26))
		return put("WARNING no large page\n");
	touch(at, bytes, bytes);
	tell(name, at, 1, bytes, "rw", "present");
}

static void pagemap(void)
{
	static const struct { u64 at, pages; } spans[] = {
		{ SMALL, 0x90 }, { NAPOT, 16 }, { LARGE, 2 }, { WIDE, 4 },
	};
	const int file = call(OPENAT, -100, (u64)"/proc/self/pagemap", 0, 0, 0, 0);

	for (unsigned i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		for (u64 n = 0; n < spans[i].pages; n++) {
			const u64 at = spans[i].at + n * PAGE;
			u64 entry;

			if (call(PREAD, file, (u64)&entry, 8, at / PAGE * 8, 0, 0) != 8)
				continue;
			put_hex("PAGEMAP vaddr=", at);
			put_hex(" entry=", entry);
			put("\n");
		}
}

static void spin(void)
{
	register long s11 asm("s11") = call(GETPID, 0, 0, 0, 0, 0, 0);

	/* SIGSTOP: who looks wakes one after the other. */
	call(KILL, s11, 19, 0, 0, 0, 0);
	for (;;)
		asm volatile("addi s10, s10, 1" : : "r"(s11) : "s10");
}

void begin(const u64 *stack)
{
	const u64 swapped = SMALL + 0x60000;

	/* `facts crash now`: a store to where nothing is. */
	if (stack[0] > 2)
		*(volatile long *)0x10 = 1;
	if (stack[0] > 1)
		spin();
	region(0, "data", READ | WRITE, "rw");
	region(1, "readonly", READ, "r");
	region(2, "executable", READ | EXEC, "rx");
	region(3, "execute-only", EXEC, "x");
	region(4, "none", EACCES_NONE, "none");
	if (map(SMALL + 0x50000, 4 * PAGE, 0))
		tell("untouched", SMALL + 0x50000, 4, PAGE, "rw", "absent");
	if (map(swapped, 4 * PAGE, 0)) {
		touch(swapped, 4 * PAGE, PAGE);
		call(MADVISE, swapped, 4 * PAGE, MADV_PAGEOUT, 0, 0, 0);
		tell("swapped", swapped, 4, PAGE, "rw", "swapped");
	}
	if (map(SMALL + 0x70000, PAGE, 0)) {
		/* Read before any write, anonymous memory is the kernel's one page of zeros. */
		(void)*(volatile char *)(SMALL + 0x70000);
		tell("zero", SMALL + 0x70000, 1, PAGE, "r", "present");
	}
	tell("hole", SMALL + 0x80000, 4, PAGE, "none", "unmapped");
	large("napot", NAPOT, 0x10000, 16);
	large("large", LARGE, 0x200000, 21);
	if (map(WIDE, 4 * PAGE, 0)) {
		touch(WIDE, 4 * PAGE, PAGE);
		tell("wide", WIDE, 4, PAGE, "rw", "present");
	}
	pagemap();
	put("READY\n");
	for (;;) {
		static const u64 day[2] = { 86400, 0 };

		call(NANOSLEEP, (u64)day, 0, 0, 0, 0, 0);
	}
}

asm(".globl _start\n_start:\n\tmv a0, sp\n\tandi sp, sp, -16\n\tcall begin\n");

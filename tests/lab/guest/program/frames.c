/*
 * What the guest itself says of its frames, in /proc/kpageflags and in all processes' pagemaps.
 *
 * Usage: frames kinds COUNT      KIND flags= pfn=: of each set of flags, the first COUNT frames
 *        frames owners PFN…      OWNER pid= address= pfn=: every process's entry that maps one of them now
 *        frames merge COUNT      so many pages with the same contents, to be merged (KSM); then it waits
 */
#include "regions.h"
#include "system.h"
#include "text.h"

#define MAX_KINDS 128
#define MAX_PFNS 256
#define MAX_PID 2000
#define MERGE_AT 0x20000000UL
#define PFN_MASK ((1ULL << 55) - 1)

static uint64_t entries[512];

static int kinds(unsigned long count)
{
	static struct {
		uint64_t flags;
		unsigned long seen;
	} known[MAX_KINDS];
	int file = sys_open("/proc/kpageflags", O_RDONLY), used = 0;
	unsigned long pfn = 0;
	long length;

	while ((length = sys_read(file, entries, sizeof(entries))) > 0) {
		for (long i = 0; i < length / 8; i++, pfn++) {
			int k = 0;

			while (k < used && known[k].flags != entries[i])
				k++;
			if (k == MAX_KINDS)
				continue;
			if (k == used)
				known[used++].flags = entries[i];
			if (known[k].seen++ < count)
				say("KIND flags=0x%x pfn=0x%x", entries[i], (uint64_t)pfn);
		}
	}
	return 0;
}

static uint64_t wanted[MAX_PFNS];
static int wanted_count;

static void look(unsigned long pid, int pagemap, unsigned long start, unsigned long end)
{
	while (start < end) {
		unsigned long pages = (end - start) / PAGE;
		long length;

		if (pages > 512)
			pages = 512;
		length = sys_pread(pagemap, entries, pages * 8, start / PAGE * 8);
		if (length <= 0)
			return;
		for (long i = 0; i < length / 8; i++) {
			/* Bit 63: the page is present. */
			if (!(entries[i] >> 63))
				continue;
			for (int w = 0; w < wanted_count; w++) {
				if ((entries[i] & PFN_MASK) == wanted[w])
					say("OWNER pid=%u address=0x%x pfn=0x%x", pid,
					    (uint64_t)(start + i * PAGE), wanted[w]);
			}
		}
		start += length / 8 * PAGE;
	}
}

/* Writes /proc/PID/NAME. */
static char *path_of(unsigned long pid, const char *name)
{
	static char path[40];
	char digits[12];
	int at = 0, d = 0;

	for (const char *c = "/proc/"; *c; c++)
		path[at++] = *c;
	do
		digits[d++] = '0' + pid % 10;
	while ((pid /= 10));
	while (d)
		path[at++] = digits[--d];
	path[at++] = '/';
	while (*name)
		path[at++] = *name++;
	path[at] = 0;
	return path;
}

/* The two hexadecimal numbers that a line of /proc/PID/maps begins with. */
static void look_at_areas(unsigned long pid, int maps, int pagemap)
{
	static char text[4096];
	unsigned long number[2] = { 0, 0 };
	int which = 0;
	long length;

	while ((length = sys_read(maps, text, sizeof(text))) > 0) {
		for (long i = 0; i < length; i++) {
			char c = text[i];

			if (c == '\n') {
				number[0] = number[1] = 0;
				which = 0;
			} else if (which < 2 && (c == '-' || c == ' ')) {
				if (which++ == 1)
					look(pid, pagemap, number[0], number[1]);
			} else if (which < 2) {
				number[which] = number[which] * 16 +
						(c <= '9' ? c - '0' : c - 'a' + 10);
			}
		}
	}
}

static int owners(int argc, char **argv)
{
	for (int i = 2; i < argc && wanted_count < MAX_PFNS; i++)
		wanted[wanted_count++] = next_number(&argv[i], 0);
	for (unsigned long pid = 1; pid < MAX_PID; pid++) {
		int maps = sys_open(path_of(pid, "maps"), O_RDONLY);
		int pagemap = maps < 0 ? -1 : sys_open(path_of(pid, "pagemap"), O_RDONLY);

		if (pagemap >= 0 && pid != (unsigned long)sys_getpid())
			look_at_areas(pid, maps, pagemap);
		if (pagemap >= 0)
			sys_close(pagemap);
		if (maps >= 0)
			sys_close(maps);
	}
	return 0;
}

static int merge(unsigned long count)
{
	unsigned long at = sys_mmap(MERGE_AT, count * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != MERGE_AT || sys_madvise(at, count * PAGE, MADV_MERGEABLE) < 0)
		return 1;
	for (unsigned long i = 0; i < count * PAGE; i += 8)
		*(volatile uint64_t *)(at + i) = 0x6d65726765640000 + i % PAGE;
	say("ready");
	for (;;)
		CALL1(__NR_pause, 0);
}

int run(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	if (same(argv[1], "owners"))
		return owners(argc, argv);
	if (same(argv[1], "kinds"))
		return kinds(next_number(&argv[2], 1));
	return same(argv[1], "merge") ? merge(next_number(&argv[2], 1)) : 2;
}

#include "regions.h"

#include "lab_module.h"
#include "system.h"
#include "text.h"
#include "vfio.h"

#ifdef __x86_64__
#define SMALL 0x7f1250000000UL
#define DEVICE 0x7f1258000000UL
#define PARENT 0x7f1260000000UL
#define HUGE 0x7f1240000000UL
#define GIANT 0x7f1280000000UL
#define HOLE 0x7f1300000000UL
#else
#define SMALL 0x60000000UL
#define DEVICE 0x61000000UL
#define PARENT 0x62000000UL
#define HUGE 0x64000000UL
#define GIANT 0UL
#define HOLE 0x50000000UL
#endif

/* Regions of small pages share one page table, so that what is absent is absent at level 1. */
#define READ_ONLY (SMALL + 0x00000)
#define EXECUTABLE (SMALL + 0x10000)
#define NO_ACCESS (SMALL + 0x20000)
#define UNTOUCHED (SMALL + 0x30000)
#define SWAPPED (SMALL + 0x40000)
#define ZERO_PAGE (SMALL + 0x50000)

/* Above 47 bits, where a process gets memory only by asking for it (mmap's hint). */
#define WIDE 0xab123456789000ULL

static struct {
	const char *name, *protection, *state, *user;
	unsigned long address, length, page_bytes;
} regions[24];
static unsigned region_count;

void add_region(const char *name, unsigned long address, unsigned long length,
		unsigned long page_bytes, const char *protection, const char *state,
		const char *user)
{
	regions[region_count].name = name;
	regions[region_count].address = address;
	regions[region_count].length = length;
	regions[region_count].page_bytes = page_bytes;
	regions[region_count].protection = protection;
	regions[region_count].state = state;
	regions[region_count].user = user;
	region_count++;
}

void say_facts(void)
{
	for (unsigned i = 0; i < region_count; i++)
		say("FACT name=%s vaddr=0x%x length=0x%x page=0x%x protection=%s state=%s user=%s",
		    regions[i].name, (uint64_t)regions[i].address, (uint64_t)regions[i].length,
		    (uint64_t)regions[i].page_bytes, regions[i].protection, regions[i].state,
		    regions[i].user);
}

int protection_of(const char *text)
{
	int protection = PROT_NONE;

	for (; *text; text++)
		protection |= *text == 'r' ? PROT_READ :
			      *text == 'w' ? PROT_WRITE :
			      *text == 'x' ? PROT_EXEC : 0;
	return protection;
}

/* Maps anonymous memory exactly there, and says so when that cannot be done. */
static int map(const char *name, unsigned long address, unsigned long length, int flags)
{
	unsigned long got = sys_mmap(address, length, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags,
				     -1, 0);

	if (got == address)
		return 1;
	say("WARNING mmap of %s at 0x%x answered 0x%x", name, (uint64_t)address, (uint64_t)got);
	if (!is_error(got))
		sys_munmap(got, length);
	return 0;
}

static void write_pages(unsigned long address, unsigned long length, unsigned long page_bytes)
{
	for (unsigned long at = 0; at < length; at += page_bytes)
		*(volatile char *)(address + at) = (char)(at / page_bytes + 1);
}

/* Memory written first, then protected: its frames are its own, and stay. */
static void make_protected(const char *name, unsigned long address, const char *protection)
{
	const unsigned long length = 4 * PAGE;

	if (!map(name, address, length, 0))
		return;
	write_pages(address, length, PAGE);
	sys_mprotect(address, length, protection_of(protection));
	add_region(name, address, length, PAGE, protection,
		   same(protection, "none") ? "protnone" : "present", "set");
}

static void make_dma(const struct options *options)
{
	if (!map("dma", DMA_ADDRESS, DMA_LENGTH, 0))
		return;
	if (options->group) {
		/* MAP_DMA pins every page before the processor touched one. */
		if (vfio_open(options->group, options->device) &&
		    vfio_map_dma(DMA_ADDRESS, 0, DMA_LENGTH) == 0)
			say("DMA: IOVA=0x%x, VADDR=0x%x, SIZE=0x%x", (uint64_t)0,
			    (uint64_t)DMA_ADDRESS, (uint64_t)DMA_LENGTH);
	} else {
		write_pages(DMA_ADDRESS, DMA_LENGTH, PAGE);
	}
	add_region("dma", DMA_ADDRESS, DMA_LENGTH, PAGE, "rw", "present", "mixed");
	lab_module_silently("clear 0x%x 0x%x", DMA_ADDRESS, DMA_CLEARED_PAGES * PAGE);
}

static void make_untouched(void)
{
	if (map("untouched", UNTOUCHED, 4 * PAGE, 0))
		add_region("untouched", UNTOUCHED, 4 * PAGE, PAGE, "rw", "absent", "none");
	add_region("hole", HOLE, 4 * PAGE, PAGE, "none", "unmapped", "none");
}

/* Read before any write, anonymous memory is the kernel's one page of zeros. */
static void make_zero_page(void)
{
	if (!map("zero", ZERO_PAGE, PAGE, 0))
		return;
	touch_read((void *)ZERO_PAGE);
	add_region("zero", ZERO_PAGE, PAGE, PAGE, "rw", "present", "set");
}

static void make_swapped(void)
{
	const unsigned long length = 4 * PAGE;

	if (!map("swapped", SWAPPED, length, 0))
		return;
	write_pages(SWAPPED, length, PAGE);
	if (!page_out(SWAPPED, length)) {
		say("WARNING the kernel kept the pages that were to be swapped out");
		return;
	}
	add_region("swapped", SWAPPED, length, PAGE, "rw", "swapped", "none");
}

/* _PAGE_USER is cleared one level above the leaves, which keep theirs. */
static void make_parent(void)
{
	if (!map("parent", PARENT, 4 * PAGE, 0))
		return;
	write_pages(PARENT, 4 * PAGE, PAGE);
	lab_module_silently("clear-parent 0x%x 0x%x", PARENT, 4 * PAGE);
	add_region("parent", PARENT, 4 * PAGE, PAGE, "rw", "present", "parent");
}

/* The first huge page keeps _PAGE_USER, the second loses it. */
static void make_huge(unsigned long huge_bytes)
{
	if (!map("huge", HUGE, 2 * huge_bytes, MAP_HUGETLB))
		return;
	write_pages(HUGE, 2 * huge_bytes, huge_bytes);
	lab_module_silently("clear 0x%x 0x%x", HUGE + huge_bytes, huge_bytes);
	add_region("huge", HUGE, huge_bytes, huge_bytes, "rw", "present", "set");
	add_region("huge-cleared", HUGE + huge_bytes, huge_bytes, huge_bytes, "rw", "present",
		   "cleared");
}

static void make_giant(void)
{
	if (!map("giant", GIANT, 1UL << 30, MAP_HUGETLB | MAP_HUGE_1GB))
		return;
	write_pages(GIANT, 1UL << 30, 1UL << 30);
	add_region("giant", GIANT, 1UL << 30, 1UL << 30, "rw", "present", "set");
}

static void make_wide(void)
{
	const unsigned long wide = (unsigned long)WIDE;

	if (!map("wide", wide, 4 * PAGE, 0))
		return;
	write_pages(wide, 4 * PAGE, PAGE);
	lab_module_silently("clear 0x%x 0x%x", wide, 2 * PAGE);
	add_region("wide", wide, 2 * PAGE, PAGE, "rw", "present", "cleared");
	add_region("wide-user", wide + 2 * PAGE, 2 * PAGE, PAGE, "rw", "present", "set");
}

void make_regions(const struct options *options)
{
	make_dma(options);
	make_protected("readonly", READ_ONLY, "r");
	make_protected("executable", EXECUTABLE, "rx");
	make_protected("none", NO_ACCESS, "none");
	make_untouched();
	make_zero_page();
	make_swapped();
	make_parent();
	if (options->huge_bytes)
		make_huge(options->huge_bytes);
	if (options->giant)
		make_giant();
	if (options->wide)
		make_wide();
	if (options->group) {
		unsigned long length = vfio_map_bar(DEVICE);

		if (length)
			add_region("device", DEVICE, length, PAGE, "rw", "present", "set");
	}
}

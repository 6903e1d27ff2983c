/*
 * The lab's target: a process with one mapping of every kind, which does on its serial line what a
 * test asks for. In a guest with VFIO it maps 1 MiB for DMA at 0x7f1234567000.
 *
 * Usage: target [huge=BYTES] [giant=1] [wide=1] [group=N device=ADDRESS]
 *
 * At start it prints the line `DMA: IOVA=…, VADDR=…, SIZE=…`, one FACT line for each mapping, its
 * PROCESS line (from the kernel module) and READY. Then it reads requests, one a line, and answers
 * with any number of lines and a last one, `OK` or `ERR reason`. Numbers are decimal or 0x….
 * WHERE is an address, or a page's number within the DMA buffer when below 256. COUNT is in pages
 * of 4 KiB (default 1).
 *
 *   facts                         the FACT lines again
 *   process [PID]                 PROCESS pid= comm= root= user-root= levels=
 *   clear WHERE [COUNT]           clear _PAGE_USER in the leaves (logged as VFIO: lines)
 *   restore WHERE [COUNT]         set it again
 *   clear-parent WHERE            clear it one level above the leaf; restore-parent sets it
 *   touch read|write WHERE        TOUCH vaddr= result=done|signal|endless …
 *   copy WHERE                    COPY vaddr= result=: 16 bytes moved by the kernel, write(2)
 *   dump WHERE [COUNT]            PTE-DUMP vaddr= pid= level= address= entry=, one for each level
 *   pagemap WHERE [COUNT]         PAGEMAP vaddr= entry=, from /proc/self/pagemap
 *   map ADDRESS LENGTH rwx        map and touch; `none` and `untouched` leave it untouched
 *   unmap ADDRESS LENGTH
 *   protect ADDRESS LENGTH rwx
 *   pageout ADDRESS LENGTH        send pages to swap
 *   dma-map ADDRESS IOVA LENGTH   VFIO_IOMMU_MAP_DMA; dma-unmap IOVA LENGTH takes it away
 *   dma-many ADDRESS IOVA COUNT   one page COUNT times, with a gap of a page between two
 *   dma-child ADDRESS IOVA LENGTH exit|exec
 *                                 a child maps its own memory for DMA, then ends or becomes sleep
 *   dma-close                     close the container: the group and the device still hold it
 *   busy on|off                   on: wake every 300 ms and spin for 30 ms
 *   exit                          end the process
 */
#include "lab_module.h"
#include "regions.h"
#include "system.h"
#include "text.h"
#include "touch.h"
#include "vfio.h"

#define WAKE_EVERY_MS 300
#define SPIN_NS 30000000L

static int busy;

static unsigned long where(char **rest)
{
	uint64_t value = next_number(rest, 0);

	return value < DMA_LENGTH / PAGE ? DMA_ADDRESS + value * PAGE : value;
}

/* Spins in user mode: system calls are rare, so that a look from outside finds user code. */
static void spin(void)
{
	int64_t begin = sys_now_ns();

	do {
		for (volatile int i = 0; i < 200000; i++)
			;
	} while (sys_now_ns() - begin < SPIN_NS);
}

static long ask_module(const char *format, char **rest)
{
	unsigned long address = where(rest);

	return lab_module(format, address, next_number(rest, 1) * PAGE);
}

static long do_touch(char **rest)
{
	int write = same(next_word(rest) ?: "", "write");

	touch(write, where(rest));
	return 0;
}

/* The kernel reads the page itself, through its own mapping of the frame. */
static long do_copy(char **rest)
{
	unsigned long address = where(rest);
	int ends[2];
	long moved;

	if (CALL1(__NR_pipe, ends) < 0)
		return -1;
	moved = sys_write(ends[1], (void *)address, 16);
	sys_close(ends[0]);
	sys_close(ends[1]);
	if (moved < 0)
		say("COPY vaddr=0x%x result=errno-%u", (uint64_t)address, (unsigned long)-moved);
	else
		say("COPY vaddr=0x%x result=%u-bytes", (uint64_t)address, (unsigned long)moved);
	return 0;
}

static long do_pagemap(char **rest)
{
	unsigned long address = where(rest);

	say_pagemap(address, next_number(rest, 1), PAGE);
	return 0;
}

static long do_map(char **rest)
{
	unsigned long address = next_number(rest, 0);
	unsigned long length = next_number(rest, PAGE);
	char *protection = next_word(rest) ?: "rw";
	int untouched = same(protection, "untouched");
	unsigned long got = sys_mmap(address, length, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (got != address)
		return is_error(got) ? (long)got : -1;
	if (untouched)
		return 0;
	for (unsigned long at = 0; at < length; at += PAGE)
		*(volatile char *)(address + at) = 1;
	return sys_mprotect(address, length, protection_of(protection));
}

static long do_unmap(char **rest)
{
	unsigned long address = next_number(rest, 0);

	return sys_munmap(address, next_number(rest, PAGE));
}

static long do_protect(char **rest)
{
	unsigned long address = where(rest);
	unsigned long length = next_number(rest, PAGE);

	return sys_mprotect(address, length, protection_of(next_word(rest) ?: ""));
}

static long do_page_out(char **rest)
{
	unsigned long address = where(rest);

	return page_out(address, next_number(rest, PAGE)) ? 0 : -16;
}

static long do_dma_map(char **rest)
{
	unsigned long address = where(rest);
	uint64_t iova = next_number(rest, 0);

	return vfio_map_dma(address, iova, next_number(rest, PAGE));
}

static long do_dma_unmap(char **rest)
{
	uint64_t iova = next_number(rest, 0);

	return vfio_unmap_dma(iova, next_number(rest, PAGE));
}

static long do_dma_many(char **rest)
{
	unsigned long address = where(rest);
	uint64_t iova = next_number(rest, 0);
	unsigned long count = next_number(rest, 1);
	long result = 0;

	for (unsigned long i = 0; i < count && result == 0; i++)
		result = vfio_map_dma(address, iova + i * 2 * PAGE, PAGE);
	return result;
}

/* The child has a copy of this process's memory, at the same addresses. */
static long do_dma_child(char **rest)
{
	static char *arguments[] = { "sleep", "100000", NULL };
	unsigned long address = where(rest);
	uint64_t iova = next_number(rest, 0);
	unsigned long length = next_number(rest, PAGE);
	int becomes_sleep = same(next_word(rest) ?: "", "exec");
	long child = sys_fork();

	if (child == 0) {
		long result = vfio_map_dma(address, iova, length);

		if (becomes_sleep && result == 0)
			CALL3(__NR_execve, "/bin/busybox", arguments, NULL);
		sys_exit(result != 0);
	}
	if (child < 0)
		return child;
	say("CHILD pid=%u", (unsigned long)child);
	if (!becomes_sleep)
		system_call(__NR_wait4, child, 0, 0, 0, 0, 0);
	return 0;
}

static long do_dma_close(char **rest)
{
	(void)rest;
	return vfio_close_container();
}

static long do_busy(char **rest)
{
	busy = same(next_word(rest) ?: "", "on");
	return 0;
}

static long do_facts(char **rest)
{
	(void)rest;
	say_facts();
	return 0;
}

static long do_process(char **rest)
{
	return lab_module("process 0x%x", next_number(rest, sys_getpid()), 0);
}

static long do_clear(char **rest)
{
	return ask_module("clear 0x%x 0x%x", rest);
}

static long do_restore(char **rest)
{
	return ask_module("restore 0x%x 0x%x", rest);
}

static long do_clear_parent(char **rest)
{
	return ask_module("clear-parent 0x%x 0x%x", rest);
}

static long do_restore_parent(char **rest)
{
	return ask_module("restore-parent 0x%x 0x%x", rest);
}

static long do_dump(char **rest)
{
	return ask_module("dump 0x%x 0x%x", rest);
}

static const struct {
	const char *name;
	long (*run)(char **rest);
} requests[] = {
	{ "facts", do_facts },
	{ "process", do_process },
	{ "clear", do_clear },
	{ "restore", do_restore },
	{ "clear-parent", do_clear_parent },
	{ "restore-parent", do_restore_parent },
	{ "touch", do_touch },
	{ "copy", do_copy },
	{ "dump", do_dump },
	{ "pagemap", do_pagemap },
	{ "map", do_map },
	{ "unmap", do_unmap },
	{ "protect", do_protect },
	{ "pageout", do_page_out },
	{ "dma-map", do_dma_map },
	{ "dma-unmap", do_dma_unmap },
	{ "dma-many", do_dma_many },
	{ "dma-child", do_dma_child },
	{ "dma-close", do_dma_close },
	{ "busy", do_busy },
};

static void serve(char *line)
{
	char *rest = line, *name = next_word(&rest);
	long result;

	if (!name)
		return;
	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (!same(name, requests[i].name))
			continue;
		result = requests[i].run(&rest);
		if (result < 0)
			say("ERR errno %u", (unsigned long)-result);
		else
			say("OK");
		return;
	}
	say("ERR unknown request %s", name);
}

static const char *value_of(const char *argument, const char *key)
{
	while (*key && *argument == *key) {
		argument++;
		key++;
	}
	return !*key && *argument == '=' ? argument + 1 : NULL;
}

int run(int argc, char **argv)
{
	struct options options = { 0 };
	char line[256];

	for (int i = 1; i < argc; i++) {
		char *text;

		if ((text = (char *)value_of(argv[i], "huge")))
			options.huge_bytes = next_number(&text, 0);
		else if ((text = (char *)value_of(argv[i], "giant")))
			options.giant = *text == '1';
		else if ((text = (char *)value_of(argv[i], "wide")))
			options.wide = *text == '1';
		else if ((text = (char *)value_of(argv[i], "group")))
			options.group = *text ? text : NULL;
		else if ((text = (char *)value_of(argv[i], "device")))
			options.device = text;
	}
	make_regions(&options);
	say_facts();
	lab_module("process 0x%x", sys_getpid(), 0);
	say("READY");
	for (;;) {
		int length = read_line(line, sizeof(line), busy ? WAKE_EVERY_MS : -1);

		if (length == -2) {
			spin();
			continue;
		}
		if (length == -1 || same(line, "exit"))
			return 0;
		serve(line);
	}
}

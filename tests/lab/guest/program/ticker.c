/*
 * A bystander: wakes every 20 ms and works a little, so that CR3 is often not the target's: an idle
 * processor keeps that of whoever ran last. More work is of no use, and under TCG it keeps a host's
 * processor busy for as long as the guest runs. With the argument `decoy` it maps the target's DMA
 * address as well, with _PAGE_USER set: who reads the wrong process's tables gets a wrong answer
 * instead of none.
 */
#include "regions.h"
#include "system.h"
#include "text.h"

int run(int argc, char **argv)
{
	if (argc > 1 && same(argv[1], "decoy")) {
		sys_mmap(DMA_ADDRESS, DMA_LENGTH, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
	}
	for (;;) {
		for (volatile int i = 0; i < 5000; i++)
			;
		sys_sleep_ns(20000000);
	}
}

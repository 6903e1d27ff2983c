/* The mappings that the lab program holds, each of one kind, at addresses fixed in advance. */
#ifndef LAB_REGIONS_H
#define LAB_REGIONS_H

#include <stdint.h>

/* The buffer that is mapped for DMA: 1 MiB, at the address that the tests name everywhere. */
#ifdef __x86_64__
#define DMA_ADDRESS 0x7f1234567000UL
#else
#define DMA_ADDRESS 0x71234000UL
#endif
#define DMA_LENGTH 0x100000UL
#define PAGE 0x1000UL

/* Pages of the DMA buffer whose _PAGE_USER is cleared at start; the rest keep it on purpose. */
#define DMA_CLEARED_PAGES 240UL

struct options {
	unsigned long huge_bytes;	/* size of the default huge page, 0: none reserved */
	int giant;			/* a 1 GiB page is reserved */
	int wide;			/* five levels: addresses above 47 bits exist */
	const char *group;		/* VFIO group's number, NULL: no VFIO in this guest */
	const char *device;		/* its device, such as 0000:00:03.0 */
};

/* Maps and prepares every region; the DMA buffer comes first. */
void make_regions(const struct options *options);

/* Prints one FACT line for each region. */
void say_facts(void);

/* Adds a region made elsewhere to those that say_facts() tells of. */
void add_region(const char *name, unsigned long address, unsigned long length,
		unsigned long page_bytes, const char *protection, const char *state,
		const char *user);

/* Parses "rwx", "r", "none" into PROT_ bits. */
int protection_of(const char *text);

#endif

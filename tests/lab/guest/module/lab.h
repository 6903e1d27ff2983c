/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pagewalk_lab: a module that changes and reports page-table entries of user processes.
 * requests.c is the /proc file, entries.c finds entries, user_bit.c clears _PAGE_USER,
 * report.c tells what the tables hold, dma.c what devices reach and which frames are pinned.
 */
#ifndef PAGEWALK_LAB_H
#define PAGEWALK_LAB_H

#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/seq_buf.h>

/* One entry that the hardware reads on its way to an address, from the top level down. */
struct lab_entry {
	int level;		/* 5 to 1; 1 is the 4 KiB leaf */
	phys_addr_t address;	/* where the entry lies in physical memory */
	u64 value;		/* what it held when the path was read */
	void *pointer;		/* the kernel's pointer to it; NULL at level 1 */
};

struct lab_path {
	int count;
	struct lab_entry entries[5];
};

/* Follows the kernel's own page-table accessors; call with the mm's lock held. */
void lab_find_path(struct mm_struct *mm, unsigned long address, struct lab_path *path);

/* Whether the path ends in a leaf that is present, and how many bytes that leaf maps. */
bool lab_path_is_mapped(const struct lab_path *path);
unsigned long lab_leaf_bytes(const struct lab_path *path);

/* Clears or sets _PAGE_USER in every leaf of the range, or one level above the leaves. */
int lab_change_user_bit(struct mm_struct *mm, unsigned long start, unsigned long length,
			bool set, bool parent);

/* One PTE-DUMP line for each level of each page in the range. */
void lab_dump(struct seq_buf *reply, struct mm_struct *mm, int pid, unsigned long start,
	      unsigned long length);

/*
 * One IOVA line for each run of pages that the PCI device's domain maps in the range, by the IOMMU driver's
 * own word; bdf is bus << 8 | device << 3 | function. And one FRAME line for each page of physical memory.
 */
int lab_dump_iovas(struct seq_buf *reply, unsigned long start, unsigned long length, int bdf);
int lab_dump_frames(struct seq_buf *reply, unsigned long start, unsigned long length);

/* The PROCESS line: where the process's page tables begin. */
void lab_describe_process(struct seq_buf *reply, struct task_struct *task, struct mm_struct *mm);

#endif

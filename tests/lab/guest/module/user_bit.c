// SPDX-License-Identifier: GPL-2.0
/* The patch under test in small: clear _PAGE_USER on pages that are mapped for DMA. */
#include <linux/mmap_lock.h>
#include <linux/pgtable.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#include "lab.h"

static void flush_this_cpu(void *unused)
{
	__flush_tlb_all();
}

/*
 * The processor sets the accessed and dirty bits behind our back, so the bit is changed by an
 * atomic instruction; bit 2 is in an entry's lowest word in every mode. Reclaim takes no mmap lock,
 * but a page that is pinned for DMA is not reclaimed.
 */
static void change(unsigned long *entry, bool set)
{
	if (set)
		set_bit(_PAGE_BIT_USER, entry);
	else
		clear_bit(_PAGE_BIT_USER, entry);
}

/* Page tables may lie in high memory on i386, hence the passing mapping. */
static void change_entry(const struct lab_entry *entry, bool set)
{
	void *table = kmap_local_page(pfn_to_page(PHYS_PFN(entry->address)));

	change(table + offset_in_page(entry->address), set);
	kunmap_local(table);
	/* flush_tlb_mm_range() is not for modules; this one flushes every PCID, PTI's too. */
	on_each_cpu(flush_this_cpu, NULL, 1);
}

static u64 value_now(struct mm_struct *mm, unsigned long address, int index)
{
	struct lab_path path;

	lab_find_path(mm, address, &path);
	return index < path.count ? path.entries[index].value : 0;
}

static void change_leaf(struct mm_struct *mm, unsigned long address, struct lab_path *path,
			bool set)
{
	struct lab_entry *leaf = &path->entries[path->count - 1];

	if (set) {
		change_entry(leaf, true);
		return;
	}
	pr_info("VFIO: Clearing _PAGE_USER at vaddr 0x%lx, old PTE: 0x%llx\n", address,
		(unsigned long long)leaf->value);
	change_entry(leaf, false);
	pr_info("VFIO: Successfully cleared _PAGE_USER at vaddr 0x%lx, new PTE: 0x%llx\n", address,
		(unsigned long long)value_now(mm, address, path->count - 1));
}

int lab_change_user_bit(struct mm_struct *mm, unsigned long start, unsigned long length,
			bool set, bool parent)
{
	unsigned long address = start, end = start + length;
	int changed = 0;

	mmap_write_lock(mm);
	while (address < end) {
		struct lab_path path;

		lab_find_path(mm, address, &path);
		if (!lab_path_is_mapped(&path)) {
			address += PAGE_SIZE;
			continue;
		}
		address &= ~(lab_leaf_bytes(&path) - 1);
		if (!parent)
			change_leaf(mm, address, &path, set);
		else if (path.count > 1)
			change_entry(&path.entries[path.count - 2], set);
		changed++;
		address += lab_leaf_bytes(&path);
	}
	mmap_write_unlock(mm);
	return changed;
}

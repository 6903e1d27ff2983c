// SPDX-License-Identifier: GPL-2.0
/* Finding the entries for an address with Linux's own accessors. */
#include <linux/pgtable.h>

#include "lab.h"

static void add(struct lab_path *path, phys_addr_t address, u64 value, void *pointer)
{
	struct lab_entry *entry = &path->entries[path->count++];

	entry->address = address;
	entry->value = value;
	entry->pointer = pointer;
}

/* A folded level hands back the pointer of the level above: the hardware has one entry for both. */
static bool add_directory(struct lab_path *path, void *pointer, u64 value)
{
	if (path->count && path->entries[path->count - 1].pointer == pointer)
		return true;
	add(path, __pa(pointer), value, pointer);
	return value & _PAGE_PRESENT;
}

/*
 * Since 6.5 (0d940a9b270b "mm/pgtable: allow pte_offset_map[_lock]() to fail") modules cannot map an entry;
 * only 32-bit kernels have to, whose tables may be in high memory.
 */
#ifdef CONFIG_X86_64
#define map_entry(pmd, address) pte_offset_kernel(pmd, address)
#define unmap_entry(pte) ((void)(pte))
#else
#define map_entry(pmd, address) pte_offset_map(pmd, address)
#define unmap_entry(pte) pte_unmap(pte)
#endif

static void walk(struct mm_struct *mm, unsigned long address, struct lab_path *path)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;

	/* Not pgd_val(): on PAE that hides bits which the hardware has set in memory. */
	if (!add_directory(path, pgd, pgd->pgd))
		return;
	p4d = p4d_offset(pgd, address);
	if (!add_directory(path, p4d, p4d_val(*p4d)))
		return;
	pud = pud_offset(p4d, address);
	if (!add_directory(path, pud, pud_val(*pud)))
		return;
#ifdef CONFIG_X86_64
	if (pud_val(*pud) & _PAGE_PSE)
		return;
#endif
	pmd = pmd_offset(pud, address);
	if (!add_directory(path, pmd, pmd_val(*pmd)))
		return;
	if (pmd_val(*pmd) & _PAGE_PSE)
		return;
	pte = map_entry(pmd, address);
	add(path, ((phys_addr_t)pmd_pfn(*pmd) << PAGE_SHIFT) + offset_in_page(pte), pte_val(*pte),
	    NULL);
	unmap_entry(pte);
}

/* How many levels this kernel walks now. PAE has three, plain i386 two. */
static int level_count(void)
{
#ifdef CONFIG_X86_64
	return pgtable_l5_enabled() ? 5 : 4;
#else
	return CONFIG_PGTABLE_LEVELS;
#endif
}

void lab_find_path(struct mm_struct *mm, unsigned long address, struct lab_path *path)
{
	int i;

	path->count = 0;
	walk(mm, address, path);
	for (i = 0; i < path->count; i++)
		path->entries[i].level = level_count() - i;
}

bool lab_path_is_mapped(const struct lab_path *path)
{
	const struct lab_entry *last = &path->entries[path->count - 1];

	return last->value & _PAGE_PRESENT && (last->level == 1 || last->value & _PAGE_PSE);
}

unsigned long lab_leaf_bytes(const struct lab_path *path)
{
	switch (path->entries[path->count - 1].level) {
	case 1:
		return PAGE_SIZE;
	case 2:
		return PMD_SIZE;	/* 4 MiB with two levels, else 2 MiB */
	default:
		return PUD_SIZE;
	}
}

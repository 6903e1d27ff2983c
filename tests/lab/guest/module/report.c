// SPDX-License-Identifier: GPL-2.0
/* What the page tables hold, told by the guest itself: the other side of every comparison. */
#include <linux/mmap_lock.h>
#include <linux/pgtable.h>
#include <linux/sched.h>
#include <asm/cpufeature.h>

#include "lab.h"

void lab_dump(struct seq_buf *reply, struct mm_struct *mm, int pid, unsigned long start,
	      unsigned long length)
{
	unsigned long address, end = start + length;

	mmap_read_lock(mm);
	for (address = start; address < end; address += PAGE_SIZE) {
		struct lab_path path;
		int i;

		lab_find_path(mm, address, &path);
		for (i = 0; i < path.count; i++)
			seq_buf_printf(reply,
				       "PTE-DUMP vaddr=0x%lx pid=%d level=%d address=0x%llx entry=0x%llx\n",
				       address, pid, path.entries[i].level,
				       (unsigned long long)path.entries[i].address,
				       (unsigned long long)path.entries[i].value);
	}
	mmap_read_unlock(mm);
}

void lab_describe_process(struct seq_buf *reply, struct task_struct *task, struct mm_struct *mm)
{
	phys_addr_t root = __pa(mm->pgd);
	struct lab_path path;
	char name[TASK_COMM_LEN];

	mmap_read_lock(mm);
	lab_find_path(mm, 0, &path);
	mmap_read_unlock(mm);
	seq_buf_printf(reply, "PROCESS pid=%d comm=%s root=0x%llx user-root=0x%llx levels=%d\n",
		       task->pid, get_task_comm(name, task), (unsigned long long)root,
		       /* With page-table isolation the user's half is the next page. */
		       (unsigned long long)(boot_cpu_has(X86_FEATURE_PTI) ? root | PAGE_SIZE : root),
		       path.entries[0].level);
}

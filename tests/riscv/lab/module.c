// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel itself says of its processes' page tables (/proc/lab_roots), and faults on request
 * (/proc/lab_fault). Built without kbuild, whose programs are another machine's, so what modpost would write
 * stands here: the kernel loads a module without versions of symbols if it may force to (CONFIG_MODULE_FORCE_LOAD).
 */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <asm/page.h>

static int roots_show(struct seq_file *out, void *unused)
{
	struct task_struct *task;

	rcu_read_lock();
	for_each_process(task) {
		task_lock(task);
		if (task->mm)
			seq_printf(out, "%d %llx\n", task_pid_nr(task), (u64)__pa(task->mm->pgd));
		task_unlock(task);
	}
	rcu_read_unlock();
	return 0;
}

/* `read 10`, `write ffffffff80002000`, `fetch 0`: one access of the kernel's to an address. */
static ssize_t fault_write(struct file *file, const char __user *from, size_t length, loff_t *at)
{
	char text[40] = "";
	char kind[8];
	unsigned long address;

	if (length >= sizeof(text) || copy_from_user(text, from, length))
		return -EFAULT;
	if (sscanf(text, "%7s %lx", kind, &address) != 2)
		return -EINVAL;
	if (kind[0] == 'w')
		*(volatile long *)address = 1;
	else if (kind[0] == 'f')
		((void (*)(void))address)();
	else
		(void)*(volatile long *)address;
	return length;
}

static const struct proc_ops fault_ops = { .proc_write = fault_write };

static int __init lab_init(void)
{
	proc_create_single("lab_roots", 0444, NULL, roots_show);
	proc_create("lab_fault", 0222, NULL, &fault_ops);
	return 0;
}
module_init(lab_init);
MODULE_LICENSE("GPL");

/* Where the kernel writes jumps and addresses that are too far away; it takes no module without them. */
asm(".section .plt, \"ax\"\n\t.byte 0\n\t.section .got, \"aw\"\n\t.byte 0\n\t"
    ".section .got.plt, \"aw\"\n\t.byte 0\n\t.previous");

__visible struct module __this_module __section(".gnu.linkonce.this_module") = {
	.name = KBUILD_MODNAME,
	.init = init_module,
	.arch = MODULE_ARCH_INIT,
};

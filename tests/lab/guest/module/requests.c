// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/pagewalk_lab: write one request, then read the answer from the same file.
 *
 *   clear START LENGTH          clear _PAGE_USER in the caller's leaves, and log it
 *   restore START LENGTH        set it again
 *   clear-parent START LENGTH   clear it one level above the leaves
 *   restore-parent START LENGTH
 *   dump START LENGTH [PID]     PTE-DUMP lines; of the caller, if no process is named
 *   process PID                 the PROCESS line
 *   iova START LENGTH BDF       IOVA lines: what a PCI device's domain maps
 *   frame START LENGTH          FRAME lines: references and pins of physical memory
 *
 * write(2) answers an error when a request cannot be met; clearing nothing is one (ENOENT).
 */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lab.h"

#define REPLY_BYTES 65536

static int open_requests(struct inode *inode, struct file *file)
{
	struct seq_buf *reply = kmalloc(sizeof(*reply) + REPLY_BYTES, GFP_KERNEL);

	if (!reply)
		return -ENOMEM;
	seq_buf_init(reply, (char *)(reply + 1), REPLY_BYTES);
	file->private_data = reply;
	return 0;
}

static int close_requests(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static ssize_t read_reply(struct file *file, char __user *to, size_t size, loff_t *position)
{
	struct seq_buf *reply = file->private_data;

	return simple_read_from_buffer(to, size, position, reply->buffer, seq_buf_used(reply));
}

static int serve(struct seq_buf *reply, struct task_struct *task, struct mm_struct *mm,
		 const char *name, unsigned long start, unsigned long length)
{
	bool parent = strstr(name, "-parent");

	if (!strcmp(name, "process")) {
		lab_describe_process(reply, task, mm);
		return 0;
	}
	if (!strcmp(name, "dump")) {
		lab_dump(reply, mm, task->pid, start, length);
		return seq_buf_has_overflowed(reply) ? -EMSGSIZE : 0;
	}
	if (!strncmp(name, "clear", 5))
		return lab_change_user_bit(mm, start, length, false, parent) ? 0 : -ENOENT;
	if (!strncmp(name, "restore", 7))
		return lab_change_user_bit(mm, start, length, true, parent) ? 0 : -ENOENT;
	return -EINVAL;
}

static struct task_struct *task_of(int pid)
{
	struct pid *number = find_get_pid(pid);
	struct task_struct *task = get_pid_task(number, PIDTYPE_PID);

	put_pid(number);
	return task;
}

static ssize_t write_request(struct file *file, const char __user *from, size_t size,
			     loff_t *position)
{
	char text[128], name[24] = "";
	unsigned long start = 0, length = 0;
	int pid = current->pid, words, result;
	struct task_struct *task;
	struct mm_struct *mm;

	if (size >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, size))
		return -EFAULT;
	text[size] = 0;
	words = sscanf(text, "%23s %li %li %i", name, (long *)&start, (long *)&length, &pid);
	if (words < 2)
		return -EINVAL;
	if (!strcmp(name, "process"))
		pid = start;
	if (!strcmp(name, "iova") || !strcmp(name, "frame")) {
		seq_buf_clear(file->private_data);
		result = name[0] == 'i' ? lab_dump_iovas(file->private_data, start, length, pid)
					: lab_dump_frames(file->private_data, start, length);
		return result ?: size;
	}
	task = task_of(pid);
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	result = -ESRCH;
	if (mm) {
		seq_buf_clear(file->private_data);
		result = serve(file->private_data, task, mm, name, start, length);
		mmput(mm);
	}
	put_task_struct(task);
	return result ?: size;
}

static const struct proc_ops operations = {
	.proc_open = open_requests,
	.proc_release = close_requests,
	.proc_read = read_reply,
	.proc_write = write_request,
	.proc_lseek = default_llseek,
};

static int __init load(void)
{
	return proc_create("pagewalk_lab", 0666, NULL, &operations) ? 0 : -ENOMEM;
}

static void __exit unload(void)
{
	remove_proc_entry("pagewalk_lab", NULL);
}

module_init(load);
module_exit(unload);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Clears _PAGE_USER on chosen pages and reports page-table entries");

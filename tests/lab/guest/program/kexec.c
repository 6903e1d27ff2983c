/*
 * Starts another kernel out of this one, without a reset of the machine: kexec KERNEL INITRAMFS COMMAND_LINE
 */
#include <linux/reboot.h>

#include "system.h"
#include "text.h"

#ifndef __NR_kexec_file_load
#define __NR_kexec_file_load -1 /* 32-bit x86 has no such call: the kernel says so */
#endif

static unsigned long length_of(const char *text)
{
	unsigned long length = 0;

	while (text[length] != 0)
		length++;
	return length;
}

int run(int argc, char **argv)
{
	long result = -1;

	if (argc < 4)
		return 2;
	result = system_call(__NR_kexec_file_load, sys_open(argv[1], O_RDONLY),
			     sys_open(argv[2], O_RDONLY), (long)length_of(argv[3]) + 1,
			     (long)argv[3], 0, 0);
	if (result == 0)
		result = system_call(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
				     LINUX_REBOOT_CMD_KEXEC, 0, 0, 0);
	say("kexec failed: %u", (unsigned long)-result);
	return 1;
}

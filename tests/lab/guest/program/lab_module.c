#include "lab_module.h"

#include "system.h"
#include "text.h"

/* Linux/Documentation/admin-guide/mm/pagemap.rst: bit 62 says swapped. */
#define PAGEMAP_SWAPPED (1ULL << 62)

static int put_number(char *to, uint64_t value)
{
	int length = 0;

	for (int shift = 60; shift >= 0; shift -= 4)
		to[length++] = "0123456789abcdef"[(value >> shift) & 15];
	return length;
}

static long request(const char *format, uint64_t address, uint64_t length, int verbose)
{
	static char reply[65536];
	char text[128];
	int at = 0, number = 0;
	long result, begin = 0;
	int fd = sys_open("/proc/pagewalk_lab", O_RDWR);

	if (fd < 0)
		return fd;
	for (; *format && at < 80; format++) {
		if (*format == '%') {
			at += put_number(text + at, number++ ? length : address);
			format++;
		} else {
			text[at++] = *format;
		}
	}
	result = sys_write(fd, text, at);
	if (result >= 0 && verbose) {
		long got = sys_read(fd, reply, sizeof(reply));

		for (long i = 0; i < got; i++) {
			if (reply[i] != '\n')
				continue;
			reply[i] = 0;
			say("%s", reply + begin);
			begin = i + 1;
		}
	}
	sys_close(fd);
	return result < 0 ? result : 0;
}

long lab_module(const char *format, uint64_t address, uint64_t length)
{
	return request(format, address, length, 1);
}

void lab_module_silently(const char *format, uint64_t address, uint64_t length)
{
	long result = request(format, address, length, 0);

	if (result < 0)
		say("WARNING the lab module answered errno %u to: %s", (unsigned long)-result, format);
}

uint64_t pagemap_entry(unsigned long address)
{
	static int fd = -1;
	uint64_t entry = 0;

	if (fd < 0)
		fd = sys_open("/proc/self/pagemap", O_RDONLY);
	if (fd >= 0)
		sys_pread(fd, &entry, sizeof(entry), (uint64_t)(address >> 12) * 8);
	return entry;
}

void say_pagemap(unsigned long address, unsigned long count, unsigned long page_bytes)
{
	for (unsigned long i = 0; i < count; i++, address += page_bytes)
		say("PAGEMAP vaddr=0x%x entry=0x%x", (uint64_t)address, pagemap_entry(address));
}

int page_out(unsigned long address, unsigned long length)
{
	/* A page under writeback stays mapped to the swap cache for a moment: ask again. */
	for (int attempt = 0; attempt < 100; attempt++) {
		unsigned long at = 0;

		sys_madvise(address, length, MADV_PAGEOUT);
		while (at < length && (pagemap_entry(address + at) & PAGEMAP_SWAPPED))
			at += 4096;
		if (at >= length)
			return 1;
		sys_sleep_ns(5000000);
	}
	return 0;
}

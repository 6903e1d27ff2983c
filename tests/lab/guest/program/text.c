#include "text.h"

#include <asm/poll.h>
#include <stdarg.h>

#include "system.h"

static char *put_decimal(char *at, unsigned long value)
{
	char digits[24];
	int count = 0;

	do {
		digits[count++] = '0' + value % 10;
		value /= 10;
	} while (value);
	while (count)
		*at++ = digits[--count];
	return at;
}

static char *put_hexadecimal(char *at, uint64_t value)
{
	int shift = 60;

	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[(value >> shift) & 15];
	return at;
}

void say(const char *format, ...)
{
	char line[512], *at = line;
	va_list arguments;

	va_start(arguments, format);
	for (; *format && at < line + sizeof(line) - 64; format++) {
		if (*format != '%') {
			*at++ = *format;
			continue;
		}
		switch (*++format) {
		case 's':
			for (const char *s = va_arg(arguments, const char *);
			     *s && at < line + sizeof(line) - 64; s++)
				*at++ = *s;
			break;
		case 'u':
			at = put_decimal(at, va_arg(arguments, unsigned long));
			break;
		case 'x':
			at = put_hexadecimal(at, va_arg(arguments, uint64_t));
			break;
		}
	}
	va_end(arguments);
	*at++ = '\n';
	sys_write(1, line, at - line);
}

int read_line(char *line, int size, int wait_ms)
{
	static char input[256];
	static int begin, end;
	int length = 0;

	for (;;) {
		struct pollfd ready = { .fd = 0, .events = POLLIN };

		for (; begin < end; begin++) {
			if (input[begin] == '\n') {
				begin++;
				line[length] = 0;
				return length;
			}
			if (input[begin] != '\r' && length < size - 1)
				line[length++] = input[begin];
		}
		/* Half a line is waited for: only an idle wait may time out. */
		if (!CALL3(__NR_poll, &ready, 1, length ? -1 : wait_ms))
			return -2;
		begin = 0;
		end = sys_read(0, input, sizeof(input));
		if (end <= 0) {
			end = 0;
			return -1;
		}
	}
}

char *next_word(char **rest)
{
	char *word;

	while (**rest == ' ')
		(*rest)++;
	if (!**rest)
		return NULL;
	word = *rest;
	while (**rest && **rest != ' ')
		(*rest)++;
	if (**rest)
		*(*rest)++ = 0;
	return word;
}

uint64_t next_number(char **rest, uint64_t fallback)
{
	char *word = next_word(rest);
	uint64_t value = 0;

	if (!word)
		return fallback;
	if (word[0] == '0' && word[1] == 'x') {
		for (word += 2; *word; word++)
			value = value << 4 | ((*word & 15) + (*word > '9' ? 9 : 0));
	} else {
		for (; *word; word++)
			value = value * 10 + (*word - '0');
	}
	return value;
}

int same(const char *left, const char *right)
{
	while (*left && *left == *right) {
		left++;
		right++;
	}
	return *left == *right;
}

/* gcc may call these two of its own accord. */
void *memset(void *to, int value, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((volatile char *)to)[i] = value;
	return to;
}

void *memcpy(void *to, const void *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}

/* Lines in, lines out: the protocol's text. */
#ifndef LAB_TEXT_H
#define LAB_TEXT_H

#include <stdint.h>

/* Writes one line to standard output in a single write(2); the newline is added.
 * %s string, %u unsigned long in decimal, %x uint64_t in hexadecimal without 0x. */
void say(const char *format, ...);

/* Reads one line into `line` without its newline, waiting at most `wait_ms` (-1: for ever).
 * Answers its length, -1 at the end of the input, -2 when the time is up. */
int read_line(char *line, int size, int wait_ms);

/* Cuts the next word off *rest; NULL when there is none. */
char *next_word(char **rest);

/* Cuts the next number off *rest: decimal, or hexadecimal after 0x; `fallback` when there is none. */
uint64_t next_number(char **rest, uint64_t fallback);

int same(const char *left, const char *right);

#endif

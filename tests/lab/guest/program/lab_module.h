/* Requests to the kernel module, and what the program can see of its own pages without it. */
#ifndef LAB_MODULE_H
#define LAB_MODULE_H

#include <stdint.h>

/* Sends one request to /proc/pagewalk_lab and prints the module's answer line by line.
 * `format` takes two %x: an address and a length. Answers 0 or a negative errno. */
long lab_module(const char *format, uint64_t address, uint64_t length);

/* The same, printing nothing but a warning when it fails. */
void lab_module_silently(const char *format, uint64_t address, uint64_t length);

/* The page's entry in /proc/self/pagemap. */
uint64_t pagemap_entry(unsigned long address);

/* Prints one PAGEMAP line for each page of `page_bytes`. */
void say_pagemap(unsigned long address, unsigned long count, unsigned long page_bytes);

/* Sends pages to swap; 1 when every one has left memory. */
int page_out(unsigned long address, unsigned long length);

/* Read or write one byte at an address; 1 when the access faulted and was given up. */
int touch_read(void *address);
int touch_write(void *address);

#endif

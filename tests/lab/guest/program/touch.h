/* Touching a page that may refuse it, and living to tell. */
#ifndef LAB_TOUCH_H
#define LAB_TOUCH_H

/* Reads or writes one byte and prints a TOUCH line with what happened. */
void touch(int write, unsigned long address);

#endif

/* The terminal of the user: raw mode, and the keys that leave it. */
#ifndef VMM_HOST_TERMINAL_H
#define VMM_HOST_TERMINAL_H

#include "base/util.h"

/* Raw mode if standard input is a terminal; left at exit, and by this. */
void terminal_raw(void);
void terminal_restore(void);

/* Ctrl-] then q leaves; Ctrl-] twice is one of them. */
struct terminal_escape {
	bool seen;
};

/* Takes the escapes out of what was typed: how many bytes stay in buf. *quit
 * becomes true when the user leaves. */
size_t terminal_filter(struct terminal_escape *escape, char *buf, size_t n,
		       bool *quit);
/* `vsw-vmm console`: shows the socket until either end leaves. Exit status. */
int terminal_attach(int fd);

#endif

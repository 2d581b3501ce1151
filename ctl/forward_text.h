/* Port forwards as people write them: "[ADDR:]PORT[-PORT]", "INSIDE[:PORT]". */
#ifndef CTL_FORWARD_TEXT_H
#define CTL_FORWARD_TEXT_H

#include "base/net_text.h"

struct forward_end {
	char addr[NET_TEXT_MAX]; /* "": none */
	long lo, hi;		 /* ports; 0: none */
};

/*
 * An IPv6 address with a port is in brackets. Return 0, or -EINVAL with a
 * message that says what it has to look like.
 */
int forward_outside_parse(struct forward_end *end, const char *text,
			  char **errp);
int forward_inside_parse(struct forward_end *end, const char *text,
			 char **errp);
/* "10.20.0.15:22", "[fd00::1]:22" or "80-90"; freed by the caller. */
char *forward_end_text(const char *addr, long lo, long hi);

#endif

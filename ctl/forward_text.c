/* Ends of port forwards from and to text (forward_text.h). */
#include "ctl/forward_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/segment_slip.h"

#define PORT_MAX 65535

/* Reads a port and moves on; false: there is none. */
static bool take_port(const char **text, long *port)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	*port = strtol(*text, &end, 10);
	*text = end;
	return *port >= 1 && *port <= PORT_MAX;
}

/* "PORT" or "PORT-PORT", and nothing behind it. */
static bool parse_ports(struct forward_end *end, const char *text, bool range)
{
	if (!take_port(&text, &end->lo))
		return false;
	end->hi = end->lo;
	if (range && *text == '-') {
		text++;
		if (!take_port(&text, &end->hi) || end->hi < end->lo)
			return false;
	}
	return !*text;
}

/*
 * The address before the port; *rest is what follows its colon, or NULL. False:
 * it is no address.
 */
static bool split(struct forward_end *end, const char *text, const char **rest)
{
	const char *stop, *first = strchr(text, ':');
	struct net_addr addr;
	bool brackets = *text == '[';
	size_t n;

	*rest = NULL;
	if (brackets)
		stop = strchr(++text, ']');
	else if (first && strchr(first + 1, ':'))
		stop = text + strlen(text); /* IPv6 alone */
	else
		stop = first ? first : text + strlen(text);
	if (!stop || (size_t)(stop - text) >= sizeof(end->addr))
		return false;
	n = (size_t)(stop - text);
	memcpy(end->addr, text, n);
	end->addr[n] = '\0';
	stop += brackets;
	if (*stop == ':')
		*rest = stop + 1;
	else if (*stop)
		return false;
	return net_addr_parse(&addr, end->addr, brackets ? 6 : 0) &&
	       net_addr_text(&addr, end->addr);
}

int forward_outside_parse(struct forward_end *end, const char *text,
			  char **errp)
{
	const char *rest;
	char *slip;

	memset(end, 0, sizeof(*end));
	if (parse_ports(end, text, true) ||
	    (split(end, text, &rest) && rest && parse_ports(end, rest, true)))
		return 0;
	slip = segment_slip_ports(text);
	if (slip) {
		set_error(errp, -EINVAL, "\"%s\" cannot be forwarded: %s", text,
			  slip);
		free(slip);
		return -EINVAL;
	}
	return set_error(errp, -EINVAL,
			 "\"%s\" cannot be forwarded; it is PORT, FIRST-LAST "
			 "or ADDRESS:PORT (an IPv6 address in brackets), with "
			 "ports from 1 to %d",
			 text, PORT_MAX);
}

int forward_inside_parse(struct forward_end *end, const char *text, char **errp)
{
	const char *rest;

	memset(end, 0, sizeof(*end));
	if (split(end, text, &rest) && (!rest || parse_ports(end, rest, false)))
		return 0;
	return set_error(errp, -EINVAL,
			 "nothing can be forwarded to \"%s\"; it is ADDRESS or "
			 "ADDRESS:PORT (an IPv6 address in brackets)",
			 text);
}

char *forward_end_text(const char *addr, long lo, long hi)
{
	bool six = strchr(addr, ':');
	char *ports, *text;

	if (!lo)
		return xstrdup(addr);
	ports = hi > lo ? xasprintf("%ld-%ld", lo, hi) : xasprintf("%ld", lo);
	text = xasprintf("%s%s%s%s%s", six ? "[" : "", addr, six ? "]" : "",
			 *addr ? ":" : "", ports);
	free(ports);
	return text;
}

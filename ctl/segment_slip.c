/* What is wrong with values that are nearly right (segment_slip.h). */
#include "ctl/segment_slip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net_text.h"
#include "ctl/segment_settings.h"

/* The text before `end`, if it is short enough to be looked at. */
static bool copy_until(char part[NET_TEXT_MAX], const char *text,
		       const char *end)
{
	size_t n = (size_t)(end - text);

	if (n >= NET_TEXT_MAX)
		return false;
	memcpy(part, text, n);
	part[n] = '\0';
	return true;
}

static char *reversed_range(const char *text)
{
	const char *dash = strchr(text, '-');
	struct net_addr first, last;
	char part[NET_TEXT_MAX];

	if (!dash || !copy_until(part, text, dash) ||
	    !net_addr_parse(&first, part, 4) ||
	    !net_addr_parse(&last, dash + 1, 4) ||
	    net_addr_compare(&first, &last) <= 0)
		return NULL;
	return xasprintf("%s comes before %s; write %s-%s", dash + 1, part,
			 dash + 1, part);
}

/* The first part that has one of these ends the list. */
struct search {
	char *found;
};

static bool range_part(const char *text, void *arg)
{
	struct search *s = arg;

	s->found = reversed_range(text);
	return !s->found;
}

static bool route_part(const char *text, void *arg)
{
	const char *equals = strchr(text, '=');
	char part[NET_TEXT_MAX], buf[NET_TEXT_MAX];
	struct net_addr first, last;
	struct search *s = arg;
	struct net_prefix to;

	if (!equals || !copy_until(part, text, equals) ||
	    !net_prefix_parse(&to, part, 4) || net_prefix_is_network(&to))
		return true;
	net_prefix_ends(&to, &first, &last);
	s->found = xasprintf("%s has bits beyond its length; write %s/%u%s",
			     part, net_addr_text(&first, buf), to.len, equals);
	return false;
}

char *segment_slip(const char *key, const char *value)
{
	struct search s = { NULL };

	if (!strcmp(key, "routes"))
		segment_list_each(value, route_part, &s);
	else if (!strcmp(key, "dhcp-range") || !strcmp(key, "outside-address"))
		segment_list_each(value, range_part, &s);
	return s.found;
}

char *segment_slip_ports(const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *ports = colon ? colon + 1 : text;
	unsigned first, last;
	int end = 0;

	if (sscanf(ports, "%5u-%5u%n", &first, &last, &end) != 2 ||
	    ports[end] || first <= last)
		return NULL;
	return xasprintf("port %u comes before %u; write %.*s%u-%u", last,
			 first, (int)(ports - text), text, last, first);
}

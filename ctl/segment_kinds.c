/*
 * What values of a segment's options look like (segment_kinds.h): addresses,
 * lists of them, ranges, names.
 */
#include "ctl/segment_kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/net_text.h"
#include "ctl/segment_settings.h"
#include "ctl/settings.h"

#define PART_MAX    256 /* bytes of a list's part */
#define SERVERS_MAX 8	/* addresses in a list that DHCP tells */
#define POOL_MAX    64	/* addresses outside */

bool segment_list_each(const char *list,
		       bool (*part)(const char *text, void *arg), void *arg)
{
	char text[PART_MAX];

	for (;; list++) {
		size_t n;

		list += strspn(list, " ");
		n = strcspn(list, ",");
		while (n && list[n - 1] == ' ')
			n--;
		if (!n || n >= sizeof(text))
			return false;
		memcpy(text, list, n);
		text[n] = '\0';
		if (!part(text, arg))
			return false;
		list += strcspn(list, ",");
		if (!*list)
			return true;
	}
}

static bool is_bool(const char *value)
{
	return !strcmp(value, "true") || !strcmp(value, "false");
}

static bool is_ip4(const char *value)
{
	struct net_addr addr;

	return net_addr_parse(&addr, value, 4);
}

static bool is_ip6(const char *value)
{
	struct net_addr addr;

	return net_addr_parse(&addr, value, 6);
}

static bool is_router(const char *value)
{
	return !strcmp(value, "none") || is_ip4(value);
}

static bool is_range4(const char *value)
{
	struct net_range range;

	return strchr(value, '-') && net_range_parse(&range, value, 4);
}

/* What a list's parts have to be, and how many there were. */
struct parts {
	unsigned version; /* of their addresses; 0: either */
	unsigned n, max;
};

static bool ip_part(const char *text, void *arg)
{
	struct parts *p = arg;
	struct net_addr addr;

	return ++p->n <= p->max && net_addr_parse(&addr, text, p->version);
}

static bool is_ips(const char *value)
{
	struct parts p = { .max = SERVERS_MAX };

	return segment_list_each(value, ip_part, &p);
}

static bool is_ip4s(const char *value)
{
	struct parts p = { .version = 4, .max = SERVERS_MAX };

	return segment_list_each(value, ip_part, &p);
}

static bool is_port(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && n > 0 && n <= 65535;
}

/* "IP", "IP4:PORT" or "[IP6]:PORT". */
static bool resolver_part(const char *text, void *arg)
{
	const char *colon = strrchr(text, ':');
	struct parts *p = arg;
	struct net_addr addr;
	char ip[PART_MAX];
	size_t n;

	if (++p->n > p->max)
		return false;
	if (net_addr_parse(&addr, text, 0))
		return true;
	if (!colon || !is_port(colon + 1))
		return false;
	n = (size_t)(colon - text);
	if (text[0] == '[' && text[n - 1] == ']') {
		snprintf(ip, sizeof(ip), "%.*s", (int)n - 2, text + 1);
		return net_addr_parse(&addr, ip, 6);
	}
	snprintf(ip, sizeof(ip), "%.*s", (int)n, text);
	return net_addr_parse(&addr, ip, 4);
}

static bool is_resolvers(const char *value)
{
	struct parts p = { .max = SERVERS_MAX };

	return segment_list_each(value, resolver_part, &p);
}

static bool is_domain(const char *value)
{
	for (;; value++) {
		size_t n = strcspn(value, ".");

		if (!net_is_label(value, n))
			return false;
		value += n;
		if (!*value)
			return true;
	}
}

static bool is_domain_or_none(const char *value)
{
	return !*value || is_domain(value);
}

static bool domain_part(const char *text, void *arg)
{
	return is_domain(text);
}

static bool is_domains(const char *value)
{
	return segment_list_each(value, domain_part, NULL);
}

/* "NETWORK/LENGTH=ROUTER" */
static bool route_part(const char *text, void *arg)
{
	const char *equals = strchr(text, '=');
	struct net_prefix to;
	char network[PART_MAX];

	if (!equals)
		return false;
	snprintf(network, sizeof(network), "%.*s", (int)(equals - text), text);
	return net_prefix_parse(&to, network, 4) &&
	       net_prefix_is_network(&to) && is_ip4(equals + 1);
}

static bool is_routes(const char *value)
{
	return segment_list_each(value, route_part, NULL);
}

/* How many addresses a range has, as far as that matters. */
static unsigned range_size(const struct net_range *range)
{
	const uint8_t *a = range->first.bytes, *b = range->last.bytes;

	if (memcmp(a, b, 3))
		return POOL_MAX + 1; /* or fewer, over a border: not one pool */
	return b[3] - a[3] + 1U;
}

/* The first has a length and is the gateway's own, the rest is the pool. */
static bool outside_part(const char *text, void *arg)
{
	struct parts *p = arg;
	struct net_prefix prefix;
	struct net_range range;

	if (net_prefix_parse(&prefix, text, p->version))
		return ++p->n <= p->max;
	if (!p->n || !net_range_parse(&range, text, p->version) ||
	    (p->version == 6 && strchr(text, '-')))
		return false;
	p->n += p->version == 4 ? range_size(&range) : 1;
	return p->n <= p->max;
}

static bool is_outside(const char *value)
{
	struct parts p = { .version = 4, .max = POOL_MAX };

	return !strcmp(value, "dhcp") ||
	       segment_list_each(value, outside_part, &p);
}

static bool is_outside6(const char *value)
{
	struct parts p = { .version = 6, .max = POOL_MAX };

	return !strcmp(value, "auto") ||
	       segment_list_each(value, outside_part, &p);
}

/* No control characters, and what fits its option of DHCP. */
static bool is_file(const char *value)
{
	size_t n = strlen(value);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
			return false;
	return n && n <= 127;
}

static bool is_path(const char *value)
{
	return value[0] == '/';
}

static bool is_ipv6_way(const char *value)
{
	return !strcmp(value, "nat") || !strcmp(value, "routed");
}

static bool is_filtering(const char *value)
{
	return !strcmp(value, "endpoint-independent") ||
	       !strcmp(value, "address-dependent");
}

const struct segment_kind kind_boolean = { is_bool, "true or false",
					   "true false" };
const struct segment_kind kind_mac = { settings_is_address,
				       "the MAC address of one device, such as "
				       "02:00:00:00:00:01",
				       NULL };
const struct segment_kind kind_ip4 = { is_ip4, "an IPv4 address", NULL };
const struct segment_kind kind_ip6 = { is_ip6, "an IPv6 address", NULL };
const struct segment_kind kind_ips = {
	is_ips, "at most 8 addresses with commas between them", NULL
};
const struct segment_kind kind_ip4s = {
	is_ip4s, "at most 8 IPv4 addresses with commas between them", NULL
};
const struct segment_kind kind_range4 = {
	is_range4,
	"the first and the last address, such as "
	"10.20.0.100-10.20.0.199",
	NULL
};
const struct segment_kind kind_router = { is_router, "an IPv4 address, or none",
					  "none" };
const struct segment_kind kind_resolvers = {
	is_resolvers,
	"at most 8 addresses with commas between them, each with a port "
	"(IP:PORT, or [IPV6]:PORT) where it is not 53",
	NULL
};
const struct segment_kind kind_domain = { is_domain_or_none,
					  "a domain's name, or empty for none",
					  NULL };
const struct segment_kind kind_domains = {
	is_domains, "domains' names with commas between them", NULL
};
const struct segment_kind kind_routes = {
	is_routes,
	"NETWORK/LENGTH=ROUTER with commas between "
	"them, such as 10.5.0.0/16=10.20.0.9",
	NULL
};
const struct segment_kind kind_outside4 = {
	is_outside,
	"dhcp, or the gateway's ADDRESS/LENGTH and more addresses or ranges "
	"FIRST-LAST with commas between them, 64 at most",
	"dhcp"
};
const struct segment_kind kind_outside6 = {
	is_outside6,
	"auto, or the gateway's ADDRESS/LENGTH and more addresses with commas "
	"between them, 64 at most",
	"auto"
};
const struct segment_kind kind_file = { is_file,
					"a text of at most 127 characters",
					NULL };
const struct segment_kind kind_path = { is_path, "a path from the root: /...",
					NULL };
const struct segment_kind kind_ipv6_way = { is_ipv6_way, "nat or routed",
					    "nat routed" };
const struct segment_kind kind_filtering = {
	is_filtering, "endpoint-independent or address-dependent",
	"endpoint-independent address-dependent"
};

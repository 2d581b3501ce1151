/*
 * The keys of Segment:options (segment_settings.h); the same as in vswd(8). The
 * column takes any text, and vswd would only say in Segment:error what it does
 * not take.
 */
#include "ctl/segment_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/net_text.h"
#include "ctl/settings.h"
#include "ctl/suggest.h"

#define PART_MAX 256 /* bytes of a list's part */

/* "boot-file-ARCH": a file for each architecture of option 93. */
static const char boot_prefix[] = "boot-file-";

/* What a value may be. */
struct kind {
	bool (*is_right)(const char *value);
	const char *what;  /* "it is ..." */
	const char *words; /* for completion, or NULL */
};

/* --- kinds ---------------------------------------------------------------- */

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

static bool ip_part(const char *text, void *arg)
{
	struct net_addr addr;

	return net_addr_parse(&addr, text, *(const unsigned *)arg);
}

static bool is_ips(const char *value)
{
	unsigned either = 0;

	return segment_list_each(value, ip_part, &either);
}

static bool is_ip4s(const char *value)
{
	unsigned version = 4;

	return segment_list_each(value, ip_part, &version);
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
	struct net_addr addr;
	char ip[PART_MAX];
	size_t n;

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
	return segment_list_each(value, resolver_part, NULL);
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

/* The first has a length and is the gateway's own, the rest is the pool. */
static bool outside_part(const char *text, void *arg)
{
	unsigned version = ((unsigned *)arg)[0], *n = &((unsigned *)arg)[1];
	struct net_prefix prefix;
	struct net_range range;

	if (net_prefix_parse(&prefix, text, version))
		return ++*n;
	return (*n)++ && net_range_parse(&range, text, version);
}

static bool is_outside(const char *value)
{
	unsigned arg[] = { 4, 0 };

	return !strcmp(value, "dhcp") ||
	       segment_list_each(value, outside_part, arg);
}

static bool is_outside6(const char *value)
{
	unsigned arg[] = { 6, 0 };

	return !strcmp(value, "auto") ||
	       segment_list_each(value, outside_part, arg);
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

static const struct kind boolean = { is_bool, "true or false", "true false" };
static const struct kind mac = { settings_is_address,
				 "the MAC address of one device, such as "
				 "02:00:00:00:00:01",
				 NULL };
static const struct kind ip4 = { is_ip4, "an IPv4 address", NULL };
static const struct kind ip6 = { is_ip6, "an IPv6 address", NULL };
static const struct kind ips = { is_ips, "addresses with commas between them",
				 NULL };
static const struct kind ip4s = { is_ip4s,
				  "IPv4 addresses with commas between them",
				  NULL };
static const struct kind range4 = { is_range4,
				    "the first and the last address, such as "
				    "10.20.0.100-10.20.0.199",
				    NULL };
static const struct kind router = { is_router, "an IPv4 address, or none",
				    "none" };
static const struct kind resolvers = {
	is_resolvers,
	"addresses with commas between them, each with a port (IP:PORT, or "
	"[IPV6]:PORT) where it is not 53",
	NULL
};
static const struct kind domain = { is_domain_or_none,
				    "a domain's name, or empty for none",
				    NULL };
static const struct kind domains = { is_domains,
				     "domains' names with commas between them",
				     NULL };
static const struct kind routes = { is_routes,
				    "NETWORK/LENGTH=ROUTER with commas between "
				    "them, such as 10.5.0.0/16=10.20.0.9",
				    NULL };
static const struct kind outside4 = {
	is_outside,
	"dhcp, or the gateway's ADDRESS/LENGTH and more addresses or ranges "
	"FIRST-LAST with commas between them",
	"dhcp"
};
static const struct kind outside6 = {
	is_outside6,
	"auto, or the gateway's ADDRESS/LENGTH and more addresses with commas "
	"between them",
	"auto"
};
static const struct kind file = { is_file, "a text of at most 127 characters",
				  NULL };
static const struct kind path = { is_path, "a path from the root: /...", NULL };
static const struct kind ipv6_way = { is_ipv6_way, "nat or routed",
				      "nat routed" };
static const struct kind filtering = {
	is_filtering, "endpoint-independent or address-dependent",
	"endpoint-independent address-dependent"
};

/* --- keys ----------------------------------------------------------------- */

#define COLUMN "options:"
#define TEXT(KEY, KIND)                                                        \
	{                                                                      \
		COLUMN KEY, KIND, 0, 0                                         \
	}
#define NUMBER(KEY, LOW, HIGH)                                                 \
	{                                                                      \
		COLUMN KEY, NULL, LOW, HIGH                                    \
	}

static const struct setting {
	const char *key;	 /* with the column before it */
	const struct kind *kind; /* NULL: a number, of */
	long long min, max;
} settings[] = {
	TEXT("address", &ip4),
	TEXT("address6", &ip6),
	TEXT("host-address", &ip4),
	TEXT("host-address6", &ip6),
	TEXT("mac", &mac),
	NUMBER("mtu", 576, 65535),
	TEXT("dhcp", &boolean),
	TEXT("dhcp-range", &range4),
	NUMBER("lease-time", 60, INT32_MAX),
	TEXT("router", &router),
	TEXT("dns-servers", &ips),
	TEXT("domain", &domain),
	TEXT("search", &domains),
	TEXT("ntp-servers", &ip4s),
	TEXT("routes", &routes),
	TEXT("next-server", &ip4),
	TEXT("tftp-server", &file),
	TEXT("boot-file", &file),
	NUMBER("leases-per-port", 1, 65536),
	TEXT("dns", &boolean),
	TEXT("dns-forward", &resolvers),
	TEXT("resolv-conf", &path),
	TEXT("ipv6", &ipv6_way),
	TEXT("ra", &boolean),
	TEXT("dhcpv6", &boolean),
	TEXT("host-loopback", &boolean),
	TEXT("outside-address", &outside4),
	TEXT("outside-gateway", &ip4),
	TEXT("outside-address6", &outside6),
	TEXT("outside-gateway6", &ip6),
	NUMBER("outside-tag", 1, 4094),
	NUMBER("outside-mtu", 576, 65535),
	NUMBER("nat-sessions", 1, 1 << 24),
	NUMBER("nat-clients", 1, 1 << 24),
	NUMBER("udp-timeout", 120, INT32_MAX),
	NUMBER("tcp-timeout", 7440, INT32_MAX),
	NUMBER("icmp-timeout", 60, INT32_MAX),
	TEXT("filtering", &filtering),
	NUMBER("client-sessions", 0, INT32_MAX),
	NUMBER("client-ports", 0, INT32_MAX),
	NUMBER("client-rate", 0, INT32_MAX),
};

static const char *name_of(const struct setting *s)
{
	return s->key + strlen(COLUMN);
}

/* An architecture behind boot_prefix is a number of 16 bits. */
static bool is_boot_file(const char *key)
{
	const char *arch = key + strlen(boot_prefix);
	char *end;

	if (strncmp(key, boot_prefix, strlen(boot_prefix)) || *arch < '0' ||
	    *arch > '9')
		return false;
	return strtoul(arch, &end, 10) <= UINT16_MAX && !*end;
}

static const struct setting *find(const char *key)
{
	if (is_boot_file(key))
		key = "boot-file";
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(name_of(&settings[i]), key))
			return &settings[i];
	return NULL;
}

bool segment_setting_is_known(const char *key)
{
	return find(key);
}

void segment_settings_suggest(struct suggestion *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		suggestion_offer(s, name_of(&settings[i]));
}

static bool is_number(const char *value, long long min, long long max)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(value, &end, 10);
	return !errno && *value >= '0' && *value <= '9' && !*end && n >= min &&
	       n <= max;
}

char *segment_setting_check(const char *key, const char *value)
{
	const struct setting *s = find(key);
	struct suggestion near;
	char hint[128];

	if (!s) {
		suggestion_init(&near, key);
		segment_settings_suggest(&near);
		return xasprintf("a segment has no option \"%s\"%s (vswd(8) "
				 "lists them)",
				 key,
				 suggestion_phrase(&near, hint, sizeof(hint)));
	}
	if (s->kind)
		return s->kind->is_right(value)
			       ? NULL
			       : xasprintf("a segment's %s cannot be \"%s\"; "
					   "it is %s",
					   key, value, s->kind->what);
	return is_number(value, s->min, s->max)
		       ? NULL
		       : xasprintf("a segment's %s cannot be \"%s\"; it is a "
				   "number from %lld to %lld",
				   key, value, s->min, s->max);
}

size_t segment_settings_count(void)
{
	return ARRAY_SIZE(settings);
}

void segment_settings_get(size_t i, struct setting_info *info)
{
	*info = (struct setting_info){
		.table = "Segment",
		.key = settings[i].key,
		.words = settings[i].kind ? settings[i].kind->words : NULL,
	};
}

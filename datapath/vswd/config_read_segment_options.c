/* Segment:options: which there are, and their values as numbers. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/suggest.h"
#include "vswd/config_read_segment.h"

LOG_MODULE(config);

/* What an option needs to have an effect. */
enum need {
	NEED_GATEWAY,
	NEED_IP4,
	NEED_IP6,
	NEED_HOST_IP4,
	NEED_HOST_IP6,
	NEED_HOST,   /* outside=host */
	NEED_BRIDGE, /* outside=BRIDGE */
};

static const struct option {
	const char *name;
	enum need need;
} options[] = {
	{ "address", NEED_IP4 },
	{ "address6", NEED_IP6 },
	{ "boot-file", NEED_IP4 },
	{ "client-ports", NEED_BRIDGE },
	{ "client-rate", NEED_BRIDGE },
	{ "client-sessions", NEED_BRIDGE },
	{ "dhcp", NEED_IP4 },
	{ "dhcp-range", NEED_IP4 },
	{ "dhcpv6", NEED_IP6 },
	{ "dns", NEED_GATEWAY },
	{ "dns-forward", NEED_GATEWAY },
	{ "dns-servers", NEED_GATEWAY },
	{ "domain", NEED_GATEWAY },
	{ "filtering", NEED_BRIDGE },
	{ "host-address", NEED_HOST_IP4 },
	{ "host-address6", NEED_HOST_IP6 },
	{ "host-loopback", NEED_HOST },
	{ "icmp-timeout", NEED_BRIDGE },
	{ "ipv6", NEED_IP6 },
	{ "lease-time", NEED_IP4 },
	{ "leases-per-port", NEED_IP4 },
	{ "mac", NEED_GATEWAY },
	{ "mtu", NEED_GATEWAY },
	{ "nat-clients", NEED_BRIDGE },
	{ "nat-sessions", NEED_BRIDGE },
	{ "next-server", NEED_IP4 },
	{ "ntp-servers", NEED_IP4 },
	{ "outside-address", NEED_BRIDGE },
	{ "outside-address6", NEED_BRIDGE },
	{ "outside-gateway", NEED_BRIDGE },
	{ "outside-gateway6", NEED_BRIDGE },
	{ "outside-mtu", NEED_BRIDGE },
	{ "outside-tag", NEED_BRIDGE },
	{ "ra", NEED_IP6 },
	{ "resolv-conf", NEED_GATEWAY },
	{ "router", NEED_IP4 },
	{ "routes", NEED_IP4 },
	{ "search", NEED_IP4 },
	{ "tcp-timeout", NEED_BRIDGE },
	{ "tftp-server", NEED_IP4 },
	{ "udp-timeout", NEED_BRIDGE },
};

/* --- values ----------------------------------------------------------------
 */

const char *segment_option(const struct segment_reader *r, const char *key)
{
	return ovsdb_datum_get_string(r->options, key);
}

void segment_refuse_option(const struct segment_reader *r, const char *key,
			   const char *must_be)
{
	segment_refuse(r->segment, "options:%s is \"%s\"; it must be %s", key,
		       segment_option(r, key), must_be);
}

bool segment_boolean(const struct segment_reader *r, const char *key,
		     bool fallback)
{
	const char *text = segment_option(r, key);

	if (!text)
		return fallback;
	if (!strcasecmp(text, "true"))
		return true;
	if (strcasecmp(text, "false") != 0)
		segment_refuse_option(r, key, "true or false");
	return false;
}

uint32_t segment_number(const struct segment_reader *r, const char *key,
			uint32_t min, uint32_t max, uint32_t fallback)
{
	const char *text = segment_option(r, key);
	uint64_t number;

	if (!text)
		return fallback;
	if (net_text_number(text, min, max, &number))
		return number;
	segment_refuse(r->segment,
		       "options:%s is \"%s\"; it must be a number from %u to "
		       "%u",
		       key, text, min, max);
	return fallback;
}

/* --- keys ------------------------------------------------------------------
 */

static const struct option *find_option(const char *key)
{
	static const struct option boot = { "boot-file-ARCH", NEED_IP4 };
	uint64_t arch;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!strcmp(options[i].name, key))
			return &options[i];
	if (!strncmp(key, "boot-file-", 10) &&
	    net_text_number(key + 10, 0, UINT16_MAX, &arch))
		return &boot;
	return NULL;
}

/* What is said of the row, a line each; what was said of it before, is not. */
struct doubts {
	const char *before;
	char *now;
};

/* Takes over the text. */
static void doubt(struct doubts *d, char *text)
{
	char *all = xasprintf("%s%s\n", d->now, text);

	if (!strstr(d->before, text))
		log_warn("%s", text);
	free(d->now);
	d->now = all;
	free(text);
}

/* An option that is not known is no error: a newer switch may know it. */
static void doubt_unknown(struct doubts *d, const struct cfg_segment *s,
			  const char *key)
{
	struct suggestion near;
	char hint[128];

	suggestion_init(&near, key);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		suggestion_offer(&near, options[i].name);
	doubt(d, xasprintf("segment %s: options:%s is not known, and ignored%s",
			   s->name, key,
			   suggestion_phrase(&near, hint, sizeof(hint))));
}

/* Why the option has no effect; NULL: it has one. */
static const char *no_effect(const struct cfg_segment *s, enum need need)
{
	bool ip4 = s->ip4, ip6 = s->ip6.prefix_len;

	switch (need) {
	case NEED_GATEWAY:
		return ip4 || ip6 ? NULL : "the segment has no subnet";
	case NEED_IP4:
		return ip4 ? NULL : "the segment has no IPv4 subnet";
	case NEED_IP6:
		return ip6 ? NULL : "the segment has no subnet6";
	case NEED_HOST_IP4:
		return s->host_ip4 ? NULL
				   : "the host has an address on segments of "
				     "type host-only with a subnet only";
	case NEED_HOST_IP6:
		return s->type == SEGMENT_HOST_ONLY && ip6
			       ? NULL
			       : "the host has an address on segments of type "
				 "host-only with a subnet6 only";
	case NEED_HOST:
		return s->outside == OUTSIDE_HOST ? NULL
						  : "the segment's outside is "
						    "not the host";
	case NEED_BRIDGE:
		return s->outside == OUTSIDE_BRIDGE
			       ? NULL
			       : "the segment's outside is not a bridge";
	}
	return NULL;
}

void config_doubt_segment(const struct db_columns *columns,
			  const struct segment_rows *rows,
			  const struct cfg_segment *s, char **told)
{
	const struct ovsdb_datum *map =
		db_get(columns, rows->segment, DB_SEGMENT_OPTIONS);
	struct doubts d = { *told ? *told : "", xstrdup("") };

	for (unsigned i = 0; i < map->n; i++) {
		const char *key = ovsdb_atom_string(&map->keys[i]);
		const struct option *option = find_option(key);
		const char *why = option ? no_effect(s, option->need) : NULL;

		if (!option)
			doubt_unknown(&d, s, key);
		else if (why && !s->error)
			doubt(&d, xasprintf("segment %s: options:%s has no "
					    "effect: %s",
					    s->name, key, why));
	}
	free(*told);
	*told = d.now;
}

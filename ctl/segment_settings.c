/*
 * The keys of Segment:options (segment_settings.h); the same as in vswd(8). The
 * column takes any text, and vswd would only say in Segment:error what it does
 * not take.
 */
#include "ctl/segment_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/segment_kinds.h"
#include "ctl/segment_slip.h"
#include "ctl/settings.h"

#define MTU_MAX	  65520
#define DAY_S	  86400
#define LIMIT_MAX 1000000000

/* "boot-file-ARCH": a file for each architecture of option 93. */
static const char boot_prefix[] = "boot-file-";

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
	const char *key;		 /* with the column before it */
	const struct segment_kind *kind; /* NULL: a number, of */
	long long min, max;
} settings[] = {
	TEXT("address", &kind_ip4),
	TEXT("address6", &kind_ip6),
	TEXT("host-address", &kind_ip4),
	TEXT("host-address6", &kind_ip6),
	TEXT("mac", &kind_mac),
	NUMBER("mtu", 576, MTU_MAX),
	TEXT("dhcp", &kind_boolean),
	TEXT("dhcp-range", &kind_range4),
	NUMBER("lease-time", 60, 365 * DAY_S),
	TEXT("router", &kind_router),
	TEXT("dns-servers", &kind_ips),
	TEXT("domain", &kind_domain),
	TEXT("search", &kind_domains),
	TEXT("ntp-servers", &kind_ip4s),
	TEXT("routes", &kind_routes),
	TEXT("next-server", &kind_ip4),
	TEXT("tftp-server", &kind_file),
	TEXT("boot-file", &kind_file),
	NUMBER("leases-per-port", 1, 65536),
	TEXT("dns", &kind_boolean),
	TEXT("dns-forward", &kind_resolvers),
	TEXT("resolv-conf", &kind_path),
	TEXT("ipv6", &kind_ipv6_way),
	TEXT("ra", &kind_boolean),
	TEXT("dhcpv6", &kind_boolean),
	TEXT("host-loopback", &kind_boolean),
	TEXT("outside-address", &kind_outside4),
	TEXT("outside-gateway", &kind_ip4),
	TEXT("outside-address6", &kind_outside6),
	TEXT("outside-gateway6", &kind_ip6),
	NUMBER("outside-tag", 1, 4094),
	NUMBER("outside-mtu", 576, MTU_MAX),
	NUMBER("nat-sessions", 16, 1 << 24),
	NUMBER("nat-clients", 1, 1 << 24),
	NUMBER("udp-timeout", 120, 7 * DAY_S),
	NUMBER("tcp-timeout", 7440, 7 * DAY_S),
	NUMBER("icmp-timeout", 60, 7 * DAY_S),
	TEXT("filtering", &kind_filtering),
	NUMBER("client-sessions", 1, LIMIT_MAX),
	NUMBER("client-ports", 1, UINT16_MAX),
	NUMBER("client-rate", 1, LIMIT_MAX),
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

static char *refuse(const struct setting *s, const char *key, const char *value)
{
	char *slip = segment_slip(key, value), *why;

	if (slip)
		why = xasprintf("a segment's %s cannot be \"%s\": %s", key,
				value, slip);
	else
		why = xasprintf("a segment's %s cannot be \"%s\"; it is %s",
				key, value, s->kind->what);
	free(slip);
	return why;
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
		return s->kind->is_right(value) ? NULL : refuse(s, key, value);
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

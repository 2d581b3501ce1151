/*
 * The keys of options of type vxlan (overlay_settings.h); the same as in
 * vswd(8). The column takes any text, and vswd would only say in
 * Interface:error what it does not take.
 */
#include "ctl/overlay_settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "ctl/settings.h"

#define VNI_MAX	    16777215
#define VLAN_MAX    4094
#define REMOTES_MAX 1024
#define COLUMN	    "options:"

/* --- values --------------------------------------------------------------- */

static bool is_multicast(const struct net_addr *addr)
{
	return addr->version == 4 ? addr->bytes[0] >> 4 == 0xe
				  : addr->bytes[0] == 0xff;
}

static bool is_link_local(const struct net_addr *addr)
{
	return addr->version == 6 && addr->bytes[0] == 0xfe &&
	       (addr->bytes[1] & 0xc0) == 0x80;
}

bool overlay_address_parse(struct net_addr *addr, const char *text)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t none[16];

	if (!net_addr_parse(addr, text, 0) || is_multicast(addr) ||
	    is_link_local(addr))
		return false;
	if (addr->version == 4)
		return addr->bytes[0] && addr->bytes[0] < 0xf0;
	return memcmp(addr->bytes, none, 16) &&
	       memcmp(addr->bytes, mapped, sizeof(mapped));
}

const char *overlay_list_next(const char **rest, char part[NET_TEXT_MAX])
{
	const char *at = *rest;
	size_t n;

	if (!at)
		return NULL;
	at += strspn(at, " ");
	n = strcspn(at, ",");
	*rest = at[n] ? at + n + 1 : NULL;
	while (n && at[n - 1] == ' ')
		n--;
	n = MIN(n, NET_TEXT_MAX - 1);
	memcpy(part, at, n);
	part[n] = '\0';
	return part;
}

/* Decimal without leading zeros, or with 0x. */
static bool parse_number(const char *text, long max, long *n)
{
	bool hex = !strncasecmp(text, "0x", 2);
	const char *digits = hex ? text + 2 : text;
	const char *set = hex ? "0123456789abcdefABCDEF" : "0123456789";
	size_t len = strlen(digits);

	if (!len || len > 10 || strspn(digits, set) != len ||
	    (!hex && digits[0] == '0' && len > 1))
		return false;
	*n = strtol(digits, NULL, hex ? 16 : 10);
	return *n <= max;
}

static bool is_vtep(const char *value)
{
	struct net_addr addr;

	return overlay_address_parse(&addr, value);
}

static bool is_remote(const char *value)
{
	return !strcmp(value, "flow") || is_vtep(value);
}

static bool is_remotes(const char *value)
{
	char part[NET_TEXT_MAX];
	unsigned n = 0;

	while (overlay_list_next(&value, part))
		if (++n > REMOTES_MAX || !is_vtep(part))
			return false;
	return true;
}

/* With a length where there is an underlay. */
static bool is_local(const char *value)
{
	const char *slash = strchr(value, '/');
	char part[NET_TEXT_MAX];
	struct net_prefix prefix;
	size_t n = slash ? (size_t)(slash - value) : strlen(value);

	if (n >= sizeof(part))
		return false;
	memcpy(part, value, n);
	part[n] = '\0';
	return is_vtep(part) &&
	       (!slash || (net_prefix_parse(&prefix, value, 0) && prefix.len));
}

static bool is_group(const char *value)
{
	struct net_addr addr;

	return net_addr_parse(&addr, value, 0) && is_multicast(&addr);
}

static bool is_gateway(const char *value)
{
	struct net_addr addr;

	return net_addr_parse(&addr, value, 0) && !is_multicast(&addr);
}

static bool is_key(const char *value)
{
	long n;

	return !strcmp(value, "flow") || parse_number(value, VNI_MAX, &n);
}

static bool is_range(char *text, long max, long *size)
{
	char *dash = strchr(text, '-');
	long first, last;

	if (dash)
		*dash = '\0';
	if (!parse_number(text, max, &first))
		return false;
	last = first;
	if (dash && (!parse_number(dash + 1, max, &last) || last < first))
		return false;
	*size = last - first + 1;
	return true;
}

static bool is_map(const char *value)
{
	char part[NET_TEXT_MAX], *equals;
	long vlans, vnis;

	while (overlay_list_next(&value, part)) {
		equals = strchr(part, '=');
		if (!equals)
			return false;
		*equals = '\0';
		if (!is_range(part, VLAN_MAX, &vlans) ||
		    !is_range(equals + 1, VNI_MAX, &vnis) || vlans != vnis)
			return false;
	}
	return true;
}

static bool is_tos(const char *value)
{
	long n;

	return !strcmp(value, "inherit") ||
	       (parse_number(value, 255, &n) && !(n & 3));
}

static bool is_ttl(const char *value)
{
	long n;

	return !strcmp(value, "inherit") || (parse_number(value, 255, &n) && n);
}

static bool is_bool(const char *value)
{
	return !strcasecmp(value, "true") || !strcasecmp(value, "false");
}

static bool is_reserved(const char *value)
{
	return !strcmp(value, "ignore") || !strcmp(value, "refuse");
}

static bool is_name(const char *value)
{
	return *value && !strpbrk(value, "/ \t\r\n");
}

static bool is_device(const char *value)
{
	return is_name(value) && strlen(value) < 16;
}

static bool is_directory(const char *value)
{
	return value[0] == '/' && strlen(value) < 96;
}

static bool is_legacy(const char *value)
{
	return !strcmp(value, "legacy_l2");
}

/* --- keys ----------------------------------------------------------------- */

static const char boolean[] = "true or false";

#define TEXT(KEY, CHECK, WHAT, WORDS)                                          \
	{                                                                      \
		COLUMN KEY, CHECK, WHAT, WORDS, 0, 0                           \
	}
#define BOOLEAN(KEY) TEXT(KEY, is_bool, boolean, "true false")
#define NUMBER(KEY, LOW, HIGH)                                                 \
	{                                                                      \
		COLUMN KEY, NULL, NULL, NULL, LOW, HIGH                        \
	}

static const struct setting {
	const char *key; /* with the column before it */
	bool (*is_right)(const char *value);
	const char *what; /* it is; NULL: a number, of */
	const char *words;
	long min, max;
} settings[] = {
	BOOLEAN("arp-suppression"),
	BOOLEAN("csum"),
	BOOLEAN("df_default"),
	NUMBER("dst_port", 1, 65535),
	BOOLEAN("evpn"),
	TEXT("evpn-frr-dir", is_directory,
	     "the directory of FRR's sockets, such as /run/frr", NULL),
	NUMBER("evpn-hold", 1, 86400),
	TEXT("gateway", is_gateway, "the address of a router", NULL),
	TEXT("group", is_group, "a multicast address, such as 239.1.1.1", NULL),
	TEXT("group-dev", is_device, "the name of a device of the host", NULL),
	TEXT("in_key", is_key, "a VNI from 0 to 16777215, or flow", "flow"),
	TEXT("key", is_key, "a VNI from 0 to 16777215, or flow", "flow"),
	BOOLEAN("learning"),
	TEXT("local_ip", is_local,
	     "an address of the host or, with an underlay, the VTEP's own with "
	     "its network's length, such as 192.0.2.5/24",
	     NULL),
	NUMBER("mtu", 68, 65450),
	TEXT("out_key", is_key, "a VNI from 0 to 16777215, or flow", "flow"),
	TEXT("packet_type", is_legacy, "legacy_l2", "legacy_l2"),
	TEXT("remote_ip", is_remote,
	     "another VTEP's address (none of a group: those are option "
	     "group), or flow for several",
	     "flow"),
	TEXT("remotes", is_remotes,
	     "at most 1024 addresses of VTEPs with commas between them", NULL),
	TEXT("reserved-bits", is_reserved, "ignore or refuse", "ignore refuse"),
	BOOLEAN("split-horizon"),
	TEXT("tos", is_tos,
	     "inherit, or a number from 0 to 252 whose lowest two bits, ECN's, "
	     "are 0",
	     "inherit"),
	TEXT("ttl", is_ttl, "inherit, or a number from 1 to 255", "inherit"),
	TEXT("underlay", is_name, "the name of a bridge", NULL),
	NUMBER("underlay-tag", 1, VLAN_MAX),
	TEXT("vni-map", is_map,
	     "VLAN=VNI with commas between them, such as 10=1010,20=1020 or "
	     "100-199=10100-10199",
	     NULL),
};

/* Of Open vSwitch, and without effect here. */
static const struct {
	const char *key, *why;
} foreign[] = {
	{ "egress_pkt_mark", "outer packets bear no mark for the host's "
			     "routing" },
	{ "exts", "VXLAN's extensions (gbp, gpe) are not supported" },
	{ "psk", "tunnels are not encrypted; encrypt the underlay" },
	{ "remote_cert", "tunnels are not encrypted; encrypt the underlay" },
	{ "remote_name", "tunnels are not encrypted; encrypt the underlay" },
};

static const struct setting *find(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].key + strlen(COLUMN), key))
			return &settings[i];
	return NULL;
}

bool overlay_setting_is_known(const char *key)
{
	return find(key);
}

void overlay_settings_suggest(struct suggestion *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		suggestion_offer(s, settings[i].key + strlen(COLUMN));
}

static char *refuse_key(const char *key, const char *value)
{
	struct suggestion near;
	char hint[128];

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (!strcmp(foreign[i].key, key))
			return xasprintf("a VXLAN port cannot have "
					 "options:%s=%s: %s",
					 key, value, foreign[i].why);
	suggestion_init(&near, key);
	overlay_settings_suggest(&near);
	return xasprintf("a VXLAN port has no option \"%s\"%s (vswd(8) lists "
			 "them)",
			 key, suggestion_phrase(&near, hint, sizeof(hint)));
}

char *overlay_setting_check(const char *key, const char *value)
{
	const struct setting *s = find(key);
	long n;

	if (!s)
		return refuse_key(key, value);
	if (s->is_right)
		return s->is_right(value)
			       ? NULL
			       : xasprintf("a VXLAN port's %s cannot be "
					   "\"%s\"; it is %s",
					   key, value, s->what);
	if (parse_number(value, s->max, &n) && n >= s->min)
		return NULL;
	return xasprintf("a VXLAN port's %s cannot be \"%s\"; it is a number "
			 "from %ld to %ld",
			 key, value, s->min, s->max);
}

size_t overlay_settings_count(void)
{
	return ARRAY_SIZE(settings);
}

void overlay_settings_get(size_t i, struct setting_info *info)
{
	*info = (struct setting_info){
		.table = "vxlan",
		.key = settings[i].key,
		.words = settings[i].words,
	};
}

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

static bool is_of_a_machine(const struct net_addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t none[16];

	if (addr->version == 4)
		return addr->bytes[0] && addr->bytes[0] < 0xf0;
	return memcmp(addr->bytes, none, 16) &&
	       memcmp(addr->bytes, mapped, sizeof(mapped));
}

const char *overlay_address_fault(const char *text)
{
	struct net_prefix prefix;
	struct net_addr addr;

	if (!*text)
		return "there is no address";
	if (net_prefix_parse(&prefix, text, 0))
		return "an address goes without a length here";
	if (!net_addr_parse(&addr, text, 0))
		return "that is no IP address, and names of hosts are not "
		       "looked up";
	if (is_multicast(&addr))
		return "that is a multicast address; a group of VTEPs is "
		       "group=ADDRESS";
	if (is_link_local(&addr))
		return "a link-local address does not say by which link; give "
		       "a global or unique local one";
	if (!is_of_a_machine(&addr))
		return "no machine has that as its address";
	return NULL;
}

bool overlay_address_parse(struct net_addr *addr, const char *text)
{
	return !overlay_address_fault(text) && net_addr_parse(addr, text, 0);
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

static char *refuse(const char *name, const char *value, const char *why)
{
	return xasprintf("a VXLAN port's %s cannot be \"%s\": %s", name, value,
			 why);
}

static char *remote_fault(const char *name, const char *value)
{
	const char *why = overlay_address_fault(value);

	return why && strcmp(value, "flow") ? refuse(name, value, why) : NULL;
}

/* Names only the one that is wrong. */
static char *remotes_fault(const char *name, const char *value)
{
	char part[NET_TEXT_MAX];
	unsigned n = 0;

	while (overlay_list_next(&value, part)) {
		const char *why = overlay_address_fault(part);

		if (why)
			return refuse("remote", part, why);
		if (++n > REMOTES_MAX)
			return xasprintf("a VXLAN port has at most %d remotes",
					 REMOTES_MAX);
	}
	return NULL;
}

/* With a length where there is an underlay. */
static char *local_fault(const char *name, const char *value)
{
	const char *slash = strchr(value, '/'), *why;
	char part[NET_TEXT_MAX];
	struct net_prefix prefix;
	size_t n = slash ? (size_t)(slash - value) : strlen(value);

	if (n >= sizeof(part))
		return refuse(name, value, "that is no IP address");
	memcpy(part, value, n);
	part[n] = '\0';
	why = overlay_address_fault(part);
	if (!why && slash &&
	    (!net_prefix_parse(&prefix, value, 0) || !prefix.len))
		why = "what follows / is no network's length, such as /24";
	return why ? refuse(name, value, why) : NULL;
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

/* "A" or "A-B"; NULL, or why it is none. what: "VLAN" or "VNI". */
static char *range_fault(const char *what, char *text, long max, long *size)
{
	char *dash = strchr(text, '-');
	long first, last;

	if (dash)
		*dash = '\0';
	if (!parse_number(text, max, &first))
		return xasprintf("\"%s\" is no %s; those are from 0 to %ld",
				 text, what, max);
	last = first;
	if (dash && !parse_number(dash + 1, max, &last))
		return xasprintf("\"%s\" is no %s; those are from 0 to %ld",
				 dash + 1, what, max);
	if (last < first)
		return xasprintf("%ss %ld-%ld are in the wrong order", what,
				 first, last);
	*size = last - first + 1;
	return NULL;
}

static char *pair_fault(const char *pair)
{
	char *part = xstrdup(pair), *equals = strchr(part, '='), *why;
	long vlans = 0, vnis = 0;

	if (!equals) {
		free(part);
		return xstrdup("it is VLAN=VNI with commas between them, such "
			       "as 10=1010,20=1020 or 100-199=10100-10199");
	}
	*equals = '\0';
	why = range_fault("VLAN", part, VLAN_MAX, &vlans);
	if (!why)
		why = range_fault("VNI", equals + 1, VNI_MAX, &vnis);
	if (!why && vlans != vnis)
		why = xasprintf("it has %ld VLANs and %ld VNIs; as many of "
				"both are needed",
				vlans, vnis);
	free(part);
	return why;
}

/* Names only the pair that is wrong. */
static char *map_fault(const char *name, const char *value)
{
	char part[NET_TEXT_MAX], *why, *text;

	while (overlay_list_next(&value, part)) {
		why = pair_fault(part);
		if (!why)
			continue;
		text = refuse(name, part, why);
		free(why);
		return text;
	}
	return NULL;
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
		COLUMN KEY, CHECK, NULL, WHAT, WORDS, 0, 0                     \
	}
#define FAULT(KEY, FAULT_OF, WORDS)                                            \
	{                                                                      \
		COLUMN KEY, NULL, FAULT_OF, NULL, WORDS, 0, 0                  \
	}
#define BOOLEAN(KEY) TEXT(KEY, is_bool, boolean, "true false")
#define NUMBER(KEY, LOW, HIGH)                                                 \
	{                                                                      \
		COLUMN KEY, NULL, NULL, NULL, NULL, LOW, HIGH                  \
	}

static const struct setting {
	const char *key; /* with the column before it */
	bool (*is_right)(const char *value);
	/* NULL, or what is wrong, with the key's name; the caller's */
	char *(*fault)(const char *name, const char *value);
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
	FAULT("local_ip", local_fault, NULL),
	NUMBER("mtu", 68, 65450),
	TEXT("out_key", is_key, "a VNI from 0 to 16777215, or flow", "flow"),
	TEXT("packet_type", is_legacy, "legacy_l2", "legacy_l2"),
	FAULT("remote_ip", remote_fault, "flow"),
	FAULT("remotes", remotes_fault, NULL),
	TEXT("reserved-bits", is_reserved, "ignore or refuse", "ignore refuse"),
	BOOLEAN("split-horizon"),
	TEXT("tos", is_tos,
	     "inherit, or a number from 0 to 252 whose lowest two bits, ECN's, "
	     "are 0",
	     "inherit"),
	TEXT("ttl", is_ttl, "inherit, or a number from 1 to 255", "inherit"),
	TEXT("underlay", is_name, "the name of a bridge", NULL),
	NUMBER("underlay-tag", 1, VLAN_MAX),
	FAULT("vni-map", map_fault, NULL),
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

bool overlay_setting_is_foreign(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (!strcmp(foreign[i].key, key))
			return true;
	return false;
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

static bool has_blank_end(const char *value)
{
	size_t n = strlen(value);

	return n &&
	       (strchr(" \t\r\n", value[0]) || strchr(" \t\r\n", value[n - 1]));
}

char *overlay_setting_check(const char *key, const char *name,
			    const char *value)
{
	const struct setting *s = find(key);
	long n;

	if (!s)
		return refuse_key(key, value);
	if (has_blank_end(value))
		return refuse(name, value,
			      "it begins or ends with a blank; remove that");
	if (s->fault)
		return s->fault(name, value);
	if (s->is_right)
		return s->is_right(value)
			       ? NULL
			       : xasprintf("a VXLAN port's %s cannot be "
					   "\"%s\"; it is %s",
					   name, value, s->what);
	if (parse_number(value, s->max, &n) && n >= s->min)
		return NULL;
	return xasprintf("a VXLAN port's %s cannot be \"%s\"; it is a number "
			 "from %ld to %ld",
			 name, value, s->min, s->max);
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

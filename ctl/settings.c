/* What vswd takes in other_config (settings.h); the same as in vswd(8). */
#include "ctl/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_pairs.h"
#include "base/private_vlans.h"
#include "base/util.h"
#include "ctl/ctl.h"
#include "ctl/overlay_settings.h"
#include "ctl/security_check.h"
#include "ctl/segment_settings.h"

struct setting {
	const char *table, *key; /* of another column: "COLUMN:KEY" */
	long min, max;		 /* a number from min to max, or */
	const char *choices; /* one of these words, separated by spaces, or */
};

/* As choices: a path below the run directory. */
static const char below[] = "below";
/* As choices: numbers with commas between them. */
static const char numbers[] = "numbers";

/* As choices: "0:2,1:3", numbers up to min before the colon, to max behind. */
static const char pairs[] = "pairs";
/* As choices: the address of one device. */
static const char address[] = "address";
/* As choices: what a queue is chosen by. */
static const char values[] = "values";
/* As choices: the name of an access list (acl_check.c). */
static const char list_name[] = "access list";
/* As choices: a name. */
static const char name[] = "name";
static const char group[] = "group";
/* As choices: names with commas between them. */
static const char names[] = "names";
/* As choices: private VLANs (base/private_vlans.h), and how a port is in one.
 */
static const char private_vlans[] = "private VLANs";
static const char private_vlan[] = "private VLAN";
/* As choices: MAC addresses, or IP addresses and networks. */
static const char macs[] = "macs";
static const char ips[] = "ips";
/* As choices: a number from min to max, or 0. */
static const char or_zero[] = "or zero";

static const struct setting settings[] = {
	{ "Open_vSwitch", "n-workers", 1, 64, NULL },
	{ "Open_vSwitch", "poll-idle-us", 0, 1000000, NULL },
	{ "Open_vSwitch", "worker-affinity", 63, 1023, pairs },
	{ "Open_vSwitch", "worker-auto-balance", 0, 0, "true false" },
	{ "Open_vSwitch", "kernel-fast-path", 0, 0, "true false" },
	{ "Interface", "worker-affinity", 65535, 63, pairs },
	{ "Open_vSwitch", "stats-update-interval", 1000, INT32_MAX, NULL },
	{ "Open_vSwitch", "vhost-sock-dir", 0, 0, below },
	{ "Open_vSwitch", "dpdk-socket-mem", 0, 0, numbers },
	{ "Bridge", "mac-aging-time", 1, 86400 * 365, NULL },
	{ "Bridge", "mac-table-size", 1, 4194304, NULL },
	{ "Bridge", "forward-bpdu", 0, 0, "true false" },
	{ "Bridge", "private-vlans", 0, 0, private_vlans },
	{ "Port", "port-group", 0, 0, group },
	{ "Port", "private-vlan", 0, 0, private_vlan },
	{ "Port", "teaming-order", 0, 0, names },
	{ "Port", "mac-table-limit", 1, 4194304, NULL },
	{ "Port", "egress-average-kbps", 1, 1000000000, NULL },
	{ "Port", "egress-peak-kbps", 1, 1000000000, NULL },
	{ "Port", "egress-burst-kb", 1, 268435, NULL },
	{ "Port", "set-pcp", 0, 7, NULL },
	{ "Port", "set-dscp", 0, 63, NULL },
	{ "QoS", "max-rate", 1, 1000000000000, NULL },
	{ "QoS", "select", 0, 0, "pcp dscp" },
	{ "Queue", "min-rate", 1, 1000000000000, NULL },
	{ "Queue", "max-rate", 1, 1000000000000, NULL },
	{ "Queue", "burst", 1, 2147483648, NULL },
	{ "Queue", "priority", 0, UINT32_MAX, NULL },
	{ "Queue", "match", 0, 0, values },
	{ "Port", "promiscuous", 0, 0, "accept reject" },
	{ "Port", "mac-changes", 0, 0, "accept reject" },
	{ "Port", "forged-transmits", 0, 0, "accept reject" },
	{ "Port", "allowed-macs", 0, 0, macs },
	{ "Port", "allowed-ips", 0, 0, ips },
	{ "Port", "dhcp-guard", 0, 0, "true false" },
	{ "Port", "router-guard", 0, 0, "true false" },
	{ "Port", "mac-limit-action", 0, 0, "allow evict drop" },
	{ "Port", "acl-in", 0, 0, list_name },
	{ "Port", "acl-out", 0, 0, list_name },
	{ "Port", "storm-broadcast", 1, 100000000, NULL },
	{ "Port", "storm-multicast", 1, 100000000, NULL },
	{ "Port", "storm-unknown", 1, 100000000, NULL },
	{ "Port", "storm-burst", 1, 100000000, NULL },
	{ "Port", "priority-tags", 0, 0,
	  "no never false if-nonzero true always" },
	{ "Port", "qinq-ethtype", 0, 0, "802.1ad 802.1q" },
	{ "Port", "bond-policy", 0, 0, "port-id ip-hash" },
	{ "Port", "bond-primary", 0, 0, name },
	{ "Port", "bond-active-members", 0, 0, names },
	{ "Port", "bond-standby-members", 0, 0, names },
	{ "Port", "bond-unused-members", 0, 0, names },
	{ "Port", "bond-failback", 0, 0, "true false" },
	{ "Port", "bond-detect-mode", 0, 0, "carrier miimon beacon" },
	{ "Port", "bond-miimon-interval", 1, INT32_MAX, NULL },
	{ "Port", "bond-beacon-interval", 10, INT32_MAX, NULL },
	{ "Port", "bond-rebalance-interval", 1000, INT32_MAX, or_zero },
	{ "Port", "bond-hash-basis", 0, UINT32_MAX, NULL },
	{ "Port", "lacp-system-id", 0, 0, address },
	{ "Port", "lacp-system-priority", 1, 65535, NULL },
	{ "Port", "lacp-time", 0, 0, "fast slow" },
	{ "Port", "lacp-fallback-ab", 0, 0, "true false" },
	{ "Interface", "lacp-port-id", 1, 65535, NULL },
	{ "Interface", "lacp-port-priority", 1, 65535, NULL },
	{ "Interface", "lacp-aggregation-key", 1, 65535, NULL },
	{ "Interface", "lldp:enable", 0, 0, "true false" },
	{ "Interface", "cdp", 0, 0, "off receive both" },
};

static bool is_number(const char *value, long min, long max)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	return !errno && end != value && !*end && n >= min && n <= max;
}

static bool is_choice(const char *value, const char *choices)
{
	size_t n = strlen(value);

	for (const char *at = choices; *at; at += strspn(at, " ")) {
		size_t word = strcspn(at, " ");

		if (word == n && !memcmp(at, value, n))
			return true;
		at += word;
	}
	return false;
}

static bool is_pairs(const char *value, unsigned key_max, unsigned value_max)
{
	struct number_pairs parsed;
	bool ok = number_pairs_parse(value, key_max, value_max, &parsed);

	number_pairs_fini(&parsed);
	return ok;
}

static void check_pairs(const struct setting *s, const char *value)
{
	if (!is_pairs(value, s->min, s->max))
		ctl_fatal("other_config:%s of table %s cannot be \"%s\"; it is "
			  "pairs of numbers such as 0:2,1:3, from 0 to %ld "
			  "before the colon and from 0 to %ld behind it",
			  s->key, s->table, value, s->min, s->max);
}

static bool is_below(const char *value)
{
	return !strstr(value, "..");
}

static bool is_numbers(const char *value)
{
	return value[0] && !value[strspn(value, "0123456789,")];
}

/* A PCP or DSCP, or several. */
static bool is_values(const char *value)
{
	const char *at = value;

	while (*(at += strspn(at, ", "))) {
		size_t n = strspn(at, "0123456789");

		if (!n || n > 2 || (at[n] && !strchr(", ", at[n])) ||
		    atoi(at) > 63)
			return false;
		at += n;
	}
	return at > value && value[strcspn(value, "0123456789")];
}

/* An address of one device: none of a group, and not zero. */
bool settings_is_address(const char *value)
{
	unsigned a[6], any = 0;
	int end = 0;

	if (sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &a[0], &a[1], &a[2],
		   &a[3], &a[4], &a[5], &end) != 6 ||
	    end != 17 || value[end])
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(a); i++)
		any |= a[i];
	return any && !(a[0] & 1);
}

bool settings_parse_address(char mac[18], const char *text)
{
	if (!settings_is_address(text))
		return false;
	for (unsigned i = 0; i < 18; i++)
		mac[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

static bool is_name(const char *value)
{
	return value[0] && !strpbrk(value, ", ");
}

/* At least one name, and a comma between any two. */
static bool is_names(const char *value)
{
	const char *at = value + strspn(value, ", ");

	if (!*at)
		return false;
	while (*at) {
		size_t gap;

		at += strcspn(at, ", ");
		gap = strspn(at, ", ");
		if (at[gap] && !memchr(at, ',', gap))
			return false;
		at += gap;
	}
	return true;
}

static bool is_private_vlan(const char *value)
{
	static const char community[] = "community:";

	return !strcmp(value, "isolated") || !strcmp(value, "promiscuous") ||
	       (!strncmp(value, community, strlen(community)) &&
		private_vlan_is_name(value + strlen(community)));
}

static void check_private_vlans(const char *value)
{
	struct private_vlans vlans;
	char *why = private_vlans_parse(value, &vlans);

	private_vlans_fini(&vlans);
	if (why)
		ctl_fatal("other_config:private-vlans cannot be \"%s\": %s; "
			  "it is each primary VLAN with its secondary ones, "
			  "such as \"100:isolated=101,community:web=102\"",
			  value, why);
}

/* Kinds of values that a sentence describes. */
static const struct kind {
	const char *choices;
	bool (*is_right)(const char *value);
	const char *what;
} kinds[] = {
	{ below, is_below,
	  "a directory below the run directory, without \"..\"" },
	{ numbers, is_numbers,
	  "megabytes of each NUMA node, such as 1024,1024" },
	{ values, is_values,
	  "PCPs (0 to 7) or DSCPs (0 to 63) with commas between them" },
	{ address, settings_is_address,
	  "the MAC address of one device, such as 02:00:00:00:00:01" },
	{ name, is_name, "the name of one interface" },
	{ list_name, is_name, "the name of an access list" },
	{ private_vlan, is_private_vlan,
	  "isolated, promiscuous or community:NAME" },
	{ group, is_name, "the name of one port group" },
	{ names, is_names, "names with commas between them, such as e0,e1" },
};

static void check_addresses(const struct setting *s, const char *value)
{
	char *why = s->choices == macs ? security_check_macs(value)
				       : security_check_ips(value);

	if (why)
		ctl_fatal("other_config:%s of table %s cannot be \"%s\": %s",
			  s->key, s->table, value, why);
}

static void check(const struct setting *s, const char *value)
{
	if (s->choices == macs || s->choices == ips) {
		check_addresses(s, value);
		return;
	}
	if (s->choices == pairs) {
		check_pairs(s, value);
		return;
	}
	if (s->choices == private_vlans) {
		check_private_vlans(value);
		return;
	}
	if (s->choices == or_zero) {
		if (!is_number(value, s->min, s->max) && strcmp(value, "0"))
			ctl_fatal("other_config:%s of table %s cannot be "
				  "\"%s\"; it is 0, or a number from %ld to "
				  "%ld",
				  s->key, s->table, value, s->min, s->max);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (s->choices != kinds[i].choices)
			continue;
		if (!kinds[i].is_right(value))
			ctl_fatal("other_config:%s cannot be \"%s\"; it is %s",
				  s->key, value, kinds[i].what);
		return;
	}
	if (s->choices && !is_choice(value, s->choices))
		ctl_fatal("%s%s of table %s cannot be \"%s\"; it is "
			  "one of: %s",
			  strchr(s->key, ':') ? "" : "other_config:", s->key,
			  s->table, value, s->choices);
	if (!s->choices && !is_number(value, s->min, s->max))
		ctl_fatal("other_config:%s of table %s cannot be \"%s\"; it is "
			  "a number from %ld to %ld",
			  s->key, s->table, value, s->min, s->max);
}

static bool is_named(const struct setting *s, const char *column,
		     const char *key)
{
	const char *colon = strchr(s->key, ':');
	size_t n = strlen(column);

	if (!colon)
		return !strcmp(column, "other_config") && !strcmp(s->key, key);
	return (size_t)(colon - s->key) == n && !memcmp(s->key, column, n) &&
	       !strcmp(colon + 1, key);
}

static bool is_of_segment(const char *table, const char *column)
{
	return !strcmp(table, "Segment") && !strcmp(column, "options");
}

const char *settings_table(const char *table)
{
	return strcmp(table, "Port_Group") ? table : "Port";
}

bool settings_are_in(const char *table, const char *column)
{
	return !strcmp(column, "other_config") || !strcmp(column, "lldp") ||
	       is_of_segment(table, column);
}

/* Of a port, in place of what its group says (vswd/db_groups.h). */
static bool is_none(const struct setting *s, const char *value)
{
	static const char *const optional[] = { "acl-", "storm-", "egress-",
						"teaming-order", "set-" };

	if (strcmp(s->table, "Port") || (*value && strcmp(value, "none")))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		if (!strncmp(s->key, optional[i], strlen(optional[i])))
			return true;
	return false;
}

void settings_check(const char *table, const char *column, const char *key,
		    const char *value)
{
	char *why = is_of_segment(table, column)
			    ? segment_setting_check(key, value)
			    : NULL;

	if (why)
		ctl_fatal_error(why);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *s = &settings[i];

		if (!strcmp(s->table, settings_table(table)) &&
		    is_named(s, column, key) && !is_none(s, value))
			check(s, value);
	}
}

/* What a kind's choices are for a person; NULL: no list of words. */
static const char *words_of(const struct setting *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (s->choices == kinds[i].choices)
			return NULL;
	return s->choices == pairs || s->choices == or_zero ||
			       s->choices == private_vlans ||
			       s->choices == macs || s->choices == ips
		       ? NULL
		       : s->choices;
}

size_t settings_count(void)
{
	return ARRAY_SIZE(settings) + segment_settings_count() +
	       overlay_settings_count();
}

void settings_get(size_t i, struct setting_info *info)
{
	const size_t own = ARRAY_SIZE(settings);
	const size_t segments = segment_settings_count();

	if (i >= own + segments) {
		overlay_settings_get(i - own - segments, info);
		return;
	}
	if (i >= own) {
		segment_settings_get(i - own, info);
		return;
	}
	*info = (struct setting_info){ .table = settings[i].table,
				       .key = settings[i].key,
				       .words = words_of(&settings[i]) };
}

/* Which settings of a bond do not go together, or do nothing (bond_check.h). */
#include "ctl/bond_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/settings.h"

#define MEMBERS_MAX	   32 /* as vswd has it */
#define BEACON_MEMBERS_MIN 3

static bool is(const char *value, const char *word)
{
	return value && !strcmp(value, word);
}

static bool has_lacp(const struct bond_settings *s)
{
	return s->lacp && strcmp(s->lacp, "off");
}

bool bond_settings_are_bonds(const struct bond_settings *s)
{
	return s->n_members > 1 || (s->n_members == 1 && has_lacp(s));
}

static bool has_name(const char *const names[], size_t n_names,
		     const char *name, size_t n)
{
	for (size_t i = 0; i < n_names; i++)
		if (strlen(names[i]) == n && !memcmp(names[i], name, n))
			return true;
	return false;
}

static bool is_member(const struct bond_settings *s, const char *name, size_t n)
{
	return has_name(s->members, s->n_members, name, n);
}

static bool is_leaving(const struct bond_settings *s, const char *name,
		       size_t n)
{
	return !is_member(s, name, n) &&
	       has_name(s->leaving, s->n_leaving, name, n);
}

/* Between names, as vswd takes them. */
static const char separators[] = ", ";

/* The next name of a list and its length; NULL: none. */
static const char *next_name(const char *at, size_t *n)
{
	at += strspn(at, separators);
	*n = strcspn(at, separators);
	return *n ? at : NULL;
}

/* How often a list has the name of n bytes. */
static unsigned count_in(const char *list, const char *name, size_t n)
{
	unsigned found = 0;
	const char *at;
	size_t len;

	for (at = list; at && (at = next_name(at, &len)); at += len)
		found += len == n && !memcmp(at, name, n);
	return found;
}

/* --- the rules -------------------------------------------------------------
 */

static char *check_delay(const struct bond_settings *s, const char *column,
			 long long ms)
{
	if (ms >= 0 && ms <= INT32_MAX)
		return NULL;
	return xasprintf("%s of port %s cannot be %lld; it is milliseconds, "
			 "from 0 to %d",
			 column, s->port, ms, INT32_MAX);
}

static char *check_delays(const struct bond_settings *s)
{
	char *why = check_delay(s, "bond_updelay", s->updelay_ms);

	return why ? why : check_delay(s, "bond_downdelay", s->downdelay_ms);
}

static char *check_active_mac(const struct bond_settings *s)
{
	if (!s->active_mac || settings_is_address(s->active_mac))
		return NULL;
	return xasprintf("bond_active_slave of port %s cannot be \"%s\"; it "
			 "is the MAC address of a member, such as "
			 "02:00:00:00:00:01",
			 s->port, s->active_mac);
}

static char *check_mode(const struct bond_settings *s)
{
	if (s->policy && s->mode)
		return xasprintf(
			"port %s has both bond_mode=%s and "
			"other_config:bond-policy=%s; a bond has one of the "
			"two: \"vsw-ctl clear Port %s bond_mode -- set Port %s "
			"other_config:bond-policy=%s\", or \"vsw-ctl remove "
			"Port %s other_config bond-policy -- set Port %s "
			"bond_mode=%s\"",
			s->port, s->mode, s->policy, s->port, s->port,
			s->policy, s->port, s->port, s->mode);
	if (is(s->mode, "balance-tcp") && !has_lacp(s))
		return xasprintf("bond_mode=balance-tcp of port %s needs LACP, "
				 "but lacp is %s; set lacp=active, or "
				 "bond_mode=balance-slb",
				 s->port, s->lacp ? s->lacp : "not set");
	return NULL;
}

/* Members that may be used; names in the list that are none do not count. */
static size_t count_used(const struct bond_settings *s)
{
	size_t used = 0;

	for (size_t i = 0; i < s->n_members; i++)
		used += !count_in(s->unused, s->members[i],
				  strlen(s->members[i]));
	return used;
}

static char *check_beacons(const struct bond_settings *s)
{
	if (!is(s->detect, "beacon"))
		return NULL;
	if (has_lacp(s))
		return xasprintf("other_config:bond-detect-mode=beacon of port "
				 "%s and lacp=%s contradict each other: LACP "
				 "itself finds links that fail; clear one",
				 s->port, s->lacp);
	if (is(s->policy, "ip-hash"))
		return xasprintf("other_config:bond-detect-mode=beacon and "
				 "other_config:bond-policy=ip-hash of port %s "
				 "contradict each other: the other end of a "
				 "channel does not send probes back; clear one",
				 s->port);
	if (count_used(s) < BEACON_MEMBERS_MIN)
		return xasprintf("other_config:bond-detect-mode=beacon of port "
				 "%s needs at least %d members, but interfaces "
				 "has %zu that may be used: with fewer, nobody "
				 "can say whose link has failed",
				 s->port, BEACON_MEMBERS_MIN, count_used(s));
	return NULL;
}

/* The three lists by their keys. */
static const char *const list_keys[] = { "bond-active-members",
					 "bond-standby-members",
					 "bond-unused-members" };

static const char *list_at(const struct bond_settings *s, size_t i)
{
	const char *const lists[] = { s->active, s->standby, s->unused };

	return lists[i];
}

/* A list's names without one, with commas between them; freed by the caller. */
static char *without(const char *list, const char *name, size_t n)
{
	char *rest = xstrdup("");
	size_t len;

	for (; (list = next_name(list, &len)); list += len) {
		char *more;

		if (len == n && !memcmp(list, name, n))
			continue;
		more = xasprintf("%s%s%.*s", rest, *rest ? "," : "", (int)len,
				 list);
		free(rest);
		rest = more;
	}
	return rest;
}

/* A key still names the interface that the command line takes away. */
static char *leaving(const struct bond_settings *s, const char *key,
		     const char *list, const char *name, size_t n)
{
	char *rest = without(list, name, n), *change, *why;

	if (*rest)
		change = xasprintf("set Port %s other_config:%s=%s", s->port,
				   key, rest);
	else
		change = xasprintf("remove Port %s other_config %s", s->port,
				   key);
	why = xasprintf("other_config:%s of port %s names %.*s, which would no "
			"longer be one of its interfaces; change that in the "
			"same command: \"vsw-ctl del-bond-iface %s %.*s -- "
			"%s\"",
			key, s->port, (int)n, name, s->port, (int)n, name,
			change);
	free(change);
	free(rest);
	return why;
}

/* One name in list i. */
static char *check_name(const struct bond_settings *s, size_t i,
			const char *name, size_t n)
{
	if (is_leaving(s, name, n))
		return leaving(s, list_keys[i], list_at(s, i), name, n);
	if (!is_member(s, name, n))
		return xasprintf("other_config:%s of port %s names \"%.*s\", "
				 "which is none of its interfaces",
				 list_keys[i], s->port, (int)n, name);
	if (count_in(list_at(s, i), name, n) > 1)
		return xasprintf("other_config:%s of port %s names %.*s twice",
				 list_keys[i], s->port, (int)n, name);
	for (size_t j = i + 1; j < ARRAY_SIZE(list_keys); j++)
		if (count_in(list_at(s, j), name, n))
			return xasprintf("other_config:%s and other_config:%s "
					 "of port %s both name %.*s",
					 list_keys[i], list_keys[j], s->port,
					 (int)n, name);
	return NULL;
}

static char *check_lists(const struct bond_settings *s)
{
	char *why = NULL;
	const char *at;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(list_keys); i++)
		for (at = list_at(s, i); !why && at && (at = next_name(at, &n));
		     at += n)
			why = check_name(s, i, at, n);
	if (!why && !count_used(s))
		why = xasprintf("other_config:bond-unused-members of port %s "
				"names all of its interfaces: none is left to "
				"be used",
				s->port);
	return why;
}

/* Some way of working in which there is one active member. */
static bool may_be_active_backup(const struct bond_settings *s)
{
	if (!s->policy && (!s->mode || is(s->mode, "active-backup")))
		return true;
	return has_lacp(s) && is(s->fallback_ab, "true");
}

static char *check_primary(const struct bond_settings *s)
{
	size_t n = s->primary ? strlen(s->primary) : 0, first_n = 0;
	const char *first = s->active ? next_name(s->active, &first_n) : NULL;

	if (!n)
		return NULL;
	if (is_leaving(s, s->primary, n))
		return leaving(s, "bond-primary", s->primary, s->primary, n);
	if (!is_member(s, s->primary, n))
		return xasprintf("other_config:bond-primary of port %s is "
				 "\"%s\", which is none of its interfaces",
				 s->port, s->primary);
	if (!may_be_active_backup(s))
		return xasprintf("other_config:bond-primary=%s of port %s is "
				 "for bond_mode=active-backup, but %s is %s; "
				 "clear one",
				 s->primary, s->port,
				 s->policy ? "other_config:bond-policy"
					   : "bond_mode",
				 s->policy ? s->policy : s->mode);
	for (size_t i = 1; i < ARRAY_SIZE(list_keys); i++)
		if (count_in(list_at(s, i), s->primary, n))
			return xasprintf("other_config:bond-primary and "
					 "other_config:%s of port %s both name "
					 "%s",
					 list_keys[i], s->port, s->primary);
	if (!first || (first_n == n && !memcmp(first, s->primary, n)))
		return NULL;
	return xasprintf("other_config:bond-primary=%s and "
			 "other_config:bond-active-members=%s of port %s name "
			 "different members to be preferred; clear one",
			 s->primary, s->active, s->port);
}

/* The same number, however it is written. */
static bool is_same_id(const char *a, const char *b)
{
	return a && b && strtol(a, NULL, 10) == strtol(b, NULL, 10);
}

static char *check_port_ids(const struct bond_settings *s)
{
	if (!has_lacp(s) || !s->port_ids)
		return NULL;
	for (size_t i = 0; i < s->n_members; i++)
		for (size_t j = 0; j < i; j++)
			if (is_same_id(s->port_ids[i], s->port_ids[j]))
				return xasprintf("interfaces %s and %s of port "
						 "%s both have other_config:"
						 "lacp-port-id=%s; give each "
						 "its own",
						 s->members[j], s->members[i],
						 s->port, s->port_ids[i]);
	return NULL;
}

char *bond_settings_check(const struct bond_settings *s)
{
	char *why = check_delays(s);

	if (!why)
		why = check_active_mac(s);
	/* The rest is ignored of a port that is no bond. */
	if (why || !bond_settings_are_bonds(s))
		return why;
	if (s->n_members > MEMBERS_MAX)
		return xasprintf("port %s cannot have %zu interfaces; a bond "
				 "has at most %d members",
				 s->port, s->n_members, MEMBERS_MAX);
	why = check_mode(s);
	if (!why)
		why = check_lists(s);
	if (!why)
		why = check_primary(s);
	if (!why)
		why = check_beacons(s);
	if (!why)
		why = check_port_ids(s);
	return why;
}

/* --- what has no effect ----------------------------------------------------
 */

/* What is set that only a bond goes by, or NULL. */
static const char *bond_only(const struct bond_settings *s)
{
	return s->mode	    ? "bond_mode"
	       : s->policy  ? "other_config:bond-policy"
	       : s->primary ? "other_config:bond-primary"
	       : s->active  ? "other_config:bond-active-members"
	       : s->standby ? "other_config:bond-standby-members"
	       : s->unused  ? "other_config:bond-unused-members"
	       : s->detect  ? "other_config:bond-detect-mode"
			    : NULL;
}

char *bond_settings_doubt(const struct bond_settings *s)
{
	const char *lacp_only = s->lacp_time	 ? "lacp-time"
				: s->fallback_ab ? "lacp-fallback-ab"
						 : NULL;

	if (s->n_members < 2 && !bond_settings_are_bonds(s) && bond_only(s))
		return xasprintf("%s of port %s has no effect until the port "
				 "has two interfaces",
				 bond_only(s), s->port);
	if (lacp_only && !has_lacp(s))
		return xasprintf("other_config:%s of port %s has no effect "
				 "until LACP is on, but lacp is %s; "
				 "lacp=active turns it on",
				 lacp_only, s->port,
				 s->lacp ? s->lacp : "not set");
	return NULL;
}

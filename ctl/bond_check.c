/* Which settings of a bond do not go together (bond_check.h). */
#include "ctl/bond_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/ctl.h"
#include "ctl/value.h"
#include "ctl/view.h"

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

/* One interface with LACP is a bond of one. */
static bool is_bond(const struct bond_settings *s)
{
	return s->n_members > 1 || (s->n_members == 1 && has_lacp(s));
}

static bool is_member(const struct bond_settings *s, const char *name, size_t n)
{
	for (size_t i = 0; i < s->n_members; i++)
		if (strlen(s->members[i]) == n &&
		    !memcmp(s->members[i], name, n))
			return true;
	return false;
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

static char *check_delays(const struct bond_settings *s)
{
	if (s->updelay_ms < 0)
		return xasprintf("bond_updelay of port %s cannot be %lld; it "
				 "is milliseconds, 0 or more",
				 s->port, s->updelay_ms);
	if (s->downdelay_ms < 0)
		return xasprintf("bond_downdelay of port %s cannot be %lld; it "
				 "is milliseconds, 0 or more",
				 s->port, s->downdelay_ms);
	return NULL;
}

static char *check_mode(const struct bond_settings *s)
{
	if (s->policy && s->mode)
		return xasprintf("port %s has both bond_mode=%s and "
				 "other_config:bond-policy=%s; a bond has one "
				 "of the two: clear the other",
				 s->port, s->mode, s->policy);
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

/* One name in list i. */
static char *check_name(const struct bond_settings *s, size_t i,
			const char *name, size_t n)
{
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

static char *check_port_ids(const struct bond_settings *s)
{
	if (!has_lacp(s) || !s->port_ids)
		return NULL;
	for (size_t i = 0; i < s->n_members; i++)
		for (size_t j = 0; j < i; j++)
			if (is(s->port_ids[i],
			       s->port_ids[j] ? s->port_ids[j] : ""))
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

	/* The rest is ignored of a port that is no bond. */
	if (why || !is_bond(s))
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

/* --- the rows --------------------------------------------------------------
 */

static const char *const bond_columns[] = { "name",	    "interfaces",
					    "bond_mode",    "lacp",
					    "bond_updelay", "bond_downdelay",
					    "other_config", NULL };

static bool is_changed(const struct view_row *row, const char *column)
{
	const json_t *mutation;
	size_t i;

	if (json_object_get(row->set, column))
		return true;
	json_array_foreach(row->mutated, i, mutation)
		if (is(json_string_value(json_array_get(mutation, 0)), column))
			return true;
	return false;
}

/* What concerns bonds is changed in a row, not its tag alone. */
static bool is_touched(const struct view_row *row)
{
	if (row->deleted || strcmp(row->table, "Port"))
		return false;
	for (size_t c = 1; bond_columns[c]; c++)
		if (is_changed(row, bond_columns[c]))
			return true;
	return false;
}

/* A member's own settings: its port is looked at. */
static bool is_touched_member(struct view_row *row)
{
	return !row->deleted && !strcmp(row->table, "Interface") &&
	       is_changed(row, "other_config") &&
	       view_get_key(row, "other_config", "lacp-port-id");
}

/* An optional string, or NULL. */
static const char *optional(struct view_row *row, const char *column)
{
	json_t *value = view_get(row, column);

	return json_string_value(value); /* an empty set is none */
}

static long long integer(struct view_row *row, const char *column)
{
	json_int_t n = 0;

	view_get_integer(row, column, &n);
	return n;
}

static void read_settings(struct ctl *ctl, struct view_row *row,
			  struct bond_settings *s)
{
	*s = (struct bond_settings){
		.port = view_get_string(row, "name"),
		.mode = optional(row, "bond_mode"),
		.lacp = optional(row, "lacp"),
		.updelay_ms = integer(row, "bond_updelay"),
		.downdelay_ms = integer(row, "bond_downdelay"),
#define KEY(NAME) view_get_key(row, "other_config", NAME)
		.policy = KEY("bond-policy"),
		.primary = KEY("bond-primary"),
		.detect = KEY("bond-detect-mode"),
		.fallback_ab = KEY("lacp-fallback-ab"),
		.active = KEY("bond-active-members"),
		.standby = KEY("bond-standby-members"),
		.unused = KEY("bond-unused-members"),
#undef KEY
	};
	s->members = port_ifaces(ctl, row, &s->n_members);
}

/* In the order of the members. */
static const char **read_port_ids(struct ctl *ctl,
				  const struct bond_settings *s)
{
	static const char *const columns[] = { "name", "other_config", NULL };
	const char **ids = xcalloc(s->n_members, sizeof(*ids));

	for (size_t i = 0; i < s->n_members; i++) {
		struct view_row *iface = view_by_name(
			ctl->view, "Interface", "name", s->members[i], columns);

		if (iface)
			ids[i] = view_get_key(iface, "other_config",
					      "lacp-port-id");
	}
	return ids;
}

static void check_row(struct ctl *ctl, struct view_row *row)
{
	struct bond_settings settings;
	char *why;

	if (!row->inserted)
		view_fetch(ctl->view, "Port",
			   view_where("_uuid", "==", value_uuid(row->uuid)),
			   bond_columns);
	read_settings(ctl, row, &settings);
	if (settings.n_members > 1 && has_lacp(&settings))
		settings.port_ids = read_port_ids(ctl, &settings);
	why = bond_settings_check(&settings);
	if (why)
		ctl_fatal_error(why);
	/* Somebody else may change the other half meanwhile. */
	for (size_t c = 1; is_bond(&settings) && bond_columns[c]; c++)
		view_verify(row, bond_columns[c]);
	free(settings.port_ids);
	free(settings.members);
}

void bond_check(struct ctl *ctl)
{
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		struct view_row *port = NULL;

		if (is_touched(row))
			port = row;
		else if (is_touched_member(row))
			port = iface_port(ctl, view_get_string(row, "name"));
		if (port)
			check_row(ctl, port);
	}
}

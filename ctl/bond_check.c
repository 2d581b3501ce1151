/* Rows of bonds that the commands have changed, as settings (bond_check.h). */
#include "ctl/bond_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/ctl.h"
#include "ctl/value.h"
#include "ctl/view.h"

static const char *const bond_columns[] = { "name",	    "interfaces",
					    "bond_mode",    "lacp",
					    "bond_updelay", "bond_downdelay",
					    "other_config", NULL };

/* What concerns bonds is changed in a row, not its tag alone. */
static bool is_touched(const struct view_row *row)
{
	if (row->deleted || strcmp(row->table, "Port"))
		return false;
	for (size_t c = 1; bond_columns[c]; c++)
		if (view_is_changed(row, bond_columns[c]))
			return true;
	return view_is_changed(row, "bond_active_slave");
}

/* A member's own settings: its port is looked at. */
static bool is_touched_member(struct view_row *row)
{
	return !row->deleted && !strcmp(row->table, "Interface") &&
	       view_is_changed(row, "other_config") &&
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
		.lacp_time = KEY("lacp-time"),
		.active = KEY("bond-active-members"),
		.standby = KEY("bond-standby-members"),
		.unused = KEY("bond-unused-members"),
#undef KEY
	};
	/* vswd writes it, too: only what this command line sets matters. */
	if (view_is_changed(row, "bond_active_slave"))
		s->active_mac = optional(row, "bond_active_slave");
	s->members = port_ifaces(ctl, row, &s->n_members);
}

/* Interfaces that the commands delete. */
static void find_leaving(struct ctl *ctl, struct bond_settings *s)
{
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (!row->deleted || strcmp(row->table, "Interface"))
			continue;
		s->leaving = xrealloc(s->leaving,
				      (s->n_leaving + 1) * sizeof(*s->leaving));
		s->leaving[s->n_leaving++] = view_get_string(row, "name");
	}
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
	char *why, *doubt;

	if (!row->inserted)
		view_fetch(ctl->view, "Port",
			   view_where("_uuid", "==", value_uuid(row->uuid)),
			   bond_columns);
	read_settings(ctl, row, &settings);
	if (settings.n_members > 1 && settings.lacp)
		settings.port_ids = read_port_ids(ctl, &settings);
	find_leaving(ctl, &settings);
	why = bond_settings_check(&settings);
	if (why)
		ctl_fatal_error(why);
	doubt = bond_settings_doubt(&settings);
	if (doubt)
		ctl_warn_later(ctl, doubt);
	/* Somebody else may change the other half meanwhile. */
	for (size_t c = 1;
	     bond_settings_are_bonds(&settings) && bond_columns[c]; c++)
		view_verify(row, bond_columns[c]);
	free(settings.leaving);
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

#include "ctl/effective.h"

#include <string.h>

#include "ctl/group_check.h"
#include "ctl/value.h"
#include "ctl/view.h"

static const char *const port_columns[] = { "name", "interfaces",
					    "other_config", "qos", NULL };

bool effective_is_none(const char *value)
{
	return !*value || !strcmp(value, "none");
}

const char *effective_get(struct ctl *ctl, struct view_row *row,
			  const char *key)
{
	const char *own = view_get_key(row, "other_config", key);
	const char *name =
		strcmp(row->table, "Port") ? NULL : group_of_port(row);
	struct view_row *group = own || !name ? NULL : group_find(ctl, name);

	return group ? view_get_key(group, "other_config", key) : own;
}

const char *effective_origin(struct view_row *row, const char *key)
{
	return view_get_key(row, "other_config", key) ? "" : " of its group";
}

static void check_members(struct ctl *ctl, struct view_row *group,
			  void (*check)(struct ctl *ctl, struct view_row *port))
{
	const char *name = view_get_string(group, "name");
	struct view_row *port = NULL;

	view_fetch(ctl->view, "Port",
		   view_where("other_config", "includes",
			      json_pack("[s, [[s, s]]]", "map", "port-group",
					name)),
		   port_columns);
	while ((port = view_next(ctl->view, "Port", port))) {
		const char *of = group_of_port(port);

		if (of && !strcmp(of, name))
			check(ctl, port);
	}
}

void effective_each_port(struct ctl *ctl, const char *column,
			 void (*check)(struct ctl *ctl, struct view_row *port))
{
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (row->deleted || (!view_is_changed(row, "other_config") &&
				     !view_is_changed(row, column)))
			continue;
		if (!strcmp(row->table, "Port_Group")) {
			check_members(ctl, row, check);
		} else if (!strcmp(row->table, "Port")) {
			if (!row->inserted)
				view_fetch(ctl->view, "Port",
					   view_where("_uuid", "==",
						      value_uuid(row->uuid)),
					   port_columns);
			check(ctl, row);
		}
	}
}

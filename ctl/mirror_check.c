#include "ctl/mirror_check.h"

#include <string.h>

#include "ctl/ctl.h"
#include "ctl/value.h"
#include "ctl/view.h"

const char *const mirror_columns[] = {
	"name",	       "select_all",  "select_src_port", "select_dst_port",
	"select_vlan", "output_port", "output_vlan",	 "snaplen",
	NULL
};

/* Somebody has made or changed it. */
static bool is_touched(const struct view_row *row)
{
	return !strcmp(row->table, "Mirror") && !row->deleted &&
	       (row->inserted || json_object_size(row->set) ||
		json_array_size(row->mutated));
}

static const char *port_name(struct view_row *row, const char *uuid)
{
	struct view_row *port = view_by_uuid(
		row->view, "Port", uuid, (const char *const[]){ "name", NULL });

	return port ? view_get_string(port, "name") : uuid;
}

/* The only element of output_port, or NULL. */
static const char *output_of(struct view_row *row)
{
	json_t *ports = view_get_set(row, "output_port");
	const char *uuid =
		json_string_value(json_array_get(json_array_get(ports, 0), 1));

	/* The row keeps what it points to. */
	json_decref(ports);
	return uuid;
}

static void check_output(struct view_row *row, const char *output)
{
	const char *name = view_get_string(row, "name");
	json_int_t vlan = 0;
	bool has_vlan = view_get_integer(row, "output_vlan", &vlan);

	if (output && has_vlan)
		ctl_fatal("mirror %s: output_port %s and output_vlan %lld "
			  "contradict each other; a mirror has one of them",
			  name, port_name(row, output), (long long)vlan);
}

/* Whether the Mirror's column has the Port. */
static bool selects(struct view_row *row, const char *column, const char *uuid)
{
	json_t *ports = view_get_set(row, column), *one;
	bool found = false;
	size_t i;

	json_array_foreach(ports, i, one)
		if (!strcmp(json_string_value(json_array_get(one, 1)), uuid))
			found = true;
	json_decref(ports);
	return found;
}

/* An output port is no port to any mirror. */
static void check_selected(struct view_row *row, struct view_row *keeper,
			   const char *output)
{
	static const char *const columns[] = { "select_src_port",
					       "select_dst_port" };

	for (size_t i = 0; output && i < ARRAY_SIZE(columns); i++) {
		if (!selects(row, columns[i], output))
			continue;
		if (row == keeper)
			ctl_fatal("mirror %s: output_port and %s are both port "
				  "%s, by which only its copies would pass",
				  view_get_string(row, "name"), columns[i],
				  port_name(row, output));
		ctl_fatal("mirror %s: %s has port %s, which is the output_port "
			  "of mirror %s: only copies pass there",
			  view_get_string(row, "name"), columns[i],
			  port_name(row, output),
			  view_get_string(keeper, "name"));
	}
}

void mirror_check(struct ctl *ctl)
{
	bool any = false;

	for (struct view_row *row = view_first(ctl->view); row; row = row->next)
		any |= is_touched(row);
	if (!any)
		return;
	view_fetch(ctl->view, "Mirror", json_array(), mirror_columns);
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		struct view_row *other = NULL;

		if (!is_touched(row))
			continue;
		check_output(row, output_of(row));
		while ((other = view_next(ctl->view, "Mirror", other))) {
			check_selected(row, other, output_of(other));
			check_selected(other, row, output_of(row));
		}
	}
}

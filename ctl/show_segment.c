/*
 * A bridge's segment as "show" shows it. Its tables are asked for only where
 * there is one: a server may not have them.
 */
#include "ctl/show.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/cmd.h"
#include "ctl/forward_text.h"
#include "ctl/record.h"
#include "ctl/segment_check.h"
#include "ctl/segment_rules.h"
#include "ctl/value.h"

static void show_forward(struct ctl_command *cmd, struct view_row *row,
			 int depth, json_t *into)
{
	const char *error = view_get_string(row, "error");
	json_t *object = into ? json_object() : NULL;
	struct segment_forward f;
	char *from, *to;
	long port;

	segment_read_forward(row, &f);
	port = f.inside_port ? f.inside_port : f.outside_lo;
	from = segment_forward_text(&f);
	to = forward_end_text(f.inside_address, port,
			      port + f.outside_hi - f.outside_lo);
	fprintf(cmd->out, "%*sForward %s to %s\n", depth * 4, "", from, to);
	if (into) {
		json_object_set_new(object, "from", json_string(from));
		json_object_set_new(object, "to", json_string(to));
	}
	if (*error)
		show_text(cmd, depth + 1, object, "error", error);
	if (into)
		json_array_append_new(into, object);
	free(from);
	free(to);
}

static void show_forwards(struct ctl_command *cmd, struct view_row *segment,
			  int depth, json_t *into)
{
	json_t *list = into ? json_array() : NULL;
	struct view_row **rows;
	size_t n;

	rows = segment_forwards(segment, &n);
	for (size_t i = 0; i < n; i++)
		show_forward(cmd, rows[i], depth, list);
	if (n && into)
		json_object_set(into, "forwards", list);
	json_decref(list);
	free(rows);
}

void show_segment(struct ctl_command *cmd, struct view_row *bridge, int depth,
		  json_t *into)
{
	static const char *const columns[] = { "subnet",   "subnet6",
					       "isolated", "static_leases",
					       "options",  "error" };
	const struct ovsdb_table_schema *table;
	struct view_row *row;
	const char *type;
	json_t *object;

	/* A server without the column has no value of it, either. */
	row = segment_of_bridge(cmd->ctl, bridge);
	if (!row)
		return;
	view_want(cmd->ctl->view, "Segment", json_array(), NULL);
	view_fetch(cmd->ctl->view, "Forward", json_array(), NULL);
	table = record_table(cmd->ctl, "Segment");
	object = into ? json_object() : NULL;
	type = view_get_string(row, "type");
	fprintf(cmd->out, "%*sSegment %s\n", depth * 4, "", type);
	if (into)
		json_object_set_new(object, "type", json_string(type));
	if (!strcmp(type, "nat")) {
		const char *outside = view_get_string(row, "outside");

		show_text(cmd, depth + 1, object, "outside",
			  *outside ? outside : "host");
	}
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		show_value(cmd, row, record_column(table, columns[i], false),
			   depth + 1, object);
	show_forwards(cmd, row, depth + 1, object);
	if (into)
		json_object_set_new(into, "segment", object);
}

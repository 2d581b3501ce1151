/* Changed segments, found in the view and looked at (segment_check.h). */
#include "ctl/segment_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/segment_rules.h"
#include "ctl/value.h"
#include "ctl/view.h"

const char *const segment_columns[] = { "name",	    "type",	     "subnet",
					"subnet6",  "outside",	     "isolated",
					"forwards", "static_leases", "options",
					NULL };
const char *const forward_columns[] = { "protocol",
					"outside_address",
					"outside_port",
					"outside_port_last",
					"inside_address",
					"inside_port",
					NULL };
static const char *const bridge_columns[] = { "name", "segment", NULL };

/* All segments that a bridge has. */
struct segments {
	struct view_row **rows, **bridges;
	struct segment_plan *plans; /* of rows, in their order */
	size_t n;
};

/* What is only taken away makes nothing wrong that was right. */
static bool has_more(const struct view_row *row, const char *column)
{
	const json_t *m;
	size_t i;

	json_array_foreach(row->mutated, i, m) {
		const char *name = json_string_value(json_array_get(m, 0));
		const char *how = json_string_value(json_array_get(m, 1));

		if (strcmp(how, "delete") && (!column || !strcmp(name, column)))
			return true;
	}
	return false;
}

static bool is_changed(const struct view_row *row)
{
	return !row->deleted && (row->inserted || json_object_size(row->set) ||
				 has_more(row, NULL));
}

static bool is_touched(const struct view_row *row, const char *table)
{
	return is_changed(row) && !strcmp(row->table, table);
}

/* Its reference to a segment alone, not its ports. */
static bool is_touched_bridge(const struct view_row *row)
{
	return is_touched(row, "Bridge") &&
	       (json_object_get(row->set, "segment") ||
		has_more(row, "segment"));
}

static bool anything_touched(struct view *view)
{
	for (struct view_row *row = view_first(view); row; row = row->next)
		if (is_touched(row, "Segment") || is_touched(row, "Forward") ||
		    is_touched_bridge(row))
			return true;
	return false;
}

struct view_row *segment_of_bridge(struct ctl *ctl, struct view_row *bridge)
{
	json_t *uuids = view_get_set(bridge, "segment");
	const char *uuid =
		json_string_value(json_array_get(json_array_get(uuids, 0), 1));
	struct view_row *row =
		uuid ? view_by_uuid(ctl->view, "Segment", uuid, segment_columns)
		     : NULL;

	json_decref(uuids);
	return row;
}

/* --- rows as plans -------------------------------------------------------- */

/* An optional string, or NULL. */
static const char *optional(struct view_row *row, const char *column)
{
	return json_string_value(view_get(row, column));
}

static long integer(struct view_row *row, const char *column, long otherwise)
{
	json_int_t n;

	return view_get_integer(row, column, &n) ? (long)n : otherwise;
}

/* The row keeps the strings. */
static struct segment_pair *read_map(struct view_row *row, const char *column,
				     size_t *n)
{
	json_t *pairs = value_sorted_pairs(view_get(row, column)), *pair;
	struct segment_pair *list =
		xcalloc(json_array_size(pairs) + 1, sizeof(*list));
	size_t i;

	json_array_foreach(pairs, i, pair) {
		list[i].key = json_string_value(json_array_get(pair, 0));
		list[i].value = json_string_value(json_array_get(pair, 1));
	}
	*n = json_array_size(pairs);
	json_decref(pairs);
	return list;
}

void segment_read_forward(struct view_row *row, struct segment_forward *f)
{
	*f = (struct segment_forward){
		.protocol = view_get_string(row, "protocol"),
		.outside_address = optional(row, "outside_address"),
		.outside_lo = integer(row, "outside_port", 0),
		.inside_address = view_get_string(row, "inside_address"),
		.inside_port = integer(row, "inside_port", 0),
	};
	f->outside_hi = integer(row, "outside_port_last", f->outside_lo);
	/* The enum's first value is what a new row has. */
	if (!*f->protocol)
		f->protocol = "tcp";
}

/* New ones stand last, so that a message is about the new one of two. */
static struct segment_forward *read_forwards(struct ctl *ctl,
					     struct view_row *row, size_t *n)
{
	json_t *uuids = view_get_set(row, "forwards"), *element;
	struct segment_forward *list;
	struct view_row *f = NULL;

	list = xcalloc(json_array_size(uuids) + 1, sizeof(*list));
	*n = 0;
	for (int inserted = 0; inserted < 2; inserted++) {
		while ((f = view_next(ctl->view, "Forward", f))) {
			element = value_uuid(f->uuid);
			if (f->inserted == inserted &&
			    value_contains(view_get(row, "forwards"), element))
				segment_read_forward(f, &list[(*n)++]);
			json_decref(element);
		}
	}
	json_decref(uuids);
	return list;
}

static void read_plan(struct ctl *ctl, struct view_row *row,
		      struct segment_plan *p)
{
	*p = (struct segment_plan){
		.name = view_get_string(row, "name"),
		.type = view_get_string(row, "type"),
		.subnet = optional(row, "subnet"),
		.subnet6 = optional(row, "subnet6"),
		.outside = optional(row, "outside"),
	};
	if (!*p->type)
		p->type = "bridged"; /* the enum's first value */
	p->options = read_map(row, "options", &p->n_options);
	p->leases = read_map(row, "static_leases", &p->n_leases);
	p->forwards = read_forwards(ctl, row, &p->n_forwards);
}

/* Those that no bridge has (any more) are gone with the transaction. */
static void read_all(struct ctl *ctl, struct segments *all)
{
	struct view_row *bridge = NULL, *row;

	view_want(ctl->view, "Segment", json_array(), segment_columns);
	view_want(ctl->view, "Forward", json_array(), forward_columns);
	view_fetch(ctl->view, "Bridge", json_array(), bridge_columns);
	memset(all, 0, sizeof(*all));
	while ((bridge = view_next(ctl->view, "Bridge", bridge))) {
		row = segment_of_bridge(ctl, bridge);
		if (!row)
			continue;
		all->rows = xrealloc(all->rows,
				     (all->n + 1) * sizeof(struct view_row *));
		all->bridges = xrealloc(
			all->bridges, (all->n + 1) * sizeof(struct view_row *));
		all->plans = xrealloc(all->plans,
				      (all->n + 1) * sizeof(*all->plans));
		all->rows[all->n] = row;
		all->bridges[all->n] = bridge;
		read_plan(ctl, row, &all->plans[all->n++]);
	}
}

static void free_all(struct segments *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free((void *)all->plans[i].options);
		free((void *)all->plans[i].leases);
		free((void *)all->plans[i].forwards);
	}
	free(all->plans);
	free(all->bridges);
	free(all->rows);
}

/* --- looking at them ------------------------------------------------------ */

/* Expects what is changed of a segment's forwards; whether any is. */
static bool expect_forwards(struct ctl *ctl, struct view_row *row,
			    const struct segment_plan *plan)
{
	struct view_row *f = NULL;
	struct segment_forward forward;
	bool any = false;

	while ((f = view_next(ctl->view, "Forward", f))) {
		json_t *element = value_uuid(f->uuid);
		char *text;

		if (is_changed(f) &&
		    value_contains(view_get(row, "forwards"), element)) {
			segment_read_forward(f, &forward);
			text = segment_forward_text(&forward);
			ctl_expect_row(ctl, f, xasprintf("forward %s", text),
				       xasprintf("del-forward %s %s",
						 plan->name, text));
			free(text);
			any = true;
		}
		json_decref(element);
	}
	return any;
}

static void check_name(const struct segment_plan *plan, struct view_row *bridge)
{
	const char *name = view_get_string(bridge, "name");

	if (strcmp(plan->name, name))
		ctl_fatal("the segment of bridge %s has the name \"%s\"; it "
			  "must be the bridge's: set its column name=%s",
			  name, plan->name, name);
}

static void check_one(struct ctl *ctl, const struct segments *all, size_t i)
{
	const struct segment_plan *plan = &all->plans[i];
	struct segment_plan *others = xcalloc(all->n, sizeof(*others));
	char *text;

	memcpy(others, all->plans, i * sizeof(*others));
	memcpy(others + i, plan + 1, (all->n - 1 - i) * sizeof(*others));
	text = segment_plan_check(plan, others, all->n - 1);
	free(others);
	if (text)
		ctl_fatal_error(text);
	text = segment_plan_doubt(plan);
	if (text)
		ctl_warn_later(ctl, text);
	/* Somebody else may change the other half meanwhile. */
	for (size_t c = 0; segment_columns[c]; c++)
		view_verify(all->rows[i], segment_columns[c]);
}

void segment_check(struct ctl *ctl)
{
	struct segments all;

	if (!anything_touched(ctl->view))
		return;
	read_all(ctl, &all);
	for (size_t i = 0; i < all.n; i++) {
		bool own = is_changed(all.rows[i]) ||
			   is_touched_bridge(all.bridges[i]);

		if (own)
			check_name(&all.plans[i], all.bridges[i]);
		if (own)
			ctl_expect_row(
				ctl, all.rows[i],
				xasprintf("segment %s", all.plans[i].name),
				xasprintf("del-segment %s", all.plans[i].name));
		if (expect_forwards(ctl, all.rows[i], &all.plans[i]) || own)
			check_one(ctl, &all, i);
	}
	free_all(&all);
}

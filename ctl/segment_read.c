/* Rows of Segment and Forward as plans (segment_read.h). */
#include "ctl/segment_read.h"

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
bool segment_row_has_more(const struct view_row *row, const char *column)
{
	const json_t *m;
	size_t i;

	json_array_foreach(row->mutated, i, m) {
		const char *name = json_string_value(json_array_get(m, 0));
		const char *how = json_string_value(json_array_get(m, 1));

		if ((strcmp(how, "delete") || !strcmp(name, "options")) &&
		    (!column || !strcmp(name, column)))
			return true;
	}
	return false;
}

bool segment_row_is_changed(const struct view_row *row)
{
	return !row->deleted && (row->inserted || json_object_size(row->set) ||
				 segment_row_has_more(row, NULL));
}

/* --- columns -------------------------------------------------------------- */

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

static bool has_pair(const json_t *pairs, const json_t *pair)
{
	const json_t *other;
	size_t i;

	json_array_foreach(pairs, i, other)
		if (json_equal(other, pair))
			return true;
	return false;
}

/* The row keeps the strings. */
static struct segment_pair *read_map(struct view_row *row, const char *column,
				     size_t *n)
{
	json_t *pairs = value_sorted_pairs(view_get(row, column)), *pair;
	json_t *old = value_elements(json_object_get(row->base, column));
	struct segment_pair *list =
		xcalloc(json_array_size(pairs) + 1, sizeof(*list));
	size_t i;

	*n = 0;
	for (int is_new = 0; is_new < 2; is_new++) {
		json_array_foreach(pairs, i, pair) {
			if (!has_pair(old, pair) != is_new)
				continue;
			list[*n].key =
				json_string_value(json_array_get(pair, 0));
			list[(*n)++].value =
				json_string_value(json_array_get(pair, 1));
		}
	}
	json_decref(old);
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

/* --- rows ----------------------------------------------------------------- */

/* A row as it was fetched; it shares the original's values. */
static struct view_row without_changes(const struct view_row *row)
{
	struct view_row copy = *row;

	copy.set = copy.mutated = copy.folded = NULL;
	return copy;
}

static struct segment_forward *read_forwards(struct ctl *ctl,
					     struct view_row *row, bool before,
					     size_t *n)
{
	json_t *uuids = view_get_set(row, "forwards"), *element;
	struct segment_forward *list;
	struct view_row *f = NULL, as_fetched;

	list = xcalloc(json_array_size(uuids) + 1, sizeof(*list));
	*n = 0;
	for (int changed = 0; changed < 2; changed++) {
		while ((f = view_next(ctl->view, "Forward", f))) {
			if (segment_row_is_changed(f) != changed)
				continue;
			element = value_uuid(f->uuid);
			as_fetched = without_changes(f);
			if (value_contains(view_get(row, "forwards"), element))
				segment_read_forward(before ? &as_fetched : f,
						     &list[(*n)++]);
			json_decref(element);
		}
	}
	json_decref(uuids);
	return list;
}

static void read_plan(struct ctl *ctl, struct view_row *row, bool before,
		      struct segment_plan *p)
{
	*p = (struct segment_plan){
		.name = view_get_string(row, "name"),
		.type = view_get_string(row, "type"),
		.subnet = optional(row, "subnet"),
		.subnet6 = optional(row, "subnet6"),
		.outside = optional(row, "outside"),
		.isolated = view_get_bool(row, "isolated"),
	};
	if (!*p->type)
		p->type = "bridged"; /* the enum's first value */
	p->options = read_map(row, "options", &p->n_options);
	p->leases = read_map(row, "static_leases", &p->n_leases);
	p->forwards = read_forwards(ctl, row, before, &p->n_forwards);
}

void segment_plan_read(struct ctl *ctl, struct view_row *row,
		       struct segment_plan *plan)
{
	read_plan(ctl, row, false, plan);
}

bool segment_plan_read_before(struct ctl *ctl, struct view_row *row,
			      struct segment_plan *plan)
{
	struct view_row as_fetched = without_changes(row);

	if (row->inserted)
		return false;
	read_plan(ctl, &as_fetched, true, plan);
	return true;
}

void segment_plan_free(struct segment_plan *plan)
{
	free((void *)plan->options);
	free((void *)plan->leases);
	free((void *)plan->forwards);
}

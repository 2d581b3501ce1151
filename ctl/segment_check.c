/* Changed segments, found in the view and looked at (segment_check.h). */
#include "ctl/segment_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/segment_read.h"
#include "ctl/segment_rules.h"
#include "ctl/value.h"
#include "ctl/view.h"

static const char *const bridge_columns[] = { "name", "segment", NULL };

/* All segments that a bridge has. */
struct segments {
	struct view_row **rows, **bridges;
	struct segment_plan *plans; /* of rows, in their order */
	size_t n;
};

static bool is_touched(const struct view_row *row, const char *table)
{
	return segment_row_is_changed(row) && !strcmp(row->table, table);
}

/* Its reference to a segment alone, not its ports. */
static bool is_touched_bridge(const struct view_row *row)
{
	return is_touched(row, "Bridge") &&
	       (json_object_get(row->set, "segment") ||
		segment_row_has_more(row, "segment"));
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

/* --- all of them ---------------------------------------------------------- */

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
		segment_plan_read(ctl, row, &all->plans[all->n++]);
	}
}

static void free_all(struct segments *all)
{
	for (size_t i = 0; i < all->n; i++)
		segment_plan_free(&all->plans[i]);
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

		if (segment_row_is_changed(f) &&
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
	struct segment_plan before;
	bool was_there = segment_plan_read_before(ctl, all->rows[i], &before);
	char *text;

	memcpy(others, all->plans, i * sizeof(*others));
	memcpy(others + i, plan + 1, (all->n - 1 - i) * sizeof(*others));
	text = segment_plan_check_change(plan, was_there ? &before : NULL,
					 others, all->n - 1);
	free(others);
	if (was_there)
		segment_plan_free(&before);
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
		bool own = segment_row_is_changed(all.rows[i]) ||
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

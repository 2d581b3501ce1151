/* Rows of the view: their values under the pending changes, and changing them.
 */
#include "ctl/view.h"

#include <string.h>

#include "ctl/value.h"
#include "ctl/view_private.h"

static json_t *fold(struct view_row *row, const char *column, json_t *value)
{
	json_t *mutation, *folded;
	size_t i;

	if (!json_array_size(row->mutated))
		return value;
	folded = json_incref(value);
	json_array_foreach(row->mutated, i, mutation) {
		json_t *old = folded;

		if (strcmp(json_string_value(json_array_get(mutation, 0)),
			   column))
			continue;
		folded = value_mutate(
			old, json_string_value(json_array_get(mutation, 1)),
			json_array_get(mutation, 2));
		json_decref(old);
	}
	if (folded)
		json_object_set_new(row->folded, column, folded);
	return folded;
}

static json_t *base_value(struct view_row *row, const char *column)
{
	json_t *value = json_object_get(row->base, column);

	if (value || row->inserted || row->complete)
		return value;
	view_fetch(row->view, row->table,
		   view_where("_uuid", "==", value_uuid(row->uuid)),
		   (const char *const[]){ column, NULL });
	return json_object_get(row->base, column);
}

json_t *view_get(struct view_row *row, const char *column)
{
	json_t *value = json_object_get(row->set, column);

	if (!value)
		value = json_object_get(row->folded, column);
	if (!value)
		value = fold(row, column, base_value(row, column));
	return value;
}

json_t *view_peek(struct view_row *row, const char *column)
{
	if (json_object_get(row->set, column) ||
	    json_object_get(row->base, column))
		return view_get(row, column);
	return NULL;
}

const char *view_get_string(struct view_row *row, const char *column)
{
	const char *s = json_string_value(view_get(row, column));

	return s ? s : "";
}

bool view_get_bool(struct view_row *row, const char *column)
{
	return json_is_true(view_get(row, column));
}

json_t *view_get_set(struct view_row *row, const char *column)
{
	return value_elements(view_get(row, column));
}

bool view_get_integer(struct view_row *row, const char *column, json_int_t *n)
{
	json_t *elements = view_get_set(row, column);
	json_t *first = json_array_get(elements, 0);
	bool there = json_is_integer(first);

	if (there)
		*n = json_integer_value(first);
	json_decref(elements);
	return there;
}

const char *view_get_key(struct view_row *row, const char *column,
			 const char *key)
{
	json_t *pairs = view_get_set(row, column), *pair;
	const char *value = NULL;
	size_t i;

	json_array_foreach(pairs, i, pair) {
		const char *k = json_string_value(json_array_get(pair, 0));

		if (k && !strcmp(k, key))
			value = json_string_value(json_array_get(pair, 1));
	}
	json_decref(pairs); /* the row still holds the strings */
	return value;
}

/* --- changes -------------------------------------------------------------- */

struct view_row *view_insert_uuid(struct view *view, const char *table,
				  const struct uuid *uuid)
{
	char text[UUID_LEN + 1];
	struct view_row *row =
		view_add_row(view, table, uuid_format(uuid, text));

	row->inserted = true;
	return row;
}

struct view_row *view_insert(struct view *view, const char *table)
{
	struct uuid uuid;

	uuid_generate(&uuid);
	return view_insert_uuid(view, table, &uuid);
}

void view_delete(struct view_row *row, bool erase)
{
	row->deleted = true;
	row->erased = erase;
}

void view_delete_uuid(struct view *view, const char *table, const char *uuid)
{
	struct view_row *row = view_lookup(view, uuid);

	view_delete(row ? row : view_add_row(view, table, uuid), false);
}

static void forget_mutations(struct view_row *row, const char *column)
{
	size_t i = 0;

	while (i < json_array_size(row->mutated)) {
		const json_t *m = json_array_get(row->mutated, i);

		if (!strcmp(json_string_value(json_array_get(m, 0)), column))
			json_array_remove(row->mutated, i);
		else
			i++;
	}
	json_object_del(row->folded, column);
}

void view_set(struct view_row *row, const char *column, json_t *value)
{
	/* What changes nothing is not sent, but must still hold. */
	if (!row->inserted) {
		json_t *base = base_value(row, column);

		if (base && value_equals(base, value)) {
			forget_mutations(row, column);
			json_object_del(row->set, column);
			json_object_set(row->verify, column, base);
			json_decref(value);
			return;
		}
	}
	forget_mutations(row, column);
	json_object_set_new(row->set, column, value);
}

void view_set_string(struct view_row *row, const char *column,
		     const char *value)
{
	view_set(row, column, json_string(value));
}

void view_mutate(struct view_row *row, const char *column, const char *mutator,
		 json_t *value)
{
	json_t *whole = json_object_get(row->set, column);

	if (whole || row->inserted) {
		json_object_set_new(row->set, column,
				    value_mutate(whole, mutator, value));
	} else {
		json_array_append_new(
			row->mutated,
			json_pack("[s, s, O]", column, mutator, value));
		json_object_del(row->folded, column);
	}
	json_decref(value);
}

void view_mutate_uuid(struct view_row *row, const char *column,
		      const char *mutator, const char *uuid)
{
	view_mutate(row, column, mutator,
		    json_pack("[s, [o]]", "set", value_uuid(uuid)));
}

void view_set_key(struct view_row *row, const char *column, const char *key,
		  const char *value)
{
	const char *old = view_get_key(row, column, key);

	if (old ? value && !strcmp(old, value) : !value)
		return;
	if (old)
		view_mutate(row, column, "delete",
			    json_pack("[s, [s]]", "set", key));
	if (value)
		view_mutate(row, column, "insert",
			    json_pack("[s, [[s, s]]]", "map", key, value));
}

void view_verify(struct view_row *row, const char *column)
{
	json_t *base = row->inserted ? NULL : base_value(row, column);

	if (base)
		json_object_set(row->verify, column, base);
}

bool view_is_changed(const struct view_row *row, const char *column)
{
	const json_t *mutation;
	size_t i;

	if (json_object_get(row->set, column))
		return true;
	json_array_foreach(row->mutated, i, mutation)
		if (!strcmp(json_string_value(json_array_get(mutation, 0)),
			    column))
			return true;
	return false;
}

/*
 * The database as one invocation sees it: rows fetched when somebody asks for
 * them, under the changes that the commands so far have made. Nothing here
 * changes the database; transact.c turns the changes into one transaction.
 *
 * Values are kept as JSON in the form of RFC 7047 section 5.1, so that simple
 * commands need no schema. A row that is yet to be inserted has a UUID like any
 * other, so values may refer to it; transact.c writes it as a "named-uuid".
 *
 * Table and column names are those of the schema, and must live as long as the
 * view (literals, or strings of the schema). A refused select ends the program.
 */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include <jansson.h>

#include "base/util.h"
#include "ovsdb-lite/uuid.h"

struct rpc;
struct view;

struct view_row {
	struct view *view;
	const char *table;
	char uuid[UUID_LEN + 1];
	bool inserted;	 /* by this invocation */
	bool named;	 /* inserted, with a UUID that was asked for */
	bool deleted;	 /* by this invocation */
	bool erased;	 /* deleted, and only a delete operation does it */
	bool complete;	 /* all columns of `base` were fetched */
	json_t *base;	 /* the fetched columns */
	json_t *set;	 /* pending: column to whole value */
	json_t *mutated; /* pending: [column, mutator, value] in order */
	json_t *folded;	 /* column to base and mutations in one */
	json_t *verify;	 /* column to the value that must hold at commit */
	struct view_row *next;	    /* of the view */
	struct view_row *hash_next; /* of its hash bucket */
};

struct view *view_create(struct rpc *rpc);
void view_destroy(struct view *view); /* accepts NULL */
/* Forgets all rows and changes, to begin again. */
void view_reset(struct view *view);

/*
 * Queues a select, unless the same was made before; all queued ones go out in
 * one request when the first answer is needed. where is taken over. columns is
 * NULL-terminated and lacks "_uuid"; NULL means all.
 */
void view_want(struct view *view, const char *table, json_t *where,
	       const char *const columns[]);
/* The same, and waits: all rows it found, live or not, are in the view then. */
void view_fetch(struct view *view, const char *table, json_t *where,
		const char *const columns[]);
/* [[column, function, value]], which takes over value. */
json_t *view_where(const char *column, const char *function, json_t *value);
/* Sends what is queued and waits for it. */
void view_flush(struct view *view);

/* The rows of a table that were fetched or inserted and not deleted. */
struct view_row *view_next(struct view *view, const char *table,
			   struct view_row *row);
/* NULL when it is not there. Fetches the columns. */
struct view_row *view_by_uuid(struct view *view, const char *table,
			      const char *uuid, const char *const columns[]);
/* The live row whose column has this string; NULL when there is none. */
struct view_row *view_by_name(struct view *view, const char *table,
			      const char *column, const char *name,
			      const char *const columns[]);
/*
 * The live row whose column, a set or map, refers to uuid; NULL when none does.
 * Fetches those columns, not the set, which may be long.
 */
struct view_row *view_referrer(struct view *view, const char *table,
			       const char *column, const char *uuid,
			       const char *const columns[]);
/* The row of Open_vSwitch, which is inserted if it is missing. */
struct view_row *view_root(struct view *view);

/*
 * The current value, fetched when it was not yet: borrowed, until the next
 * change of the row. NULL in an inserted row whose column is still default.
 */
json_t *view_get(struct view_row *row, const char *column);
/* The same as far as it is known: NULL when the column was not fetched. */
json_t *view_peek(struct view_row *row, const char *column);
/* As text; "" when it is no string. */
const char *view_get_string(struct view_row *row, const char *column);
bool view_get_bool(struct view_row *row, const char *column);
/* An optional integer: whether there is one. */
bool view_get_integer(struct view_row *row, const char *column, json_int_t *n);
/* The elements of a set as an array (new reference). */
json_t *view_get_set(struct view_row *row, const char *column);
/* Whether this invocation has changed the column, perhaps to what it was. */
bool view_is_changed(const struct view_row *row, const char *column);
/* A map's value, or NULL. */
const char *view_get_key(struct view_row *row, const char *column,
			 const char *key);

/* Changes. These take over the references of values. */
struct view_row *view_insert(struct view *view, const char *table);
struct view_row *view_insert_uuid(struct view *view, const char *table,
				  const struct uuid *uuid);
/*
 * The row counts as gone from now on. With `erase` (rows of root tables) the
 * transaction deletes it; other rows go when nothing refers to them any more.
 */
void view_delete(struct view_row *row, bool erase);
/* The same for a row that need not have been fetched. */
void view_delete_uuid(struct view *view, const char *table, const char *uuid);
void view_set(struct view_row *row, const char *column, json_t *value);
void view_set_string(struct view_row *row, const char *column,
		     const char *value);
/* mutator: "insert" or "delete". */
void view_mutate(struct view_row *row, const char *column, const char *mutator,
		 json_t *value);
void view_mutate_uuid(struct view_row *row, const char *column,
		      const char *mutator, const char *uuid);
/* Sets or, with NULL, removes one key of a map from string to string. */
void view_set_key(struct view_row *row, const char *column, const char *key,
		  const char *value);
/* The transaction fails unless the column still has its fetched value. */
void view_verify(struct view_row *row, const char *column);

/* For transact.c: all rows, in the order of coming. */
struct view_row *view_first(struct view *view);

#endif

#include "vswd/db_mirrors.h"

#include <stdlib.h>
#include <string.h>

#include "vswd/columns.h"
#include "vswd/config_mirror.h"

/* They are few: a list will do. */
struct cached {
	struct cached *next;
	struct cfg_mirror *config;
	struct db_row_copy *row;
	bool met; /* by the reading under way */
};

struct db_mirrors {
	struct cached *first;
};

struct db_mirrors *db_mirrors_create(void)
{
	return xcalloc(1, sizeof(struct db_mirrors));
}

static void drop(struct cached **at)
{
	struct cached *c = *at;

	*at = c->next;
	cfg_mirror_unref(c->config);
	db_row_copy_free(c->row);
	free(c);
}

void db_mirrors_forget(struct db_mirrors *mirrors)
{
	while (mirrors->first)
		drop(&mirrors->first);
}

void db_mirrors_destroy(struct db_mirrors *mirrors)
{
	db_mirrors_forget(mirrors);
	free(mirrors);
}

static struct cached **find(struct db_mirrors *mirrors, const struct uuid *uuid)
{
	struct cached **at = &mirrors->first;

	while (*at && !uuid_equals(&(*at)->config->uuid, uuid))
		at = &(*at)->next;
	return at;
}

static struct cfg_mirror *read_one(struct db_mirrors *mirrors,
				   const struct db_columns *columns,
				   const struct ovsdb_client_row *row)
{
	struct cached **at = find(mirrors, &row->uuid), *c;

	if (*at && !db_row_copy_equals(columns, (*at)->row, row))
		drop(at);
	at = find(mirrors, &row->uuid);
	if (!*at) {
		c = xcalloc(1, sizeof(*c));
		c->config = config_read_mirror(columns, row);
		c->row = db_row_copy(columns, row, DB_MIRROR);
		*at = c;
	}
	(*at)->met = true;
	return cfg_mirror_ref((*at)->config);
}

static int compare(const void *a_, const void *b_)
{
	const struct cfg_mirror *const *a = a_, *const *b = b_;
	int order = strverscmp((*a)->name, (*b)->name);

	return order ? order
		     : memcmp(&(*a)->uuid, &(*b)->uuid, sizeof(struct uuid));
}

void db_mirrors_read(struct db_mirrors *mirrors,
		     const struct db_columns *columns,
		     const struct ovsdb_client *client,
		     const struct ovsdb_client_row *row,
		     struct cfg_bridge *bridge)
{
	const struct ovsdb_datum *refs =
		db_get(columns, row, DB_BRIDGE_MIRRORS);

	if (!refs->n)
		return;
	bridge->mirrors = xcalloc(refs->n, sizeof(struct cfg_mirror *));
	for (unsigned i = 0; i < refs->n; i++) {
		const struct ovsdb_client_row *mirror = ovsdb_client_find(
			client, db_table_name(DB_MIRROR), &refs->keys[i].uuid);

		if (mirror)
			bridge->mirrors[bridge->n_mirrors++] =
				read_one(mirrors, columns, mirror);
	}
	qsort(bridge->mirrors, bridge->n_mirrors, sizeof(*bridge->mirrors),
	      compare);
}

void db_mirrors_finish(struct db_mirrors *mirrors)
{
	struct cached **at = &mirrors->first;

	while (*at) {
		if (!(*at)->met) {
			drop(at);
			continue;
		}
		(*at)->met = false;
		at = &(*at)->next;
	}
}

#include "vswd/db_segments.h"

#include <stdlib.h>
#include <string.h>

#include "vswd/db_segments_internal.h"

struct db_segments *db_segments_create(void)
{
	return xcalloc(1, sizeof(struct db_segments));
}

/* --- rows ------------------------------------------------------------------
 */

static void forget_rows(struct segment_item *item)
{
	if (!item->read)
		return;
	for (size_t i = 0; i < item->read->n_forwards; i++)
		db_row_copy_free(item->forwards[i]);
	free(item->forwards);
	item->forwards = NULL;
	db_row_copy_free(item->row);
	item->row = NULL;
	cfg_segment_unref(item->read);
	item->read = NULL;
}

static void forget_item(struct segment_item *item)
{
	forget_rows(item);
	config_segment_ports_unref(&item->ports);
	cfg_segment_unref(item->config);
	cfg_segment_unref(item->good);
	free(item);
}

void db_segments_forget(struct db_segments *segments)
{
	struct segment_item *item;

	while ((item = segments->items)) {
		segments->items = item->next;
		forget_item(item);
	}
}

void db_segments_destroy(struct db_segments *segments)
{
	db_segments_forget(segments);
	free(segments);
}

static struct segment_item *find_item(const struct db_segments *segments,
				      const struct uuid *bridge)
{
	struct segment_item *item = segments->items;

	while (item && !uuid_equals(&item->bridge, bridge))
		item = item->next;
	return item;
}

/* The rows that the column refers to and that are there; *n of them. */
static const struct ovsdb_client_row **find_rows(
	const struct db_columns *columns, const struct ovsdb_client *client,
	const struct ovsdb_client_row *row, enum db_column column,
	enum db_table table, size_t *n)
{
	const struct ovsdb_datum *refs = db_get(columns, row, column);
	const struct ovsdb_client_row **rows =
		xcalloc((size_t)refs->n + 1, sizeof(struct ovsdb_client_row *));

	*n = 0;
	for (unsigned i = 0; i < refs->n; i++) {
		rows[*n] = ovsdb_client_find(client, db_table_name(table),
					     &refs->keys[i].uuid);
		if (rows[*n])
			++*n;
	}
	return rows;
}

static bool is_current(const struct db_columns *columns,
		       const struct segment_item *item,
		       const struct segment_rows *rows)
{
	if (!item->read ||
	    !uuid_equals(&item->read->uuid, &rows->segment->uuid) ||
	    strcmp(item->read->name, rows->bridge) != 0 ||
	    item->read->n_forwards != rows->n_forwards ||
	    !db_row_copy_equals(columns, item->row, rows->segment))
		return false;
	for (size_t i = 0; i < rows->n_forwards; i++)
		if (!uuid_equals(&item->read->forwards[i].uuid,
				 &rows->forwards[i]->uuid) ||
		    !db_row_copy_equals(columns, item->forwards[i],
					rows->forwards[i]))
			return false;
	return true;
}

/* Another row, or bridge, is another segment, which has not worked yet. */
static void forget_good(struct segment_item *item)
{
	if (item->good && (!uuid_equals(&item->good->uuid, &item->read->uuid) ||
			   strcmp(item->good->name, item->read->name) != 0))
		segment_item_set_good(item, NULL);
}

static void read_item(const struct db_columns *columns,
		      struct segment_item *item,
		      const struct segment_rows *rows)
{
	forget_rows(item);
	item->read = config_read_segment(columns, rows);
	forget_good(item);
	item->row = db_row_copy(columns, rows->segment, DB_SEGMENT);
	item->forwards = xcalloc(rows->n_forwards, sizeof(*item->forwards));
	for (size_t i = 0; i < rows->n_forwards; i++)
		item->forwards[i] =
			db_row_copy(columns, rows->forwards[i], DB_FORWARD);
	config_doubt_segment(columns, rows, item->read);
}

void db_segments_read(struct db_segments *segments,
		      const struct db_columns *columns,
		      const struct ovsdb_client *client,
		      const struct ovsdb_client_row *row,
		      const struct cfg_bridge *bridge)
{
	const struct ovsdb_datum *ref = db_get(columns, row, DB_BRIDGE_SEGMENT);
	struct segment_rows rows = { .bridge = bridge->name };
	const struct ovsdb_client_row **forwards, **leases;
	struct segment_item *item = find_item(segments, &row->uuid);

	if (ref->n)
		rows.segment = ovsdb_client_find(
			client, db_table_name(DB_SEGMENT), &ref->keys[0].uuid);
	if (!rows.segment)
		return;
	if (!item) {
		item = xcalloc(1, sizeof(*item));
		item->bridge = row->uuid;
		item->next = segments->items;
		segments->items = item;
	}
	item->seen = true;
	forwards = find_rows(columns, client, rows.segment, DB_SEGMENT_FORWARDS,
			     DB_FORWARD, &rows.n_forwards);
	rows.forwards = forwards;
	if (!is_current(columns, item, &rows)) {
		leases = find_rows(columns, client, rows.segment,
				   DB_SEGMENT_LEASES, DB_LEASE, &rows.n_leases);
		rows.leases = leases;
		read_item(columns, item, &rows);
		segments->changed = true;
		free(leases);
	}
	free(forwards);
}

/* --- those that are gone ----------------------------------------------------
 */

static void sweep(struct db_segments *segments)
{
	struct segment_item **p = &segments->items, *item;

	while ((item = *p)) {
		if (item->seen) {
			item->seen = false;
			p = &item->next;
			continue;
		}
		*p = item->next;
		forget_item(item);
		segments->changed = true;
	}
}

bool db_segments_have_refused(const struct db_segments *segments)
{
	for (const struct segment_item *i = segments->items; i; i = i->next)
		if (i->config && (i->config->error || i->config->refused) &&
		    !i->read->error)
			return true;
	return false;
}

/* --- what they make up -----------------------------------------------------
 */

/* One of a row's. */
static struct cfg_bridge *find_bridge(const struct cfg_switch *config,
				      const char *name)
{
	for (size_t i = 0; i < config->n_bridges; i++)
		if (!config->bridges[i]->made_up &&
		    !strcmp(config->bridges[i]->name, name))
			return config->bridges[i];
	return NULL;
}

static void add_port(struct cfg_bridge *bridge, const struct cfg_port *port)
{
	if (!bridge || !port)
		return;
	bridge->ports = xrealloc(bridge->ports, (bridge->n_ports + 1) *
							sizeof(*bridge->ports));
	bridge->ports[bridge->n_ports++] = cfg_port_ref(port);
}

static void add_to_tree(const struct segment_item *item,
			struct cfg_switch *config)
{
	struct cfg_bridge *own = find_bridge(config, item->config->name);

	if (!own)
		return;
	cfg_segment_unref(own->segment);
	own->segment = cfg_segment_ref(item->config);
	add_port(own, item->ports.inside);
	if (item->ports.outside)
		add_port(find_bridge(config, item->config->uplink.bridge),
			 item->ports.outside);
	if (!item->ports.hostnet)
		return;
	config->bridges =
		xrealloc(config->bridges,
			 (config->n_bridges + 1) * sizeof(*config->bridges));
	config->bridges[config->n_bridges++] =
		config_segment_bridge(item->config, &item->ports);
}

void db_segments_finish(struct db_segments *segments, struct cfg_switch *config)
{
	sweep(segments);
	db_segments_compare(segments, config);
	for (struct segment_item *i = segments->items; i; i = i->next)
		add_to_tree(i, config);
}

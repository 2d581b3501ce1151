#include "vswd/db_view.h"

#include <stdlib.h>
#include <string.h>

#include "vswd/columns.h"
#include "vswd/config_acl.h"
#include "vswd/config_read.h"
#include "vswd/config_read_overlay.h"
#include "vswd/db_groups.h"
#include "vswd/db_mirrors.h"
#include "vswd/db_overlays.h"
#include "vswd/db_port.h"
#include "vswd/db_segments.h"
#include "ovsdb-lite/hmap.h"

/* A port's node, and the rows that it was made of. */
struct cached_port {
	struct hmap_node node; /* by the uuid of the Port row */
	struct cfg_port *config;
	struct db_port_copies *rows;
	unsigned generation; /* of the last reading that met it */
};

/* A bridge's settings are read anew only when its row has changed. */
struct cached_bridge {
	struct hmap_node node;
	struct cfg_bridge *config; /* without ports */
	struct db_row_copy *row;
	unsigned generation;
};

struct db_view {
	struct db_columns *columns;
	struct hmap ports, bridges;
	struct db_acls *acls;
	struct db_segments *segments;
	struct db_overlays *overlays;
	struct db_mirrors *mirrors;
	struct db_groups *groups;
	struct db_port_rows rows;  /* of the port that was read last */
	struct cfg_switch *config; /* without bridges */
	struct db_row_copy *row;
	unsigned generation;
};

struct db_view *db_view_create(void)
{
	struct db_view *view = xcalloc(1, sizeof(*view));

	hmap_init(&view->ports);
	hmap_init(&view->bridges);
	view->acls = db_acls_create();
	view->segments = db_segments_create();
	view->overlays = db_overlays_create();
	view->mirrors = db_mirrors_create();
	view->groups = db_groups_create();
	return view;
}

/* --- ports -----------------------------------------------------------------
 */

static void forget_port(struct db_view *view, struct cached_port *cached)
{
	hmap_remove(&view->ports, &cached->node);
	db_port_copies_free(cached->rows);
	cfg_port_unref(cached->config);
	free(cached);
}

static struct cached_port *find_port(const struct db_view *view,
				     const struct uuid *uuid)
{
	struct hmap_node *node = hmap_first(&view->ports, uuid_hash(uuid));

	for (; node; node = hmap_same(node->next, node->hash)) {
		struct cached_port *c =
			CONTAINER_OF(node, struct cached_port, node);

		if (uuid_equals(&c->config->uuid, uuid))
			return c;
	}
	return NULL;
}

/* With what the port's group says and the rows do not. */
static struct cfg_port *read_merged(const struct db_columns *columns,
				    const struct db_port_rows *rows)
{
	const struct ovsdb_client_row **interfaces =
		xcalloc(rows->n_interfaces, sizeof(*interfaces));
	const struct ovsdb_client_row *port =
		db_merge_port(columns, rows->port, rows->group);
	struct cfg_port *config;

	for (size_t i = 0; i < rows->n_interfaces; i++)
		interfaces[i] = db_merge_interface(columns, rows->interfaces[i],
						   rows->group);
	config =
		config_read_port(columns, port, interfaces, rows->n_interfaces);
	for (size_t i = 0; i < rows->n_interfaces; i++)
		db_merged_free(interfaces[i], rows->interfaces[i]);
	db_merged_free(port, rows->port);
	free(interfaces);
	return config;
}

static struct cached_port *remember_port(struct db_view *view,
					 const struct db_port_rows *rows)
{
	struct cached_port *cached = xcalloc(1, sizeof(*cached));

	cached->config = read_merged(view->columns, rows);
	if (rows->n_macs && cached->config->interfaces[0].overlay)
		config_read_overlay_macs(cached->config, view->columns,
					 rows->macs, rows->n_macs);
	config_read_group(cached->config, view->columns, rows->port,
			  rows->group);
	cached->rows = db_port_copies(view->columns, rows);
	hmap_insert(&view->ports, &cached->node, uuid_hash(&rows->port->uuid));
	return cached;
}

static struct cfg_port *read_port(struct db_view *view,
				  const struct ovsdb_client *client,
				  const struct ovsdb_client_row *port)
{
	struct cached_port *cached = find_port(view, &port->uuid);
	struct db_port_rows *rows = &view->rows;

	db_port_rows_find(rows, view->columns, client, view->groups, port);
	if (cached &&
	    !db_port_copies_are_current(cached->rows, view->columns, rows)) {
		forget_port(view, cached);
		cached = NULL;
	}
	if (!cached)
		cached = remember_port(view, rows);
	cached->generation = view->generation;
	return cfg_port_ref(cached->config);
}

/* --- bridges ---------------------------------------------------------------
 */

static void forget_bridge(struct db_view *view, struct cached_bridge *cached)
{
	hmap_remove(&view->bridges, &cached->node);
	db_row_copy_free(cached->row);
	cfg_bridge_free(cached->config);
	free(cached);
}

static struct cached_bridge *find_bridge(const struct db_view *view,
					 const struct uuid *uuid)
{
	struct hmap_node *node = hmap_first(&view->bridges, uuid_hash(uuid));

	for (; node; node = hmap_same(node->next, node->hash)) {
		struct cached_bridge *c =
			CONTAINER_OF(node, struct cached_bridge, node);

		if (uuid_equals(&c->config->uuid, uuid))
			return c;
	}
	return NULL;
}

/* A copy of the bridge's settings, without ports. */
static struct cfg_bridge *read_settings(struct db_view *view,
					const struct ovsdb_client_row *row)
{
	struct cached_bridge *cached = find_bridge(view, &row->uuid);
	struct cfg_bridge *bridge;

	if (cached && !db_row_copy_equals(view->columns, cached->row, row)) {
		forget_bridge(view, cached);
		cached = NULL;
	}
	if (!cached) {
		cached = xcalloc(1, sizeof(*cached));
		cached->config = config_read_bridge(view->columns, row);
		cached->row = db_row_copy(view->columns, row, DB_BRIDGE);
		hmap_insert(&view->bridges, &cached->node,
			    uuid_hash(&row->uuid));
	}
	cached->generation = view->generation;
	bridge = xmalloc(sizeof(*bridge));
	*bridge = *cached->config;
	bridge->name = xstrdup(bridge->name);
	private_vlans_clone(&bridge->private_vlans,
			    &cached->config->private_vlans);
	return bridge;
}

static struct cfg_bridge *read_bridge(struct db_view *view,
				      const struct ovsdb_client *client,
				      const struct ovsdb_client_row *row)
{
	const struct ovsdb_datum *refs =
		db_get(view->columns, row, DB_BRIDGE_PORTS);
	struct cfg_bridge *bridge = read_settings(view, row);
	const struct ovsdb_client_row *port;

	bridge->ports = xcalloc(refs->n, sizeof(struct cfg_port *));
	for (unsigned i = 0; i < refs->n; i++) {
		port = ovsdb_client_find(client, db_table_name(DB_PORT),
					 &refs->keys[i].uuid);
		if (port)
			bridge->ports[bridge->n_ports++] =
				read_port(view, client, port);
	}
	db_segments_read(view->segments, view->columns, client, row, bridge);
	db_mirrors_read(view->mirrors, view->columns, client, row, bridge);
	return bridge;
}

static int compare_bridges(const void *a_, const void *b_)
{
	const struct cfg_bridge *const *a = a_, *const *b = b_;

	return strcmp((*a)->name, (*b)->name);
}

/* --- the switch ------------------------------------------------------------
 */

static struct cfg_switch *read_switch(struct db_view *view,
				      const struct ovsdb_client_row *row)
{
	struct cfg_switch *config;

	if (view->config &&
	    (!uuid_equals(&view->config->uuid, &row->uuid) ||
	     !db_row_copy_equals(view->columns, view->row, row))) {
		cfg_switch_free(view->config);
		db_row_copy_free(view->row);
		view->config = NULL;
	}
	if (!view->config) {
		view->config = config_read_switch(view->columns, row);
		view->row = db_row_copy(view->columns, row, DB_SWITCH);
	}
	config = xmalloc(sizeof(*config));
	*config = *view->config;
	config->settings =
		cfg_options_clone(config->settings, config->n_settings);
	config->next_cfg =
		db_get_integer(view->columns, row, DB_SWITCH_NEXT_CFG, 0);
	config->cur_cfg =
		db_get_integer(view->columns, row, DB_SWITCH_CUR_CFG, 0);
	number_pairs_clone(&config->worker_cores, &view->config->worker_cores);
	return config;
}

/* Forgets what this reading has not met; all of it with `all`. */
static void sweep(struct db_view *view, bool all)
{
	struct hmap_node *node, *next;

	for (node = hmap_next(&view->ports, NULL); node; node = next) {
		struct cached_port *c =
			CONTAINER_OF(node, struct cached_port, node);

		next = hmap_next(&view->ports, node);
		if (all || c->generation != view->generation)
			forget_port(view, c);
	}
	for (node = hmap_next(&view->bridges, NULL); node; node = next) {
		struct cached_bridge *c =
			CONTAINER_OF(node, struct cached_bridge, node);

		next = hmap_next(&view->bridges, node);
		if (all || c->generation != view->generation)
			forget_bridge(view, c);
	}
}

void db_view_forget(struct db_view *view)
{
	sweep(view, true);
	db_acls_forget(view->acls);
	db_segments_forget(view->segments);
	db_overlays_forget(view->overlays);
	db_mirrors_forget(view->mirrors);
	db_port_rows_fini(&view->rows);
	db_groups_forget(view->groups);
	cfg_switch_free(view->config);
	view->config = NULL;
	db_row_copy_free(view->row);
	view->row = NULL;
	db_columns_destroy(view->columns);
	view->columns = NULL;
}

void db_view_destroy(struct db_view *view)
{
	if (!view)
		return;
	db_view_forget(view);
	hmap_destroy(&view->ports);
	hmap_destroy(&view->bridges);
	db_acls_destroy(view->acls);
	db_segments_destroy(view->segments);
	db_overlays_destroy(view->overlays);
	db_mirrors_destroy(view->mirrors);
	db_groups_destroy(view->groups);
	free(view);
}

struct cfg_switch *db_view_read(struct db_view *view,
				const struct ovsdb_client *client)
{
	const struct ovsdb_schema *schema = ovsdb_client_schema(client);
	const struct ovsdb_client_row *row, *bridge;
	const struct ovsdb_datum *refs;
	struct cfg_switch *config;

	if (!schema)
		return NULL;
	if (!db_columns_fit(view->columns, schema)) {
		db_view_forget(view);
		view->columns = db_columns_create(schema);
	}
	row = ovsdb_client_next(client, db_table_name(DB_SWITCH), NULL);
	if (!row)
		return NULL;
	view->generation++;
	db_groups_forget(view->groups);
	config = read_switch(view, row);
	refs = db_get(view->columns, row, DB_SWITCH_BRIDGES);
	config->bridges = xcalloc(refs->n, sizeof(struct cfg_bridge *));
	for (unsigned i = 0; i < refs->n; i++) {
		bridge = ovsdb_client_find(client, db_table_name(DB_BRIDGE),
					   &refs->keys[i].uuid);
		if (bridge)
			config->bridges[config->n_bridges++] =
				read_bridge(view, client, bridge);
	}
	db_acls_read(view->acls, view->columns, client, config);
	db_segments_finish(view->segments, config);
	db_overlays_finish(view->overlays, config);
	db_mirrors_finish(view->mirrors);
	qsort(config->bridges, config->n_bridges, sizeof(*config->bridges),
	      compare_bridges);
	sweep(view, false);
	return config;
}

bool db_view_is_waiting(const struct db_view *view)
{
	return db_segments_have_refused(view->segments) ||
	       db_overlays_have_refused(view->overlays);
}

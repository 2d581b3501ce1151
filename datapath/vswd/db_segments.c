#include "vswd/db_segments.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/config_check_segments.h"
#include "vswd/config_read_segment.h"

LOG_MODULE(config);

/* A bridge's segment, and the rows that it was made of. */
struct item {
	struct item *next;
	struct uuid bridge;
	struct db_row_copy *row;
	struct db_row_copy **forwards; /* as many as `read` has */
	struct cfg_segment *read;      /* as the rows say, taken alone */
	struct cfg_segment
		*good; /* as they said when it last could be, or NULL */
	/* As it is among the others; may be `read` itself. NULL: not yet. */
	struct cfg_segment *config;
	struct segment_ports ports;
	bool seen;
};

struct db_segments {
	struct item *items; /* in no order */
	bool changed;	    /* since they were compared */
};

struct db_segments *db_segments_create(void)
{
	return xcalloc(1, sizeof(struct db_segments));
}

/* --- rows ------------------------------------------------------------------
 */

static void forget_rows(struct item *item)
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

static void forget_item(struct item *item)
{
	forget_rows(item);
	config_segment_ports_unref(&item->ports);
	cfg_segment_unref(item->config);
	cfg_segment_unref(item->good);
	free(item);
}

void db_segments_forget(struct db_segments *segments)
{
	struct item *item;

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

static struct item *find_item(const struct db_segments *segments,
			      const struct uuid *bridge)
{
	struct item *item = segments->items;

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
		       const struct item *item, const struct segment_rows *rows)
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

static void set_good(struct item *item, const struct cfg_segment *good)
{
	struct cfg_segment *old = item->good;

	item->good = good ? cfg_segment_ref(good) : NULL;
	cfg_segment_unref(old);
}

/* Another row, or bridge, is another segment, which has not worked yet. */
static void forget_good(struct item *item)
{
	if (item->good && (!uuid_equals(&item->good->uuid, &item->read->uuid) ||
			   strcmp(item->good->name, item->read->name) != 0))
		set_good(item, NULL);
}

static void read_item(const struct db_columns *columns, struct item *item,
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
	struct item *item = find_item(segments, &row->uuid);

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

/* --- among others ----------------------------------------------------------
 */

static void sweep(struct db_segments *segments)
{
	struct item **p = &segments->items, *item;

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

/* The same error as it has? Either may be NULL. */
static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static const char *forward_error_before(const struct cfg_segment *before,
					const struct uuid *uuid)
{
	for (size_t i = 0; before && i < before->n_forwards; i++)
		if (uuid_equals(&before->forwards[i].uuid, uuid))
			return before->forwards[i].error;
	return NULL;
}

/* The segment's own error is logged with whatever else it suffers from. */
static void log_forward_errors(const struct cfg_segment *now,
			       const struct cfg_segment *before)
{
	for (size_t i = 0; i < now->n_forwards && !now->error; i++) {
		const struct cfg_forward *f = &now->forwards[i];

		if (f->error && !same_text(f->error, forward_error_before(
							     before, &f->uuid)))
			log_warn("segment %s: forward of %s port %u: %s",
				 now->name, f->udp ? "udp" : "tcp",
				 f->outside_lo, f->error);
	}
}

/* Another value for the item: what it makes up follows. */
static void set_config(struct item *item, struct cfg_segment *config)
{
	log_forward_errors(config, item->config);
	cfg_segment_unref(item->config);
	item->config = config;
	config_segment_ports_unref(&item->ports);
	config_segment_ports(config, &item->ports);
}

static bool has_errors(const struct segment_check *check)
{
	for (size_t i = 0; i < check->segment->n_forwards; i++)
		if (check->forward_errors[i])
			return true;
	return check->fails;
}

/* What it is now; the caller's. */
static struct cfg_segment *make_config(const struct segment_check *check)
{
	struct cfg_segment *config;

	if (!check->goes_on && !has_errors(check))
		return cfg_segment_ref(check->segment);
	config = cfg_segment_derive(segment_check_value(check),
				    check->fails ? check->error : NULL,
				    check->forward_errors);
	if (check->goes_on && !check->fails)
		config->refused = xstrdup(check->error);
	return config;
}

static const struct cfg_segment *what_was_read(const struct cfg_segment *s)
{
	while (s->base)
		s = s->base;
	return s;
}

/* Made of the same rows, and nothing else has changed either? */
static bool is_same(const struct cfg_segment *a, const struct cfg_segment *b)
{
	return a == b || (a && what_was_read(a) == what_was_read(b) &&
			  cfg_segment_equals(a, b));
}

static void take_over(struct item *item, const struct segment_check *check)
{
	struct cfg_segment *config = make_config(check);

	if (check->fails)
		set_good(item, NULL);
	else if (!check->goes_on)
		set_good(item, item->read);
	if (is_same(item->config, config))
		cfg_segment_unref(config);
	else
		set_config(item, config);
}

/* What it goes on as, if what its rows say now cannot be; the caller's. */
static struct cfg_segment *make_former(const struct item *item)
{
	if (!item->good || item->good == item->read)
		return NULL;
	return cfg_segment_keep(item->good, item->read);
}

static void compare_all(struct db_segments *segments,
			const struct cfg_switch *config)
{
	struct segment_check *checks;
	struct cfg_segment **formers;
	struct item *item;
	size_t n = 0, i = 0;

	for (item = segments->items; item; item = item->next)
		n++;
	checks = xcalloc(n, sizeof(*checks));
	formers = xcalloc(n, sizeof(*formers));
	for (item = segments->items; item; item = item->next, i++) {
		checks[i].segment = item->read;
		checks[i].before = item->config;
		checks[i].former = formers[i] = make_former(item);
	}
	config_check_segments(checks, n, config);
	for (item = segments->items, i = 0; item; item = item->next, i++) {
		take_over(item, &checks[i]);
		segment_check_fini(&checks[i]);
		cfg_segment_unref(formers[i]);
	}
	free(formers);
	free(checks);
}

/*
 * Whether what they are compared with may have changed: rows have; or one was
 * refused, which may be for the host's routes; or the bridges are others.
 */
static bool must_compare(const struct db_segments *segments,
			 const struct cfg_switch *config)
{
	const struct item *item;

	for (item = segments->items; item; item = item->next)
		if (item->config != item->read ||
		    !config_segment_has_room(item->read, config))
			return true;
	return segments->changed;
}

bool db_segments_have_refused(const struct db_segments *segments)
{
	for (const struct item *i = segments->items; i; i = i->next)
		if (i->config && (i->config->error || i->config->refused) &&
		    !i->read->error)
			return true;
	return false;
}

/* --- what they make up -----------------------------------------------------
 */

static struct cfg_bridge *find_bridge(const struct cfg_switch *config,
				      const char *name)
{
	for (size_t i = 0; i < config->n_bridges; i++)
		if (!strcmp(config->bridges[i]->name, name))
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

static void add_to_tree(const struct item *item, struct cfg_switch *config)
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
	if (must_compare(segments, config))
		compare_all(segments, config);
	segments->changed = false;
	for (struct item *i = segments->items; i; i = i->next)
		add_to_tree(i, config);
}

#include "vswd/db_overlays.h"

#include <stdlib.h>
#include <string.h>

#include "ovsdb-lite/hash.h"
#include "vswd/config_check_overlays.h"
#include "vswd/config_read_overlay.h"

/* A VXLAN port; the interface is its only one. */
struct overlay_item {
	struct cfg_port *read;	/* as the rows say, taken alone */
	struct cfg_port *among; /* as it is among the others; may be `read` */
	struct uuid bridge;
};

/* What carries some of them. */
struct underlay_item {
	struct cfg_port *port; /* a reference */
	char *bridge;	       /* of a station; NULL: OVERLAY_HOST_BRIDGE */
};

struct db_overlays {
	struct overlay_item *items; /* in the order of the tree */
	size_t n_items;
	struct underlay_item *underlays;
	size_t n_underlays;
	uint32_t bridges; /* hash of their names, when they were compared */
};

struct db_overlays *db_overlays_create(void)
{
	return xcalloc(1, sizeof(struct db_overlays));
}

static void forget_items(struct overlay_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cfg_port_unref(items[i].read);
		cfg_port_unref(items[i].among);
	}
	free(items);
}

static void forget_underlays(struct underlay_item *underlays, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cfg_port_unref(underlays[i].port);
		free(underlays[i].bridge);
	}
	free(underlays);
}

void db_overlays_forget(struct db_overlays *overlays)
{
	forget_items(overlays->items, overlays->n_items);
	forget_underlays(overlays->underlays, overlays->n_underlays);
	memset(overlays, 0, sizeof(*overlays));
}

void db_overlays_destroy(struct db_overlays *overlays)
{
	db_overlays_forget(overlays);
	free(overlays);
}

static struct cfg_overlay *overlay_of(const struct cfg_port *port)
{
	return port->interfaces[0].overlay;
}

bool db_overlays_have_refused(const struct db_overlays *overlays)
{
	for (size_t i = 0; i < overlays->n_items; i++)
		if (overlays->items[i].among != overlays->items[i].read)
			return true;
	return false;
}

/* --- the ports of a tree ---------------------------------------------------
 */

static bool is_item(const struct cfg_port *port)
{
	return port->n_interfaces == 1 && overlay_of(port) &&
	       !overlay_of(port)->error;
}

/* *n of them, with one reference each, the caller's. */
static struct overlay_item *list_items(const struct cfg_switch *config,
				       size_t *n)
{
	struct overlay_item *items = NULL;
	size_t size = 0;

	*n = 0;
	for (size_t i = 0; i < config->n_bridges; i++) {
		const struct cfg_bridge *b = config->bridges[i];

		for (size_t k = 0; k < b->n_ports; k++) {
			if (!is_item(b->ports[k]))
				continue;
			if (*n == size) {
				size = MAX(8, size * 2);
				items = xrealloc(items, size * sizeof(*items));
			}
			items[(*n)++] = (struct overlay_item){
				.read = cfg_port_ref(b->ports[k]),
				.bridge = b->uuid,
			};
		}
	}
	return items;
}

static uint32_t hash_bridges(const struct cfg_switch *config)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < config->n_bridges; i++)
		hash = hash_bytes(config->bridges[i]->name,
				  strlen(config->bridges[i]->name), hash);
	return hash;
}

/* Nothing that they are compared with is another than the last time. */
static bool is_current(const struct db_overlays *overlays,
		       const struct overlay_item *items, size_t n,
		       uint32_t bridges)
{
	if (n != overlays->n_items || bridges != overlays->bridges ||
	    db_overlays_have_refused(overlays))
		return false;
	for (size_t i = 0; i < n; i++)
		if (items[i].read != overlays->items[i].read ||
		    !uuid_equals(&items[i].bridge, &overlays->items[i].bridge))
			return false;
	return true;
}

/* --- among the others ------------------------------------------------------
 */

static const struct overlay_item *find_former(
	const struct db_overlays *overlays, const struct cfg_port *port)
{
	for (size_t i = 0; i < overlays->n_items; i++)
		if (uuid_equals(&overlays->items[i].read->interfaces[0].uuid,
				&port->interfaces[0].uuid))
			return &overlays->items[i];
	return NULL;
}

static const struct cfg_bridge *bridge_of(const struct cfg_switch *config,
					  const struct overlay_item *item)
{
	for (size_t i = 0; i < config->n_bridges; i++)
		if (!config->bridges[i]->made_up &&
		    uuid_equals(&config->bridges[i]->uuid, &item->bridge))
			return config->bridges[i];
	return NULL;
}

/* Takes over the error. */
static void take_over(struct overlay_item *item,
		      const struct overlay_item *former, char *error)
{
	const char *was = NULL;

	if (former && former->among != former->read)
		was = overlay_of(former->among)->error;
	if (!error) {
		item->among = cfg_port_ref(item->read);
	} else if (was && former->read == item->read && !strcmp(was, error)) {
		item->among = cfg_port_ref(former->among);
		free(error);
	} else {
		item->among = cfg_port_derive(item->read, error);
	}
}

static void compare(const struct db_overlays *overlays,
		    struct overlay_item *items, size_t n,
		    const struct cfg_switch *config)
{
	struct overlay_check *checks = xcalloc(n, sizeof(*checks));
	const struct overlay_item **formers =
		xcalloc(n, sizeof(struct overlay_item *));

	for (size_t i = 0; i < n; i++) {
		formers[i] = find_former(overlays, items[i].read);
		checks[i] = (struct overlay_check){
			.bridge = bridge_of(config, &items[i]),
			.name = items[i].read->interfaces[0].name,
			.overlay = overlay_of(items[i].read),
		};
		if (formers[i] && formers[i]->among == formers[i]->read)
			checks[i].before = overlay_of(formers[i]->among);
	}
	config_check_overlays(checks, n, config);
	for (size_t i = 0; i < n; i++)
		take_over(&items[i], formers[i], checks[i].error);
	free(formers);
	free(checks);
}

/* --- underlays -------------------------------------------------------------
 */

/* Takes over the port: the former one, when it is the same. */
static void add_underlay(struct db_overlays *overlays,
			 const struct db_overlays *former,
			 const struct cfg_overlay *o, struct cfg_port *port)
{
	struct underlay_item *item;

	for (size_t i = 0; i < former->n_underlays; i++) {
		struct cfg_port *old = former->underlays[i].port;

		if (!config_overlay_port_equals(old, port))
			continue;
		cfg_port_unref(port);
		port = cfg_port_ref(old);
		break;
	}
	overlays->underlays =
		xrealloc(overlays->underlays,
			 (overlays->n_underlays + 1) * sizeof(*item));
	item = &overlays->underlays[overlays->n_underlays++];
	item->port = port;
	item->bridge = o->underlay ? xstrdup(o->underlay) : NULL;
}

static int compare_overlays(const void *a_, const void *b_)
{
	const struct cfg_overlay *const *a = a_, *const *b = b_;

	return strcmp((*a)->underlay_port, (*b)->underlay_port);
}

/* One for all that have the same. */
static void make_underlays(struct db_overlays *overlays,
			   const struct db_overlays *former,
			   const struct cfg_switch *config)
{
	const struct cfg_overlay **list =
		xcalloc(overlays->n_items, sizeof(const struct cfg_overlay *));
	size_t n = 0, end;

	for (size_t i = 0; i < overlays->n_items; i++)
		if (overlays->items[i].among == overlays->items[i].read)
			list[n++] = overlay_of(overlays->items[i].among);
	qsort(list, n, sizeof(*list), compare_overlays);
	for (size_t i = 0; i < n; i = end) {
		const struct cfg_overlay *o = list[i];

		for (end = i + 1; end < n; end++)
			if (compare_overlays(&list[i], &list[end]))
				break;
		add_underlay(overlays, former, o,
			     config_overlay_port(
				     list + i, end - i,
				     o->underlay ? config_find_bridge(
							   config, o->underlay)
						 : NULL));
	}
	free(list);
}

/* --- the tree --------------------------------------------------------------
 */

static void put_items(const struct db_overlays *overlays,
		      struct cfg_switch *config)
{
	size_t at = 0;

	for (size_t i = 0; i < config->n_bridges; i++) {
		struct cfg_bridge *b = config->bridges[i];

		for (size_t k = 0; k < b->n_ports; k++) {
			if (!is_item(b->ports[k]))
				continue;
			cfg_port_unref(b->ports[k]);
			b->ports[k] = cfg_port_ref(overlays->items[at++].among);
		}
	}
}

static void add_port(struct cfg_bridge *bridge, const struct cfg_port *port)
{
	bridge->ports = xrealloc(bridge->ports, (bridge->n_ports + 1) *
							sizeof(*bridge->ports));
	bridge->ports[bridge->n_ports++] = cfg_port_ref(port);
}

static void put_underlays(const struct db_overlays *overlays,
			  struct cfg_switch *config)
{
	struct cfg_bridge *host = NULL;

	for (size_t i = 0; i < overlays->n_underlays; i++) {
		const struct underlay_item *u = &overlays->underlays[i];

		if (u->bridge) {
			add_port((struct cfg_bridge *)config_find_bridge(
					 config, u->bridge),
				 u->port);
			continue;
		}
		if (!host)
			host = config_overlay_bridge();
		add_port(host, u->port);
	}
	if (!host)
		return;
	config->bridges =
		xrealloc(config->bridges,
			 (config->n_bridges + 1) * sizeof(*config->bridges));
	config->bridges[config->n_bridges++] = host;
}

void db_overlays_finish(struct db_overlays *overlays, struct cfg_switch *config)
{
	struct db_overlays former = *overlays;
	uint32_t bridges = hash_bridges(config);
	struct overlay_item *items;
	size_t n;

	items = list_items(config, &n);
	if (is_current(overlays, items, n, bridges)) {
		forget_items(items, n);
	} else {
		compare(&former, items, n, config);
		*overlays = (struct db_overlays){
			.items = items,
			.n_items = n,
			.bridges = bridges,
		};
		make_underlays(overlays, &former, config);
		db_overlays_forget(&former);
	}
	put_items(overlays, config);
	put_underlays(overlays, config);
}

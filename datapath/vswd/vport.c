/* One port of a bridge: opening, following its device, closing. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/hash.h"
#include "vswd/switch.h"

LOG_MODULE(bridge);

static const char no_bonds[] =
	"bonding is not available in this version; use one interface";

bool vport_is_local(const struct vport *v)
{
	return !strcmp(v->interface->name, v->bridge->name);
}

const char *vport_type(const struct vport *v)
{
	const char *type = v->interface->type;

	return !type[0] && vport_is_local(v) ? "internal" : type;
}

bool vport_is_elsewhere(const struct vport *v)
{
	return v->port && v->status.present && !v->status.ifindex &&
	       (!strcmp(vport_type(v), "internal") ||
		!strcmp(vport_type(v), "tap"));
}

void vport_mark_dirty(struct vswitch *vs, struct vport *v)
{
	if (v->dirty)
		return;
	v->dirty = true;
	v->dirty_next = vs->dirty;
	vs->dirty = v;
}

void vport_set_error(struct vport *v, const char *fmt, ...)
{
	va_list args;
	char *text = NULL;

	if (fmt) {
		va_start(args, fmt);
		if (vasprintf(&text, fmt, args) < 0)
			text = NULL;
		va_end(args);
	}
	if (text && (!v->error || strcmp(v->error, text)))
		log_warn("bridge %s: interface %s: %s", v->bridge->name,
			 v->interface->name, text);
	free(v->error);
	v->error = text;
}

/* --- what the port is asked to be ------------------------------------------
 */

static bool is_host_device(const struct vport *v)
{
	return !vport_type(v)[0] || !strcmp(vport_type(v), "system");
}

/* Locally administered, and the same after every restart. */
static uint64_t mac_of_uuid(const struct uuid *uuid)
{
	uint64_t mac = (uuid->hi ^ uuid->hi >> 20 ^ uuid->lo) & 0xffffffffffff;

	return (mac & ~(1ull << 40)) | 1ull << 41;
}

/* The lowest address of the bridge's devices, as Open vSwitch chooses. */
static uint64_t lowest_device_mac(const struct bridge *b)
{
	uint64_t lowest = 0;

	for (size_t i = 0; i < b->n_vports; i++) {
		const struct vport *v = b->vports[i];
		uint64_t mac = v->status.mac;

		if (!v->port || !is_host_device(v) || !mac ||
		    mac_is_multicast(mac))
			continue;
		if (!lowest || mac < lowest)
			lowest = mac;
	}
	return lowest;
}

static uint64_t bridge_mac(const struct bridge *b,
			   const struct cfg_interface *local)
{
	uint64_t mac = b->config->hwaddr;

	if (!mac && local)
		mac = local->mac;
	if (!mac)
		mac = lowest_device_mac(b);
	return mac ? mac : mac_of_uuid(&b->uuid);
}

static uint64_t wanted_mac(struct vport *v)
{
	if (vport_is_local(v))
		return bridge_mac(v->bridge, v->interface);
	if (!v->interface->mac && !strcmp(vport_type(v), "internal"))
		return mac_of_uuid(&v->interface->uuid);
	return v->interface->mac;
}

static void fill_config(struct vswitch *vs, struct vport *v,
			struct port_config *config)
{
	unsigned n = worker_pool_count(vs->pool);

	*config = (struct port_config){
		.name = v->interface->name,
		.type = vport_type(v),
		.options = v->interface->options,
		.n_options = v->interface->n_options,
		.n_threads = n + 1,
		.n_rxqs = n,
		.mtu_request = v->interface->mtu_request,
		.mac = v->mac,
		.events = vs->base,
		.changed = vport_changed,
		.changed_arg = v,
		.run_dir = vs->run_dir,
		.state_dir = vs->run_dir,
		.settings = vs->settings,
		.n_settings = vs->n_settings,
	};
}

static uint32_t name_hash(const char *name)
{
	return hash_bytes(name, strlen(name), 0);
}

/* --- life ------------------------------------------------------------------
 */

struct vport *vport_create(struct vswitch *vs, struct bridge *b,
			   const struct cfg_port *config, size_t i)
{
	struct vport *v = xcalloc(1, sizeof(*v));

	v->vs = vs;
	v->bridge = b;
	v->config = cfg_port_ref(config);
	v->interface = &config->interfaces[i];
	v->to_open = true;
	v->seen = true;
	v->number = bridge_take_number(b, v);
	b->vports = xrealloc(b->vports, (b->n_vports + 1) * sizeof(v));
	b->vports[b->n_vports++] = v;
	hmap_insert(&vs->vports, &v->node, name_hash(v->interface->name));
	vport_mark_dirty(vs, v);
	return v;
}

static void doom(struct vswitch *vs, struct vport *v, bool free_number)
{
	struct doomed_port *d = xcalloc(1, sizeof(*d));

	d->port = v->port;
	d->bridge = v->bridge;
	d->number = v->number;
	d->free_number = free_number;
	d->next = vs->doomed_ports;
	vs->doomed_ports = d;
	v->port = NULL;
	vs->changed = true;
}

void vport_close(struct vswitch *vs, struct vport *v)
{
	if (v->port)
		doom(vs, v, false);
	memset(&v->status, 0, sizeof(v->status));
	vport_mark_dirty(vs, v);
}

static void remove_dirty(struct vswitch *vs, struct vport *v)
{
	struct vport **p = &vs->dirty;

	if (!v->dirty)
		return;
	while (*p != v)
		p = &(*p)->dirty_next;
	*p = v->dirty_next;
}

static void remove_from_bridge(struct bridge *b, struct vport *v)
{
	for (size_t i = 0; i < b->n_vports; i++)
		if (b->vports[i] == v)
			b->vports[i] = b->vports[--b->n_vports];
}

void vport_destroy(struct vswitch *vs, struct vport *v)
{
	log_info("bridge %s: interface %s removed", v->bridge->name,
		 v->interface->name);
	bridge_orphan_number(v->bridge, v->number);
	doom(vs, v, true);
	remove_dirty(vs, v);
	remove_from_bridge(v->bridge, v);
	hmap_remove(&vs->vports, &v->node);
	json_decref(v->told);
	free(v->told_stats);
	cfg_port_unref(v->config);
	free(v->conflict);
	free(v->error);
	free(v);
}

/* What no kind of port can be; NULL when there is nothing wrong. */
static const char *refusal(const struct vport *v)
{
	const char *name = v->interface->name;

	if (v->config->n_interfaces > 1)
		return no_bonds;
	if (!name[0])
		return "an interface must have a name";
	if (strchr(name, '/') || strpbrk(name, " \t\r\n"))
		return "a name must not contain '/' or white space";
	if (strchr(v->bridge->name, '/'))
		return "the bridge's name must not contain '/'";
	if (!v->number)
		return "the bridge has no room for another port";
	return NULL;
}

void vport_open(struct vswitch *vs, struct vport *v)
{
	const char *why_not = refusal(v);
	struct port_config config;
	char *why = NULL;
	int error;

	v->to_open = false;
	vport_mark_dirty(vs, v);
	if (why_not) {
		vport_set_error(v, "%s", why_not);
		return;
	}
	v->mac = wanted_mac(v);
	fill_config(vs, v, &config);
	error = port_open(&config, &v->port, &why);
	/* Missing, or a member of something else: netlink tells of either. */
	v->wait_link = error == -ENODEV || error == -EBUSY;
	v->wait_gone = error == -EEXIST;
	if (error) {
		v->port = NULL;
		vport_set_error(v, "%s", why ? why : strerror(-error));
		free(why);
		return;
	}
	free(why);
	vport_set_error(v, NULL);
	port_get_status(v->port, &v->status);
	fdb_set_port_limit(v->bridge->fdb, v->number, v->config->mac_limit);
	vs->changed = true;
	log_info("bridge %s: interface %s added%s%s", v->bridge->name,
		 v->interface->name, config.type[0] ? " as " : "", config.type);
}

/* --- changes ---------------------------------------------------------------
 */

/* Hands the device what is new about it; reopens it when it must. */
static void reconfigure(struct vswitch *vs, struct vport *v)
{
	struct port_config config;
	char *why = NULL;
	int error;

	v->mac = wanted_mac(v);
	fill_config(vs, v, &config);
	error = v->port->class->reconfigure(v->port, &config, &why);
	if (error == -EOPNOTSUPP) {
		vport_close(vs, v);
		v->to_open = true;
	} else if (error) {
		vport_set_error(v, "%s", why ? why : strerror(-error));
		vport_update_status(vs, v);
	} else {
		vport_set_error(v, NULL);
		vport_update_status(vs, v);
	}
	free(why);
}

static bool device_differs(const struct cfg_interface *a,
			   const struct cfg_interface *b)
{
	return a->mac != b->mac || a->mtu_request != b->mtu_request ||
	       !cfg_interface_same_device(a, b);
}

void vport_configure(struct vswitch *vs, struct vport *v,
		     const struct cfg_port *config, size_t i)
{
	const struct cfg_interface *new = &config->interfaces[i];
	bool type_differs = strcmp(v->interface->type, new->type) ||
			    v->config->n_interfaces != config->n_interfaces;
	bool differs = device_differs(v->interface, new);
	bool vlan_differs = !cfg_vlan_equals(v->config, config);
	bool number_differs =
		v->interface->ofport_request != new->ofport_request;
	struct cfg_port *old = v->config;

	v->config = cfg_port_ref(config);
	v->interface = new;
	vs->changed |= vlan_differs || differs || number_differs ||
		       !cfg_port_same_affinity(old, config);
	vport_mark_dirty(vs, v);
	if (v->port && vlan_differs) {
		v->to_flush = true;
		vs->to_flush = true;
	}
	if (old->mac_limit != config->mac_limit)
		fdb_set_port_limit(v->bridge->fdb, v->number,
				   config->mac_limit);
	if (type_differs || !v->port) {
		vport_close(vs, v);
		v->to_open = true;
	} else if (differs) {
		reconfigure(vs, v);
	}
	cfg_port_unref(old);
}

void vport_apply_mac(struct vswitch *vs, struct vport *v)
{
	v->bridge->mac = bridge_mac(v->bridge, v->interface);
	if (v->bridge->mac != v->bridge->told_mac)
		v->bridge->dirty = true;
	if (v->port && v->mac != v->bridge->mac)
		reconfigure(vs, v);
}

static void link_went_down(struct vport *v)
{
	unsigned n = fdb_flush(v->bridge->fdb, v->number, -1);

	log_info_limited(
		"bridge %s: interface %s: link down; %u addresses flushed",
		v->bridge->name, v->interface->name, n);
}

static bool same_status(const struct port_status *a,
			const struct port_status *b)
{
	return a->present == b->present && a->admin_up == b->admin_up &&
	       a->link_up == b->link_up && a->mac == b->mac &&
	       a->mtu == b->mtu && a->ifindex == b->ifindex &&
	       a->link_resets == b->link_resets &&
	       a->speed_bps == b->speed_bps &&
	       a->full_duplex == b->full_duplex &&
	       !strcmp(a->driver, b->driver);
}

/* A device of ours is made anew; one of the host's we wait for. */
static void device_vanished(struct vswitch *vs, struct vport *v)
{
	bool host_s = is_host_device(v);

	vport_close(vs, v);
	v->wait_link = host_s;
	v->to_open = !host_s;
	vport_set_error(v, "network device %s is gone; %s", v->interface->name,
			host_s ? "it is used again when it comes back"
			       : "it is made anew");
}

static void take_status(struct vswitch *vs, struct vport *v,
			const struct port_status *now)
{
	if (v->status.link_up && !now->link_up)
		link_went_down(v);
	else if (now->link_up && !v->status.link_up)
		log_info_limited("bridge %s: interface %s: link up",
				 v->bridge->name, v->interface->name);
	v->status = *now;
	if (!now->present)
		device_vanished(vs, v);
}

void vport_update_status(struct vswitch *vs, struct vport *v)
{
	struct port_status now;

	if (!v->port)
		return;
	port_get_status(v->port, &now);
	if (same_status(&now, &v->status))
		return;
	vport_mark_dirty(vs, v);
	take_status(vs, v, &now);
}

void vport_take_status(struct vswitch *vs, struct vport *v)
{
	struct port_status now;

	if (!v->port)
		return;
	port_get_status(v->port, &now);
	take_status(vs, v, &now);
}

/* --- patch ports -----------------------------------------------------------
 */

struct vport *vport_patch_peer(const struct vswitch *vs, const struct vport *v)
{
	const char *peer = cfg_interface_option(v->interface, "peer"), *back;
	struct vport *p;

	if (!v->port || strcmp(vport_type(v), "patch") || !peer)
		return NULL;
	p = vswitch_find_vport(vs, peer);
	if (!p || !p->port || strcmp(vport_type(p), "patch") ||
	    p->bridge == v->bridge)
		return NULL;
	back = cfg_interface_option(p->interface, "peer");
	return back && !strcmp(back, v->interface->name) ? p : NULL;
}

void vport_check_patch(struct vswitch *vs, struct vport *v)
{
	const char *peer = cfg_interface_option(v->interface, "peer");
	struct vport *p;
	bool had_error = v->error;

	if (!v->port || strcmp(vport_type(v), "patch"))
		return;
	p = peer ? vswitch_find_vport(vs, peer) : NULL;
	if (vport_patch_peer(vs, v))
		vport_set_error(v, NULL);
	else if (p && p->bridge == v->bridge)
		vport_set_error(v, "patch peer '%s' is on the same bridge",
				peer);
	else if (p)
		vport_set_error(v,
				"port '%s' is no patch port whose peer is "
				"'%s'",
				peer, v->interface->name);
	else
		vport_set_error(v, "No usable peer '%s' exists", peer);
	if (had_error || v->error)
		vport_mark_dirty(vs, v);
}

/* --- by name ---------------------------------------------------------------
 */

struct vport *vswitch_find_vport(const struct vswitch *vs, const char *name)
{
	struct hmap_node *node = hmap_first(&vs->vports, name_hash(name));

	for (; node; node = hmap_same(node->next, node->hash)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		if (!strcmp(v->interface->name, name))
			return v;
	}
	return NULL;
}

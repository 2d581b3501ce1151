/* One port of a bridge: opening, following its device, closing. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ovsdb-lite/hash.h"
#include "vswd/config_security.h"
#include "vswd/discovery.h"
#include "vswd/event_sources.h"
#include "vswd/fastpath.h"
#include "vswd/frames.h"
#include "vswd/overlay.h"
#include "vswd/segment.h"
#include "vswd/private_vlan.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

LOG_MODULE(bridge);

bool vport_is_local(const struct vport *v)
{
	return !v->config->made_up &&
	       !strcmp(v->interface->name, v->bridge->name);
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
	if (text && (!v->error || strcmp(v->error, text))) {
		log_warn("bridge %s: interface %s: %s", v->bridge->name,
			 v->interface->name, text);
		event_port(v, text);
	}
	if (!text && v->error)
		event_port(v, NULL);
	free(v->error);
	v->error = text;
}

/* A bond's settings concern each of its members. */
const char *vport_error(const struct vport *v)
{
	if (v->error)
		return v->error;
	if (v->bond && v->bond->error)
		return v->bond->error;
	if (v->interface->overlay && v->interface->overlay->error)
		return v->interface->overlay->error;
	if (v->config->error)
		return v->config->error;
	if (v->acl_error)
		return v->acl_error;
	if (private_vlan_fault(v))
		return private_vlan_fault(v);
	if (teaming_fault(v))
		return teaming_fault(v);
	if (v->overlay && overlay_fault(v->overlay))
		return overlay_fault(v->overlay);
	return v->conflict;
}

/* --- what the port is asked to be ------------------------------------------
 */

bool vport_is_host_device(const struct vport *v)
{
	return !vport_type(v)[0] || !strcmp(vport_type(v), "system");
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
		.mtu_request = vport_wanted_mtu(v),
		.mac = v->mac,
		.events = vs->base,
		.changed = vport_changed,
		.changed_arg = v,
		.run_dir = vs->run_dir,
		.state_dir = vs->run_dir,
		.settings = vs->settings,
		.n_settings = vs->n_settings,
		.fastpath = vfastpath_get(vs),
	};
}

/* Nobody has said which address it shall have. */
static bool has_made_up_mac(const struct vport *v)
{
	return !vport_is_local(v) && !v->interface->mac;
}

/*
 * Peers know a device that a killed daemon has left by the address that it has,
 * which somebody may have set on the host.
 */
static bool keeps_address(const struct vport *v,
			  const struct port_config *config)
{
	return has_made_up_mac(v) && config->fastpath &&
	       fastpath_left_tap(config->fastpath, config->name);
}

static uint32_t name_hash(const char *name)
{
	return hash_bytes(name, strlen(name), 0);
}

/* --- life ------------------------------------------------------------------
 */

static void take_number(struct vport *v)
{
	v->number = bridge_take_number(v->bridge);
	if (v->number)
		bridge_hold_number(v->bridge, v->number, v, NULL);
}

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
	if (config->bond)
		vbond_join(bridge_find_bond(b, &config->uuid), v);
	else
		take_number(v);
	b->vports = xrealloc(b->vports, (b->n_vports + 1) * sizeof(v));
	b->vports[b->n_vports++] = v;
	hmap_insert(&vs->vports, &v->node, name_hash(v->interface->name));
	vport_mark_dirty(vs, v);
	return v;
}

/* Takes the vport's port, if it is open. */
static struct doomed_port *doom(struct vswitch *vs, struct vport *v)
{
	struct doomed_port *d;

	vdiscovery_forget(v);
	overlays_port_gone(vs, v);
	d = vswitch_doom(vs, v->bridge);
	d->port = v->port;
	d->number = v->number;
	/* While a bond has another member, its stations are behind that. */
	d->fate = v->bond && vbond_has_other_open(v) ? NUMBER_KEPT
						     : NUMBER_FLUSHED;
	v->port = NULL;
	return d;
}

void vport_close(struct vswitch *vs, struct vport *v)
{
	vbond_member_leaves(v);
	if (v->port)
		doom(vs, v);
	v->fwd = NULL;
	memset(&v->status, 0, sizeof(v->status));
	vbond_member_changed(v);
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
	struct doomed_port *d;

	log_info("bridge %s: interface %s %s", v->bridge->name,
		 v->interface->name,
		 v->port && v->port->fastpath && vfastpath_is_kept(vs)
			 ? "stays in the kernel, for the next vswd"
			 : "removed");
	event_port_removed(v);
	event_forget_violations(v);
	d = doom(vs, v);
	d->tap = frames_detach(v);
	d->policy = v->policy;
	if (v->bond) {
		vbond_leave(v, false);
	} else {
		d->fate = NUMBER_FREED;
		segments_port_gone(vs, v);
		bridge_orphan_number(v->bridge, v->number);
	}
	remove_dirty(vs, v);
	remove_from_bridge(v->bridge, v);
	hmap_remove(&vs->vports, &v->node);
	json_decref(v->told);
	json_decref(v->told_macs);
	free(v->told_stats);
	cfg_port_unref(v->config);
	free(v->conflict);
	free(v->acl_error);
	free(v->error);
	free(v);
}

const char *vport_refusal(const struct vport *v)
{
	const char *name = v->interface->name;

	if (v->config->bond && vport_is_local(v))
		return "the bridge's own port cannot be a member of a bond";
	if (v->config->bond && !strcmp(vport_type(v), "patch"))
		return "a patch port cannot be a member of a bond";
	if (v->config->bond && v->interface->overlay)
		return "a VXLAN port cannot be a member of a bond";
	if (v->interface->overlay && v->interface->overlay->error)
		return v->interface->overlay->error;
	if (!name[0])
		return "an interface must have a name";
	if (strchr(name, '/') || strpbrk(name, " \t\r\n"))
		return "a name must not contain '/' or white space";
	if (!v->config->made_up && !strncmp(v->interface->type, "vxlan-", 6))
		return "interfaces of this type are made for VXLAN ports, "
		       "which are of type vxlan";
	if (!v->config->made_up && port_type_is_made_up(v->interface->type))
		return !strncmp(v->interface->type, "vxlan-", 6)
			       ? "interfaces of this type are made for VXLAN "
				 "ports only; make one with: vsw-ctl add-vtep"
			       : "interfaces of this type are made by segments "
				 "only; make one with: vsw-ctl add-segment";
	if (strchr(v->bridge->name, '/'))
		return "the bridge's name must not contain '/'";
	if (!v->number)
		return "the bridge has no room for another port";
	return NULL;
}

void vport_open(struct vswitch *vs, struct vport *v)
{
	const char *why_not = vport_refusal(v);
	struct port_config config;
	char *why = NULL;
	int error;

	v->to_open = false;
	v->wait_busy = false;
	vport_mark_dirty(vs, v);
	/* Not as a port of its own, and the bond is not there. */
	if (v->bond && !v->bond->good) {
		vport_set_error(v, NULL);
		return;
	}
	if (why_not) {
		vport_set_error(v, "%s", why_not);
		return;
	}
	v->mac = vport_wanted_mac(v);
	fill_config(vs, v, &config);
	if (keeps_address(v, &config))
		config.mac = 0;
	error = port_open(&config, &v->port, &why);
	/* Missing, or a member of something else: netlink tells of either. */
	v->wait_link = error == -ENODEV || error == -EBUSY;
	v->wait_gone = error == -EEXIST;
	/* Of another switch that ends and leaves it, nothing tells. */
	v->wait_busy = error == -EBUSY;
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
	vbond_member_changed(v);
	log_info("bridge %s: interface %s added%s%s", v->bridge->name,
		 v->interface->name, config.type[0] ? " as " : "", config.type);
	event_port_added(v);
}

/* --- changes ---------------------------------------------------------------
 */

void vport_reconfigure(struct vswitch *vs, struct vport *v)
{
	struct port_config config;
	uint64_t had = v->mac;
	char *why = NULL;
	int error;

	v->mac = vport_wanted_mac(v);
	fill_config(vs, v, &config);
	/* People may have given it another since. */
	if (has_made_up_mac(v) && v->mac == had)
		config.mac = 0;
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

/* From a port of its own to a member, or back; the device goes on. */
static void join_or_leave(struct vport *v, const struct cfg_port *config)
{
	if (config->bond && !v->bond)
		vbond_join(bridge_find_bond(v->bridge, &config->uuid), v);
	else if (!config->bond && v->bond)
		vbond_leave(v, true);
}

static void take_over_vlans(struct vswitch *vs, struct vport *v,
			    const struct cfg_port *old)
{
	const struct cfg_port *config = v->config;

	if (old->mac_limit != config->mac_limit)
		fdb_set_port_limit(v->bridge->fdb, v->number,
				   config->mac_limit);
	if ((!cfg_vlan_equals(old, config) ||
	     cfg_security_flushes(old->security, config->security)) &&
	    v->port) {
		v->to_flush = true;
		vs->to_flush = true;
	}
}

/* What it was opened as, it may not be any more; or it was not opened. */
static bool must_open(const struct vport *v, bool type_differs)
{
	return type_differs || !v->port || vport_refusal(v) ||
	       (v->bond && !v->bond->good);
}

void vport_configure(struct vswitch *vs, struct vport *v,
		     const struct cfg_port *config, size_t i)
{
	const struct cfg_interface *new = &config->interfaces[i];
	bool type_differs = strcmp(v->interface->type, new->type);
	bool differs = device_differs(v->interface, new);
	struct cfg_port *old = v->config;

	/* Policies are compared by nobody: another snapshot takes them all. */
	vs->changed = true;
	join_or_leave(v, config);
	v->config = cfg_port_ref(config);
	v->interface = new;
	vport_mark_dirty(vs, v);
	take_over_vlans(vs, v, old);
	if (must_open(v, type_differs)) {
		vport_close(vs, v);
		v->to_open = true;
	} else if (differs) {
		vport_reconfigure(vs, v);
	}
	cfg_port_unref(old);
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

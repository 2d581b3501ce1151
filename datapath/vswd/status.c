/* Status columns of interfaces and bridges, and cur_cfg. */
#include "vswd/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vswd/acls.h"
#include "vswd/config_overlay.h"
#include "vswd/fastpath.h"
#include "vswd/mirror.h"
#include "vswd/overlay.h"
#include "vswd/remote_mac_rows.h"
#include "vswd/segment_rows.h"
#include "vswd/vbond.h"

static json_t *nothing(void)
{
	return json_pack("[s,[]]", "set");
}

static json_t *text_or_nothing(const char *text)
{
	json_t *json = text ? json_string(text) : NULL;

	/* Not UTF-8: a device's name, say. */
	return json ? json : nothing();
}

static json_t *number_or_nothing(uint64_t n)
{
	return n ? json_integer(n) : nothing();
}

static json_t *mac_or_nothing(uint64_t mac)
{
	char text[MAC_STRING_SIZE];

	return mac ? json_string(mac_format(mac, text)) : nothing();
}

void status_update_row(json_t *operations, const char *table,
		       const struct uuid *uuid, json_t *row)
{
	char text[UUID_LEN + 1];

	if (json_object_size(row))
		json_array_append_new(
			operations,
			json_pack("{s:s, s:s, s:[[s,s,[s,s]]], s:O}", "op",
				  "update", "table", table, "where", "_uuid",
				  "==", "uuid", uuid_format(uuid, text), "row",
				  row));
	json_decref(row);
}

/* Takes out what the schema does not have. */
static void keep_known(json_t *row, const struct ovsdb_table_schema *table)
{
	const char *column;
	json_t *value;
	void *next;

	json_object_foreach_safe(
		row, next, column,
		value) if (!table || !ovsdb_table_schema_column(table, column))
		json_object_del(row, column);
}

/* The columns of `row` that `told` has not, or has otherwise. */
static json_t *difference(const json_t *told, json_t *row)
{
	json_t *changed = json_object(), *value;
	const char *column;

	json_object_foreach(row, column, value)
		if (!json_equal(json_object_get(told, column), value))
			json_object_set(changed, column, value);
	return changed;
}

static void add_status(void *map, const char *key, const char *value)
{
	json_t *text = json_string(value);

	if (text)
		json_array_append_new(map, json_pack("[s,o]", key, text));
}

/* Of every open port: whether the kernel forwards its frames, or why not. */
static void add_fastpath(const struct vport *v, json_t *map)
{
	char *text = vfastpath_text(v);

	if (text)
		add_status(map, "kernel-fast-path", text);
	free(text);
}

static json_t *status_map(const struct vport *v)
{
	json_t *map = json_array();

	if (v->status.driver[0])
		json_array_append_new(map, json_pack("[s,s]", "driver_name",
						     v->status.driver));
	if (!strcmp(vport_type(v), "patch") && v->port)
		json_array_append_new(
			map,
			json_pack("[s,s]", "peer",
				  cfg_interface_option(v->interface, "peer")));
	if (v->port && v->port->class->describe)
		v->port->class->describe(v->port, add_status, map);
	if (v->overlay)
		overlay_describe(v->overlay, add_status, map);
	add_fastpath(v, map);
	return json_pack("[s,o]", "map", map);
}

static const char *up_or_down(bool up)
{
	return up ? "up" : "down";
}

static json_t *lacp_current(const struct vport *v)
{
	const struct bond_member *m = vport_bond_member(v);
	struct bond_member_status status;

	if (!m)
		return nothing();
	bond_get_member_status(m, vswitch_now_ms(), &status);
	return status.lacp ? json_boolean(lacp_port_is_current(status.lacp))
			   : nothing();
}

/* Its port is open, but nothing passes: not so for who waits for a number. */
static bool is_refused(const struct vport *v)
{
	return v->interface->overlay && v->interface->overlay->error;
}

/* A VXLAN port's own is none: what its tunnels take of inner frames counts. */
static uint32_t mtu_of(const struct vport *v)
{
	return v->overlay && v->overlay->mtu ? v->overlay->mtu : v->status.mtu;
}

static json_t *interface_row(const struct vport *v)
{
	const struct port_status *s = &v->status;
	const char *error = vport_error(v);
	json_t *row = json_object();

	json_object_set_new(
		row, "ofport",
		json_integer(v->port && !is_refused(v) ? v->ofport : -1));
	json_object_set_new(row, "error", text_or_nothing(error));
	json_object_set_new(row, "mac_in_use", mac_or_nothing(s->mac));
	json_object_set_new(row, "ifindex",
			    v->port ? json_integer(s->ifindex) : nothing());
	json_object_set_new(
		row, "admin_state",
		text_or_nothing(v->port ? up_or_down(s->admin_up) : NULL));
	json_object_set_new(
		row, "link_state",
		text_or_nothing(v->port ? up_or_down(s->link_up) : NULL));
	json_object_set_new(row, "link_resets",
			    v->port ? json_integer(s->link_resets) : nothing());
	json_object_set_new(row, "link_speed", number_or_nothing(s->speed_bps));
	json_object_set_new(row, "duplex",
			    text_or_nothing(!s->speed_bps    ? NULL
					    : s->full_duplex ? "full"
							     : "half"));
	json_object_set_new(row, "mtu", number_or_nothing(mtu_of(v)));
	json_object_set_new(row, "status", status_map(v));
	json_object_set_new(row, "lacp_current", lacp_current(v));
	return row;
}

static void tell_interface(struct vport *v, const struct ovsdb_schema *schema,
			   json_t *operations)
{
	json_t *row;

	if (v->config->made_up)
		return;
	row = interface_row(v);
	keep_known(row, ovsdb_schema_table(schema, "Interface"));
	status_update_row(operations, "Interface", &v->interface->uuid,
			  difference(v->told, row));
	json_decref(v->told);
	v->told = row;
}

static void tell_bridge(struct bridge *b, const struct ovsdb_schema *schema,
			json_t *operations)
{
	json_t *row;
	char id[17];

	b->dirty = false;
	b->told_mac = b->mac;
	if (b->config && b->config->made_up)
		return;
	row = json_object();
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)b->mac);
	json_object_set_new(row, "datapath_id", json_string(id));
	json_object_set_new(row, "datapath_version",
			    json_string("vsw " VSW_VERSION));
	keep_known(row, ovsdb_schema_table(schema, "Bridge"));
	status_update_row(operations, "Bridge", &b->uuid, row);
}

/*
 * The active member's address is what a restarted daemon goes on by: what was
 * the last one stays there while there is none.
 */
static void tell_bond(struct vbond *vb, const struct ovsdb_schema *schema,
		      json_t *operations)
{
	struct bond_member_status member;
	struct bond_status status;
	json_t *row;

	vb->dirty = false;
	if (!vb->applied)
		return;
	bond_get_status(vb->bond, vswitch_now_ms(), &status);
	if (!status.active)
		return;
	bond_get_member_status(status.active, vswitch_now_ms(), &member);
	if (member.mac == vb->told_active)
		return;
	vb->told_active = member.mac;
	row = json_pack("{s:o}", "bond_active_slave",
			mac_or_nothing(member.mac));
	keep_known(row, ovsdb_schema_table(schema, "Port"));
	status_update_row(operations, "Port", &vb->config->uuid, row);
}

void status_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
		    json_t *operations)
{
	struct vport *v;

	for (struct bridge *b = vs->bridges; b; b = b->next) {
		if (b->dirty)
			tell_bridge(b, schema, operations);
		for (struct vbond *vb = b->bonds; vb; vb = vb->next)
			if (vb->dirty)
				tell_bond(vb, schema, operations);
	}
	while ((v = vs->dirty)) {
		vs->dirty = v->dirty_next;
		v->dirty = false;
		tell_interface(v, schema, operations);
		remote_mac_rows_collect(v, schema, operations);
		if (v->port && !v->told_stats)
			stats_collect_port(v, schema, operations);
	}
	segment_rows_collect(vs, schema, operations);
	acl_rows_collect(vs, schema, operations, false);
	mirror_rows_collect(vs, schema, operations);
}

void status_collect_cur_cfg(const struct vswitch *vs, json_t *operations)
{
	struct cfg_switch *config = vs->config;

	if (!config || config->cur_cfg == config->next_cfg)
		return;
	config->cur_cfg = config->next_cfg;
	status_update_row(
		operations, "Open_vSwitch", &config->uuid,
		json_pack("{s:I}", "cur_cfg", (json_int_t)config->next_cfg));
}

void status_collect_switch(const struct vswitch *vs,
			   const struct ovsdb_schema *schema,
			   json_t *operations)
{
	json_t *row;

	if (!vs->config)
		return;
	row = json_pack("{s:[s,[s,s,s,s,s,s,s,s,s,s,s]], s:[s,[s,s]], s:b}",
			"iface_types", "set", "afxdp", "dpdkvhostuser",
			"dpdkvhostuserclient", "internal", "null", "patch",
			"system", "tap", "vhostuser", "vhostuserclient",
			"vxlan", "datapath_types", "set", "netdev", "system",
			"dpdk_initialized", 0);
	keep_known(row, ovsdb_schema_table(schema, "Open_vSwitch"));
	status_update_row(operations, "Open_vSwitch", &vs->config->uuid, row);
}

void status_forget(struct vswitch *vs)
{
	struct hmap_node *node;

	if (vs->config)
		vs->config->cur_cfg = ~vs->config->next_cfg;
	segment_rows_forget(vs);
	acl_rows_forget(vs);
	mirror_rows_forget(vs);
	for (struct bridge *b = vs->bridges; b; b = b->next) {
		b->dirty = true;
		for (struct vbond *vb = b->bonds; vb; vb = vb->next) {
			vb->dirty = true;
			vb->told_active = 0;
		}
	}
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node)) {
		struct vport *v = CONTAINER_OF(node, struct vport, node);

		json_decref(v->told);
		free(v->told_stats);
		v->told = NULL;
		remote_mac_rows_forget(v);
		v->told_stats = NULL;
		vport_mark_dirty(vs, v);
	}
}

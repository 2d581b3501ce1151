/*
 * The statistics column: Open vSwitch's names with RFC 2863's meanings (octets
 * without the FCS; what a policy turns away is "dropped", what is malformed is
 * an "error"), and below them each reason for drops that has occurred. Received
 * is what came from the port into the switch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/acls.h"
#include "vswd/mirror.h"
#include "vswd/segment_rows.h"
#include "vswd/status.h"

enum drop_side { RX_DROPPED, RX_ERROR, TX_DROPPED, TX_ERROR };

static const uint8_t sides[N_DROP_REASONS] = {
	[DROP_RUNT] = RX_ERROR,
	[DROP_GIANT] = RX_ERROR,
	[DROP_BAD_SOURCE] = RX_ERROR,
	[DROP_BAD_VLAN] = RX_ERROR,
	[DROP_TOO_MANY_TAGS] = RX_ERROR,
	[DROP_BAD_OFFLOAD] = RX_ERROR,
	[DROP_TRUNCATED] = RX_ERROR,
	[DROP_LINK_LOCAL] = RX_DROPPED,
	[DROP_VLAN_NOT_ALLOWED] = RX_DROPPED,
	[DROP_TAG_NOT_ALLOWED] = RX_DROPPED,
	[DROP_UNTAGGED_NOT_ALLOWED] = RX_DROPPED,
	[DROP_MIRROR_PORT] = RX_DROPPED,
	[DROP_POLICED] = RX_DROPPED,
	[DROP_BOND_STANDBY] = RX_DROPPED,
	[DROP_BOND_DUPLICATE] = RX_DROPPED,
	[DROP_BOND_MOVED] = RX_DROPPED,
	[DROP_PUNT_LIMITED] = RX_DROPPED,
	[DROP_PUNT_FULL] = RX_DROPPED,
	[DROP_SAME_PORT] = RX_DROPPED,
	[DROP_NO_DESTINATION] = RX_DROPPED,
	[DROP_PATCH_LOOP] = RX_DROPPED,
	[DROP_ISOLATED] = RX_DROPPED,
	[DROP_RX_OVERFLOW] = RX_DROPPED,
	[DROP_ACL_OUT] = TX_DROPPED,
	[DROP_TX_FULL] = TX_DROPPED,
	[DROP_TX_DOWN] = TX_DROPPED,
	[DROP_TX_TOO_BIG] = TX_DROPPED,
	[DROP_TX_BUSY] = TX_DROPPED,
	[DROP_TX_ERROR] = TX_ERROR,
	[DROP_TX_OFFLOAD] = TX_ERROR,
	[DROP_BOND_DOWN] = TX_DROPPED,
	[DROP_ROUTE_OTHER] = RX_DROPPED,
	[DROP_ROUTE_PROTOCOL] = RX_DROPPED,
	[DROP_ROUTE_MALFORMED] = RX_ERROR,
	[DROP_ROUTE_SOURCE] = RX_DROPPED,
	[DROP_ROUTE_MARTIAN] = RX_DROPPED,
	[DROP_ROUTE_NO_WAY] = RX_DROPPED,
	[DROP_ROUTE_TTL] = RX_DROPPED,
	[DROP_ROUTE_TOO_BIG] = RX_DROPPED,
	[DROP_ROUTE_FRAGMENTS] = RX_DROPPED,
	[DROP_NAT_MALFORMED] = RX_ERROR,
	[DROP_NAT_PROTOCOL] = RX_DROPPED,
	[DROP_NAT_UNSOLICITED] = RX_DROPPED,
	[DROP_NAT_NO_SESSION] = RX_DROPPED,
	[DROP_NAT_FULL] = RX_DROPPED,
	[DROP_NAT_LIMIT] = RX_DROPPED,
	[DROP_NAT_FRAGMENT] = RX_DROPPED,
	[DROP_NAT_BUSY] = RX_DROPPED,
	[DROP_HOLD_FULL] = RX_DROPPED,
	[DROP_HOLD_UNREACHED] = RX_DROPPED,
	[DROP_TUNNEL_TOO_BIG] = TX_DROPPED,
	[DROP_TUNNEL_UNRESOLVED] = TX_DROPPED,
	[DROP_TUNNEL_NO_VNI] = TX_DROPPED,
	[DROP_TUNNEL_NO_REMOTE] = TX_DROPPED,
	[DROP_TUNNEL_LOOP] = TX_DROPPED,
	[DROP_TUNNEL_HORIZON] = TX_DROPPED,
	[DROP_VXLAN_MALFORMED] = RX_ERROR,
	[DROP_VXLAN_FLAGS] = RX_ERROR,
	[DROP_VXLAN_CHECKSUM] = RX_ERROR,
	[DROP_VXLAN_FRAGMENT] = RX_DROPPED,
	[DROP_VXLAN_TAG] = RX_DROPPED,
	[DROP_VXLAN_ECN] = RX_DROPPED,
	[DROP_VXLAN_SELF] = RX_DROPPED,
	[DROP_VXLAN_NO_VNI] = RX_DROPPED,
	[DROP_VXLAN_NO_REMOTE] = RX_DROPPED,
};

/* "bad-source" is counted as drop_bad_source. */
static void set_reason(json_t *json, enum drop_reason reason, uint64_t n)
{
	char name[64];

	snprintf(name, sizeof(name), "drop_%s", drop_reason_name(reason));
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	json_object_set_new(json, name, json_integer(n));
}

json_t *stats_to_json(const struct port_counters *c)
{
	uint64_t sums[4] = { 0 };
	json_t *json;

	for (int i = 0; i < N_DROP_REASONS; i++)
		sums[sides[i]] += c->drops[i];
	json = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
		" s:I, s:I, s:I, s:I}",
		"rx_packets", c->rx_packets, "rx_bytes", c->rx_bytes,
		"rx_dropped", sums[RX_DROPPED], "rx_errors", sums[RX_ERROR],
		"rx_multicast_packets", c->rx_multicast, "rx_broadcast_packets",
		c->rx_broadcast, "rx_over_err", c->drops[DROP_RX_OVERFLOW],
		"rx_crc_err", 0ll, "rx_frame_err", 0ll, "tx_packets",
		c->tx_packets, "tx_bytes", c->tx_bytes, "tx_dropped",
		sums[TX_DROPPED], "tx_errors", sums[TX_ERROR],
		"tx_multicast_packets", c->tx_multicast, "tx_broadcast_packets",
		c->tx_broadcast, "collisions", 0ll);
	for (int i = 0; i < N_DROP_REASONS; i++)
		if (c->drops[i])
			set_reason(json, i, c->drops[i]);
	return json;
}

static json_t *to_map(const json_t *object)
{
	json_t *pairs = json_array(), *value;
	const char *key;

	json_object_foreach((json_t *)object, key, value)
		json_array_append_new(pairs, json_pack("[s,O]", key, value));
	return json_pack("[s,o]", "map", pairs);
}

/* A struct port_counters is nothing but counters, one after the other. */
static bool counters_equal(const struct port_counters *a,
			   const struct port_counters *b)
{
	const _Atomic uint64_t *x = &a->rx_packets, *y = &b->rx_packets;
	size_t n = &a->drops[N_DROP_REASONS] - x;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return false;
	return true;
}

/* Most ports of an idle switch: nothing to build, nothing to send. */
static bool has_changed(struct vport *v, const struct port_counters *now)
{
	if (v->told_stats && counters_equal(v->told_stats, now))
		return false;
	if (!v->told_stats)
		v->told_stats = xcalloc_aligned(1, sizeof(*now));
	memcpy(v->told_stats, now, sizeof(*now));
	return true;
}

static void tell_stats(struct vport *v, json_t *operations)
{
	struct port_counters now;
	json_t *stats;

	if (!v->port || v->config->made_up)
		return;
	port_get_counters(v->port, &now);
	if (!has_changed(v, &now))
		return;
	stats = stats_to_json(&now);
	status_update_row(operations, "Interface", &v->interface->uuid,
			  json_pack("{s:o}", "statistics", to_map(stats)));
	json_decref(stats);
}

static bool has_column(const struct ovsdb_schema *schema)
{
	const struct ovsdb_table_schema *table =
		ovsdb_schema_table(schema, "Interface");

	return table && ovsdb_table_schema_column(table, "statistics");
}

void stats_collect_port(struct vport *v, const struct ovsdb_schema *schema,
			json_t *operations)
{
	if (has_column(schema))
		tell_stats(v, operations);
}

void stats_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
		   json_t *operations)
{
	struct hmap_node *node;

	if (!has_column(schema))
		return;
	for (node = hmap_next(&vs->vports, NULL); node;
	     node = hmap_next(&vs->vports, node))
		tell_stats(CONTAINER_OF(node, struct vport, node), operations);
	segment_rows_collect_stats(vs, schema, operations);
	acl_rows_collect(vs, schema, operations, true);
	mirror_rows_collect_stats(vs, schema, operations);
}

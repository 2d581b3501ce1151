/* Rows of segments; see segment_rows.h. */
#include "vswd/segment_rows.h"

#include "vswd/segment.h"
#include "vswd/segment_leases.h"
#include "vswd/status.h"

static json_t *text_or_nothing(const char *text)
{
	json_t *json = text ? json_string(text) : NULL;

	return json ? json : json_pack("[s,[]]", "set");
}

/* --- telling ---------------------------------------------------------------
 */

/* Updates the row unless that was told; notes it in `now`, by its UUID. */
static void tell(const struct segment *seg, json_t *now, const char *table,
		 const struct uuid *uuid, json_t *row, json_t *operations)
{
	char key[UUID_LEN + 1];

	uuid_format(uuid, key);
	json_object_set(now, key, row);
	if (json_equal(json_object_get(seg->told, key), row))
		json_decref(row);
	else
		status_update_row(operations, table, uuid, row);
}

const char *segment_forward_error(const struct segment *seg,
				  const struct cfg_forward *f)
{
	char key[UUID_LEN + 1];

	if (f->error)
		return f->error;
	return json_string_value(json_object_get(seg->forward_errors,
						 uuid_format(&f->uuid, key)));
}

void segment_set_forward_error(struct segment *seg, const struct uuid *forward,
			       const char *why)
{
	char key[UUID_LEN + 1];
	json_t *text = why ? json_string(why) : NULL;

	if (!seg->forward_errors)
		seg->forward_errors = json_object();
	uuid_format(forward, key);
	if (text)
		json_object_set_new(seg->forward_errors, key, text);
	else
		json_object_del(seg->forward_errors, key);
	segment_mark_dirty(seg);
}

static void tell_segment(struct segment *seg, json_t *operations)
{
	const struct cfg_segment *c = seg->config;
	json_t *now = json_object(), *value;
	const char *key;
	void *next;

	seg->dirty = false;
	tell(seg, now, "Segment", &c->uuid,
	     json_pack("{s:o, s:o}", "error",
		       text_or_nothing(segment_fault(seg)), "status",
		       segment_status(seg)),
	     operations);
	for (size_t i = 0; i < c->n_forwards; i++) {
		const struct cfg_forward *f = &c->forwards[i];

		tell(seg, now, "Forward", &f->uuid,
		     json_pack("{s:o}", "error",
			       text_or_nothing(segment_forward_error(seg, f))),
		     operations);
	}
	json_decref(seg->told);
	seg->told = now;
	/* Forwards that are no more. */
	json_object_foreach_safe(seg->forward_errors, next, key,
				 value) if (!json_object_get(now, key))
		json_object_del(seg->forward_errors, key);
}

static bool has_tables(const struct ovsdb_schema *schema)
{
	return ovsdb_schema_table(schema, "Segment") &&
	       ovsdb_schema_table(schema, "Forward") &&
	       ovsdb_schema_table(schema, "Lease");
}

void segment_rows_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
			  json_t *operations)
{
	for (struct segment *seg = vs->segments; seg; seg = seg->next)
		if (seg->dirty && has_tables(schema))
			tell_segment(seg, operations);
}

void segment_rows_forget(struct vswitch *vs)
{
	for (struct segment *seg = vs->segments; seg; seg = seg->next) {
		json_decref(seg->told);
		json_decref(seg->told_stats);
		seg->told = NULL;
		seg->told_stats = NULL;
		seg->dirty = true;
	}
}

void segment_rows_free(struct segment *seg)
{
	json_decref(seg->told);
	json_decref(seg->told_stats);
	json_decref(seg->forward_errors);
}

/* --- statistics ------------------------------------------------------------
 */

static void add_number(json_t *pairs, const char *key, uint64_t n)
{
	json_array_append_new(pairs, json_pack("[s,I]", key, (json_int_t)n));
}

/* As the machines see it: out is what they send to the gateway. */
static void add_traffic(json_t *pairs, const struct segment *seg)
{
	const struct vport *v = seg->ports[ROUTER_INSIDE];
	struct port_counters c;
	uint64_t dropped = 0;

	if (!v || !v->port)
		return;
	port_get_counters(v->port, &c);
	for (int i = 0; i < N_DROP_REASONS; i++)
		dropped += c.drops[i];
	add_number(pairs, "packets_in", c.rx_packets);
	add_number(pairs, "bytes_in", c.rx_bytes);
	add_number(pairs, "packets_out", c.tx_packets);
	add_number(pairs, "bytes_out", c.tx_bytes);
	add_number(pairs, "dropped", dropped);
}

static void add_nat(json_t *pairs, const struct segment *seg)
{
	const struct nat *nat = segment_nat_engine(seg->nat);
	struct nat_stats s;

	if (!nat)
		return;
	nat_get_stats(nat, &s);
	add_number(pairs, "nat_sessions", s.sessions);
	add_number(pairs, "nat_mappings", s.mappings);
	add_number(pairs, "nat_clients", s.clients);
	add_number(pairs, "nat_created", s.created);
	add_number(pairs, "nat_ended", s.ended);
	add_number(pairs, "nat_packets_out", s.translated_out);
	add_number(pairs, "nat_packets_in", s.translated_in);
	add_number(pairs, "nat_hairpinned", s.hairpinned);
}

static void add_dhcp(json_t *pairs, const struct segment *seg)
{
	const struct dhcp *dhcp =
		seg->services ? segment_services_dhcp(seg->services) : NULL;
	const struct dhcp_counters *c;

	if (!dhcp || !seg->leases)
		return;
	c = dhcp_counters(dhcp);
	segment_leases_look(seg->leases, c);
	add_number(pairs, "dhcp_leases", segment_leases_count(seg->leases));
	add_number(pairs, "dhcp_discovers", c->discovers);
	add_number(pairs, "dhcp_requests", c->requests);
	add_number(pairs, "dhcp_acks", c->acks);
	add_number(pairs, "dhcp_naks", c->naks);
	add_number(pairs, "dhcp_declines", c->declines);
	add_number(pairs, "dhcp_bad", c->bad + c->foreign);
	add_number(pairs, "dhcp_exhausted", c->exhausted);
	add_number(pairs, "dhcp_limited", c->limited);
}

static void add_dns(json_t *pairs, const struct segment *seg)
{
	const struct dns_counters *c;

	if (!seg->dns)
		return;
	c = segment_dns_counters(seg->dns);
	add_number(pairs, "dns_queries", c->queries);
	add_number(pairs, "dns_own", c->own);
	add_number(pairs, "dns_relayed", c->relayed);
	add_number(pairs, "dns_answered", c->answered);
	add_number(pairs, "dns_failed", c->failed);
	add_number(pairs, "dns_bad", c->bad);
	add_number(pairs, "dns_limited", c->limited);
	add_number(pairs, "dns_spoofed", c->spoofed);
}

json_t *segment_statistics(const struct segment *seg)
{
	json_t *pairs = json_array();

	add_traffic(pairs, seg);
	if (seg->nat)
		add_nat(pairs, seg);
	add_dhcp(pairs, seg);
	add_dns(pairs, seg);
	return pairs;
}

void segment_rows_collect_stats(struct vswitch *vs,
				const struct ovsdb_schema *schema,
				json_t *operations)
{
	if (!vs->segments || !has_tables(schema))
		return;
	for (struct segment *seg = vs->segments; seg; seg = seg->next) {
		json_t *pairs = segment_statistics(seg);

		segment_status_look(seg);
		if (!json_equal(pairs, seg->told_stats))
			status_update_row(operations, "Segment",
					  &seg->config->uuid,
					  json_pack("{s:[s,O]}", "statistics",
						    "map", pairs));
		json_decref(seg->told_stats);
		seg->told_stats = pairs;
	}
}

/* --- leases ----------------------------------------------------------------
 */

void segment_rows_collect_leases(struct vswitch *vs,
				 const struct ovsdb_schema *schema,
				 json_t *operations)
{
	for (struct segment *seg = vs->segments; seg; seg = seg->next)
		if (seg->leases && has_tables(schema))
			segment_leases_collect(seg->leases, operations);
}

void segment_rows_leases_told(struct vswitch *vs, const json_t *result)
{
	for (struct segment *seg = vs->segments; seg; seg = seg->next)
		if (seg->leases)
			segment_leases_told(seg->leases, result);
}

/* Rows of mirrors: error and statistics. */
#include "base/log.h"
#include "vswd/mirror.h"
#include "vswd/status.h"

LOG_MODULE(bridge);

static bool has_column(const struct ovsdb_schema *schema, const char *column)
{
	const struct ovsdb_table_schema *table =
		ovsdb_schema_table(schema, "Mirror");

	return table && ovsdb_table_schema_column(table, column);
}

void mirror_rows_collect(struct vswitch *vs, const struct ovsdb_schema *schema,
			 json_t *operations)
{
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct mirror *m = b->mirrors; m; m = m->next) {
			json_t *error;

			if (!m->dirty)
				continue;
			m->dirty = false;
			if (m->error)
				log_warn("bridge %s: mirror %s: %s", b->name,
					 m->config->name, m->error);
			/* Open vSwitch's own schema has nowhere to say it. */
			if (!has_column(schema, "error"))
				continue;
			error = m->error ? json_string(m->error) : NULL;
			if (!error)
				error = json_pack("[s,[]]", "set");
			status_update_row(operations, "Mirror",
					  &m->config->uuid,
					  json_pack("{s:o}", "error", error));
		}
}

static void tell_stats(struct mirror *m, json_t *operations)
{
	uint64_t packets, bytes;

	mirror_sum(m, &packets, &bytes);
	if (m->told_once && packets == m->told_packets &&
	    bytes == m->told_bytes)
		return;
	m->told_once = true;
	m->told_packets = packets;
	m->told_bytes = bytes;
	status_update_row(operations, "Mirror", &m->config->uuid,
			  json_pack("{s:[s,[[s,I],[s,I]]]}", "statistics",
				    "map", "tx_bytes", (json_int_t)bytes,
				    "tx_packets", (json_int_t)packets));
}

void mirror_rows_collect_stats(struct vswitch *vs,
			       const struct ovsdb_schema *schema,
			       json_t *operations)
{
	if (!has_column(schema, "statistics"))
		return;
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct mirror *m = b->mirrors; m; m = m->next)
			tell_stats(m, operations);
}

void mirror_rows_forget(struct vswitch *vs)
{
	for (struct bridge *b = vs->bridges; b; b = b->next)
		for (struct mirror *m = b->mirrors; m; m = m->next) {
			m->dirty = true;
			m->told_once = false;
		}
}

/*
 * Transactions of leases: which operations tell the database of what has
 * changed, and what their results mean.
 *
 * A transaction whose outcome is not known may have been carried out. So after
 * one that failed all rows are made anew, and Segment:leases is set to them;
 * those that nothing refers to are gone (RFC 7047 3.1).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vswd/segment_leases_internal.h"
#include "vswd/status.h"

static json_t *text_or_nothing(const char *text)
{
	json_t *json = text && text[0] ? json_string(text) : NULL;

	return json ? json : json_pack("[s,[]]", "set");
}

static json_t *make_row(const struct lease_row *row)
{
	const struct dhcp_lease *lease = &row->lease;
	char ip[INET_ADDRSTRLEN], mac[MAC_STRING_SIZE];
	char id[3 * DHCP_CLIENT_ID_MAX + 1] = "";
	struct in_addr in = { htonl(lease->ip) };

	for (unsigned i = 0; i < lease->client_id_len; i++)
		snprintf(id + (i ? 3 * i - 1 : 0), 4, "%s%02x", i ? ":" : "",
			 lease->client_id[i]);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:I}", "address",
			 inet_ntop(AF_INET, &in, ip, sizeof(ip)), "mac",
			 mac_format(lease->mac, mac), "client_id",
			 text_or_nothing(id), "hostname",
			 text_or_nothing(lease->hostname), "interface",
			 text_or_nothing(row->interface), "state",
			 lease_state_name(lease->state), "expires",
			 (json_int_t)row->expires_s);
}

/* Names in the transaction, and rows there were. */
struct references {
	json_t *added, *removed;
};

static void add_insert(const struct lease_row *row, json_t *operations,
		       struct references *refs)
{
	char name[32];

	snprintf(name, sizeof(name), "lease_%zu", row->index);
	json_array_append_new(operations,
			      json_pack("{s:s, s:s, s:s, s:o}", "op", "insert",
					"table", "Lease", "uuid-name", name,
					"row", make_row(row)));
	json_array_append_new(refs->added,
			      json_pack("[s,s]", "named-uuid", name));
}

static void tell_row(struct segment_leases *l, struct lease_row *row,
		     json_t *operations, struct references *refs)
{
	char text[UUID_LEN + 1];

	row->index = json_array_size(operations);
	if (row->gone) {
		row->sent = SENT_REMOVAL;
		json_array_append_new(refs->removed,
				      json_pack("[s,s]", "uuid",
						uuid_format(&row->uuid, text)));
	} else if (row->has_row) {
		row->sent = SENT_UPDATE;
		status_update_row(operations, "Lease", &row->uuid,
				  make_row(row));
	} else {
		row->sent = SENT_INSERT;
		add_insert(row, operations, refs);
	}
	l->sent =
		xrealloc(l->sent, (l->n_sent + 1) * sizeof(struct lease_row *));
	l->sent[l->n_sent++] = row;
}

static json_t *mutation(const char *how, json_t *references)
{
	return json_pack("[s,s,[s,o]]", "leases", how, "set", references);
}

static void tell_references(const struct segment *seg, bool all,
			    struct references *refs, json_t *operations)
{
	char text[UUID_LEN + 1];

	uuid_format(&seg->config->uuid, text);
	if (all) {
		json_decref(refs->removed);
		status_update_row(
			operations, "Segment", &seg->config->uuid,
			json_pack("{s:[s,o]}", "leases", "set", refs->added));
		return;
	}
	json_array_append_new(operations,
			      json_pack("{s:s, s:s, s:[[s,s,[s,s]]], s:[o,o]}",
					"op", "mutate", "table", "Segment",
					"where", "_uuid", "==", "uuid", text,
					"mutations",
					mutation("delete", refs->removed),
					mutation("insert", refs->added)));
}

/* Nothing of the database is known: all that there is, and nothing else. */
static void tell_all(struct segment_leases *l, json_t *operations,
		     struct references *refs)
{
	struct hmap_node *node, *next;
	struct lease_row *row;

	while ((row = lease_row_take_dirty(l)))
		if (row->is_spare)
			free(row);
	for (node = hmap_next(&l->rows, NULL); node; node = next) {
		next = hmap_next(&l->rows, node);
		row = CONTAINER_OF(node, struct lease_row, node);
		row->has_row = false;
		if (row->gone)
			lease_row_discard(l, row);
		else
			tell_row(l, row, operations, refs);
	}
}

static void tell_some(struct segment_leases *l, json_t *operations,
		      struct references *refs)
{
	struct lease_row *row;

	while (l->n_sent < LEASES_A_TRANSACTION &&
	       (row = lease_row_take_dirty(l)))
		if (row->gone && !row->has_row)
			lease_row_discard(l, row);
		else
			tell_row(l, row, operations, refs);
}

void segment_leases_collect(struct segment_leases *l, json_t *operations)
{
	const struct uuid *segment = &l->seg->config->uuid;
	struct references refs;
	bool all;

	if (!uuid_equals(segment, &l->segment)) {
		l->segment = *segment;
		l->unsure = true;
	}
	all = l->unsure && !l->n_sent;
	if (l->n_sent || (!all && !l->dirty))
		return;
	refs.added = json_array();
	refs.removed = json_array();
	if (all)
		tell_all(l, operations, &refs);
	else
		tell_some(l, operations, &refs);
	l->unsure = false;
	tell_references(l->seg, all, &refs, operations);
}

/* --- what became of it ----------------------------------------------------
 */

/* The answer to the row's operation. */
static bool take_result(struct lease_row *row, const json_t *result)
{
	const json_t *answer = json_array_get(result, row->index);
	const char *uuid;

	switch (row->sent) {
	case SENT_INSERT:
		uuid = json_string_value(
			json_array_get(json_object_get(answer, "uuid"), 1));
		row->has_row = uuid && uuid_from_string(&row->uuid, uuid);
		return row->has_row;
	case SENT_UPDATE: /* somebody may have removed it */
		return json_integer_value(json_object_get(answer, "count"));
	case SENT_REMOVAL:
		row->has_row = false;
		return true;
	case NOT_SENT:
		break;
	}
	return false;
}

void segment_leases_told(struct segment_leases *l, const json_t *result)
{
	size_t n = l->n_sent;

	l->n_sent = 0;
	if (!result && n)
		l->unsure = true;
	for (size_t i = 0; i < n; i++) {
		struct lease_row *row = l->sent[i];

		if (result && !take_result(row, result))
			l->unsure = true;
		row->sent = NOT_SENT;
		/* not when it came back meanwhile */
		if (row->gone && !row->dirty &&
		    (!row->has_row || row->is_spare))
			lease_row_discard(l, row);
	}
}

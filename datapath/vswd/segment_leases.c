/*
 * Leases in the database: rows of table Lease that Segment:leases refers to,
 * written as the DHCP server tells of changes, and read once, when the segment
 * is made.
 *
 * What changed waits until the next transaction (segment_rows.h), so that many
 * changes of one lease become one. A lease is written for a later end of it
 * only when that has moved by an eighth of the lease time: a client that renews
 * it every minute costs no more than others.
 *
 * A transaction whose outcome is not known may have been carried out. So after
 * one that failed all rows are made anew, and Segment:leases is set to them;
 * those that nothing refers to are gone (RFC 7047 3.1).
 */
#include "vswd/segment_leases.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "ovsdb-lite/hmap.h"
#include "vswd/segment.h"
#include "vswd/status.h"
#include "vswd/vbond.h"

LOG_MODULE(dhcp);

#define ROWS_A_TRANSACTION 256

enum sent { NOT_SENT, SENT_INSERT, SENT_UPDATE, SENT_REMOVAL };

struct lease_row {
	struct hmap_node node; /* by address */
	struct dhcp_lease lease;
	int64_t expires_s; /* since 1970 */
	bool gone;	   /* is to be removed */
	bool is_spare;	   /* a second row of its address: not in the table */
	bool has_row;
	struct uuid uuid; /* of the row */

	struct lease_row *next; /* of those that are to be told */
	bool dirty;
	enum sent sent; /* in the transaction under way */
	size_t index;	/* of its operation */
};

struct segment_leases {
	struct segment *seg;
	struct hmap rows;
	struct lease_row *dirty, **dirty_end;
	struct lease_row **sent; /* those of the transaction under way */
	size_t n_sent;
	bool unsure; /* what the database has */
	bool restored;
	struct uuid segment; /* the row that refers to them */
	uint64_t exhausted;  /* that the log has told of */
};

/* --- time ------------------------------------------------------------------
 */

static int64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static int64_t to_wall_s(uint64_t ms)
{
	return (wall_ms() + (int64_t)(ms - vswitch_now_ms()) + 999) / 1000;
}

static uint64_t from_wall_s(int64_t s)
{
	int64_t left_ms, now = vswitch_now_ms();

	/* A row may say anything. */
	s = MAX(INT64_C(0), MIN(s, (int64_t)UINT32_MAX * 4));
	left_ms = s * 1000 - wall_ms();
	return now + left_ms > 0 ? now + left_ms : 0;
}

/* --- rows ------------------------------------------------------------------
 */

static struct lease_row *find(const struct segment_leases *l, uint32_t ip)
{
	struct hmap_node *node = hmap_first(&l->rows, ip);

	return node ? CONTAINER_OF(node, struct lease_row, node) : NULL;
}

static struct lease_row *add(struct segment_leases *l,
			     const struct dhcp_lease *lease)
{
	struct lease_row *row = xcalloc(1, sizeof(*row));

	row->lease = *lease;
	hmap_insert(&l->rows, &row->node, lease->ip);
	return row;
}

static void discard(struct segment_leases *l, struct lease_row *row)
{
	if (!row->is_spare)
		hmap_remove(&l->rows, &row->node);
	free(row);
}

static void mark_dirty(struct segment_leases *l, struct lease_row *row)
{
	struct vswitch *vs = l->seg->vs;

	if (row->dirty)
		return;
	row->dirty = true;
	row->next = NULL;
	*l->dirty_end = row;
	l->dirty_end = &row->next;
	if (vs->wake)
		vs->wake(vs->wake_arg);
}

static struct lease_row *take_dirty(struct segment_leases *l)
{
	struct lease_row *row = l->dirty;

	if (!row)
		return NULL;
	l->dirty = row->next;
	if (!l->dirty)
		l->dirty_end = &l->dirty;
	row->dirty = false;
	return row;
}

/* --- life ------------------------------------------------------------------
 */

struct segment_leases *segment_leases_create(struct segment *seg)
{
	struct segment_leases *l = xcalloc(1, sizeof(*l));

	l->seg = seg;
	l->segment = seg->config->uuid;
	hmap_init(&l->rows);
	l->dirty_end = &l->dirty;
	return l;
}

void segment_leases_destroy(struct segment_leases *l)
{
	struct hmap_node *node, *next;
	struct lease_row *row;

	if (!l)
		return;
	while ((row = take_dirty(l)))
		if (row->is_spare)
			free(row);
	for (size_t i = 0; i < l->n_sent; i++)
		if (l->sent[i]->is_spare)
			free(l->sent[i]);
	for (node = hmap_next(&l->rows, NULL); node; node = next) {
		next = hmap_next(&l->rows, node);
		free(CONTAINER_OF(node, struct lease_row, node));
	}
	hmap_destroy(&l->rows);
	free(l->sent);
	free(l);
}

/* The port that an interface is now; one that nobody has when it is gone. */
static uint32_t find_port(const struct segment *seg, const char *interface)
{
	const struct vport *v =
		interface ? vswitch_find_vport(seg->vs, interface) : NULL;

	return v && v->bridge == seg->bridge ? v->number : UINT32_MAX;
}

/* A row of the database; a second one of an address is to go. */
static void read_row(struct segment_leases *l, const struct cfg_lease *from)
{
	struct dhcp_lease lease = from->lease;
	struct lease_row *row;

	lease.port = find_port(l->seg, from->interface);
	lease.expires_ms = from_wall_s(from->expires_s);
	if (find(l, lease.ip)) {
		row = xcalloc(1, sizeof(*row));
		row->is_spare = row->gone = true;
	} else {
		row = add(l, &lease);
	}
	row->uuid = from->uuid;
	row->has_row = true;
	row->expires_s = from->expires_s;
	if (row->gone)
		mark_dirty(l, row);
}

static void restore(struct segment_leases *l, struct lease_row *row,
		    struct dhcp *dhcp)
{
	const struct dhcp_lease lease = row->lease;
	int error = dhcp_restore(dhcp, &lease, vswitch_now_ms());

	if (!error)
		return;
	log_info("segment %s: a lease of the database is left out: %s",
		 l->seg->config->name, strerror(-error));
	row->gone = true;
	mark_dirty(l, row);
}

/*
 * The database is read once; to another server go those that there are. The
 * rows are there before the server, which may tell at once that one is over.
 */
void segment_leases_restore(struct segment_leases *l, struct dhcp *dhcp)
{
	const struct cfg_segment *config = l->seg->config;
	struct hmap_node *node = NULL;

	for (size_t i = 0; i < config->n_leases && !l->restored; i++)
		read_row(l, &config->leases[i]);
	l->restored = true;
	while ((node = hmap_next(&l->rows, node))) {
		struct lease_row *row =
			CONTAINER_OF(node, struct lease_row, node);

		if (!row->gone)
			restore(l, row, dhcp);
	}
	if (l->rows.n)
		log_info("segment %s: %zu leases are restored", config->name,
			 segment_leases_count(l));
}

static bool same_but_time(const struct dhcp_lease *a,
			  const struct dhcp_lease *b)
{
	return a->state == b->state && a->mac == b->mac && a->port == b->port &&
	       a->client_id_len == b->client_id_len &&
	       !memcmp(a->client_id, b->client_id, a->client_id_len) &&
	       !strcmp(a->hostname, b->hostname);
}

static const char *state_name(enum dhcp_lease_state state)
{
	return state == DHCP_BOUND	? "bound"
	       : state == DHCP_DECLINED ? "declined"
					: "over";
}

static void log_change(const struct segment_leases *l,
		       const struct lease_row *row)
{
	const struct dhcp_lease *lease = &row->lease;
	const char *name = l->seg->config->name;
	char ip[INET_ADDRSTRLEN], mac[MAC_STRING_SIZE];
	struct in_addr in = { htonl(lease->ip) };

	inet_ntop(AF_INET, &in, ip, sizeof(ip));
	mac_format(lease->mac, mac);
	if (lease->state == DHCP_DECLINED && !row->gone)
		log_warn_limited("segment %s: %s says that %s, which it was "
				 "given, is used by another machine; it is not "
				 "given out for a while",
				 name, mac, ip);
	else
		log_dbg("segment %s: lease of %s to %s: %s", name, ip, mac,
			row->gone ? "gone" : state_name(lease->state));
}

void segment_leases_changed(struct segment_leases *l,
			    const struct dhcp_lease *lease, bool gone)
{
	struct lease_row *row = find(l, lease->ip);
	int64_t expires_s = to_wall_s(lease->expires_ms);
	int64_t least = l->seg->config->dhcp.lease_s / 8;

	if (row && !gone && !row->gone && same_but_time(&row->lease, lease) &&
	    llabs(expires_s - row->expires_s) < MAX(least, INT64_C(1)))
		return;
	if (!row)
		row = add(l, lease);
	row->lease = *lease;
	row->expires_s = expires_s;
	row->gone = gone;
	log_change(l, row);
	mark_dirty(l, row);
}

/* --- telling ---------------------------------------------------------------
 */

static json_t *text_or_nothing(const char *text)
{
	json_t *json = text && text[0] ? json_string(text) : NULL;

	return json ? json : json_pack("[s,[]]", "set");
}

static const char *interface_name(const struct segment *seg, uint32_t port)
{
	const struct vport *v = port <= UINT16_MAX
					? bridge_find_number(seg->bridge, port)
					: NULL;

	return v ? v->interface->name : NULL;
}

static json_t *make_row(const struct segment *seg, const struct lease_row *row)
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
			 text_or_nothing(interface_name(seg, lease->port)),
			 "state", state_name(lease->state), "expires",
			 (json_int_t)row->expires_s);
}

/* Names in the transaction, and rows there were. */
struct references {
	json_t *added, *removed;
};

static void add_insert(const struct segment *seg, const struct lease_row *row,
		       json_t *operations, struct references *refs)
{
	char name[32];

	snprintf(name, sizeof(name), "lease_%zu", row->index);
	json_array_append_new(operations,
			      json_pack("{s:s, s:s, s:s, s:o}", "op", "insert",
					"table", "Lease", "uuid-name", name,
					"row", make_row(seg, row)));
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
				  make_row(l->seg, row));
	} else {
		row->sent = SENT_INSERT;
		add_insert(l->seg, row, operations, refs);
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

	while ((row = take_dirty(l)))
		if (row->is_spare)
			free(row);
	for (node = hmap_next(&l->rows, NULL); node; node = next) {
		next = hmap_next(&l->rows, node);
		row = CONTAINER_OF(node, struct lease_row, node);
		row->has_row = false;
		if (row->gone)
			discard(l, row);
		else
			tell_row(l, row, operations, refs);
	}
}

static void tell_some(struct segment_leases *l, json_t *operations,
		      struct references *refs)
{
	struct lease_row *row;

	while (l->n_sent < ROWS_A_TRANSACTION && (row = take_dirty(l)))
		if (row->gone && !row->has_row)
			discard(l, row);
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
			discard(l, row);
	}
}

void segment_leases_look(struct segment_leases *l,
			 const struct dhcp_counters *counters)
{
	uint64_t n = counters->exhausted - l->exhausted;

	if (n)
		log_warn_limited("segment %s: no address was free for %llu "
				 "requests; widen options:dhcp-range, or make "
				 "lease-time shorter",
				 l->seg->config->name, (unsigned long long)n);
	l->exhausted = counters->exhausted;
}

size_t segment_leases_count(const struct segment_leases *l)
{
	const struct lease_row *row;
	struct hmap_node *node = NULL;
	size_t n = 0;

	while ((node = hmap_next(&l->rows, node))) {
		row = CONTAINER_OF(node, struct lease_row, node);
		n += row->lease.state == DHCP_BOUND && !row->gone;
	}
	return n;
}

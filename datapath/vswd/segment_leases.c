/*
 * Leases in the database: rows of table Lease that Segment:leases refers to,
 * written as the DHCP server tells of changes, and read once, when the segment
 * is made.
 *
 * What changed waits until the next transaction (segment_rows.h), so that many
 * changes of one lease become one. A lease is written for a later end of it
 * only when that has moved by an eighth of the lease time: a client that renews
 * it every minute costs no more than others. So a row may say an earlier end
 * than its client was told, and is believed to be that much behind when it is
 * read.
 *
 * The transactions themselves are in segment_leases_told.c.
 */
#include "vswd/segment_leases_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "vswd/vbond.h"

LOG_MODULE(dhcp);

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

void lease_row_discard(struct segment_leases *l, struct lease_row *row)
{
	if (!row->is_spare)
		hmap_remove(&l->rows, &row->node);
	free(row->interface);
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

struct lease_row *lease_row_take_dirty(struct segment_leases *l)
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
	while ((row = lease_row_take_dirty(l)))
		if (row->is_spare)
			lease_row_discard(l, row);
	for (size_t i = 0; i < l->n_sent; i++)
		if (l->sent[i]->is_spare)
			free(l->sent[i]);
	for (node = hmap_next(&l->rows, NULL); node; node = next) {
		next = hmap_next(&l->rows, node);
		lease_row_discard(l,
				  CONTAINER_OF(node, struct lease_row, node));
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

/* Ends that differ by less are not written. */
static int64_t worth_writing_s(const struct segment_leases *l)
{
	return MAX((int64_t)l->seg->config->dhcp.lease_s / 8, INT64_C(1));
}

/* A row of the database; a second one of an address is to go. */
static void read_row(struct segment_leases *l, const struct cfg_lease *from)
{
	struct dhcp_lease lease = from->lease;
	struct lease_row *row;

	lease.port = find_port(l->seg, from->interface);
	lease.expires_ms = from_wall_s(from->expires_s);
	/* Nobody else gets an address that its client may still hold. */
	if (lease.state == DHCP_BOUND)
		lease.expires_ms += worth_writing_s(l) * 1000;
	if (find(l, lease.ip)) {
		row = xcalloc(1, sizeof(*row));
		row->is_spare = row->gone = true;
	} else {
		row = add(l, &lease);
		row->interface =
			from->interface ? xstrdup(from->interface) : NULL;
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

/* Where the client is that has just been heard; NULL: nowhere any more. */
static const char *interface_name(const struct segment *seg, uint32_t port)
{
	const struct vport *v = port <= UINT16_MAX
					? bridge_find_number(seg->bridge, port)
					: NULL;

	return v ? v->interface->name : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_but_time(const struct lease_row *row,
			  const struct dhcp_lease *lease, const char *interface)
{
	const struct dhcp_lease *told = &row->lease;

	return told->state == lease->state && told->mac == lease->mac &&
	       told->client_id_len == lease->client_id_len &&
	       !memcmp(told->client_id, lease->client_id,
		       told->client_id_len) &&
	       !strcmp(told->hostname, lease->hostname) &&
	       same_text(row->interface, interface);
}

static void set_interface(struct lease_row *row, const char *interface)
{
	if (same_text(row->interface, interface))
		return;
	free(row->interface);
	row->interface = interface ? xstrdup(interface) : NULL;
}

const char *lease_state_name(enum dhcp_lease_state state)
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
			row->gone ? "gone" : lease_state_name(lease->state));
}

void segment_leases_changed(struct segment_leases *l,
			    const struct dhcp_lease *lease, bool gone)
{
	struct lease_row *row = find(l, lease->ip);
	int64_t expires_s = to_wall_s(lease->expires_ms);
	const char *interface = row ? row->interface : NULL;

	/* Of one that runs out nobody has been heard. */
	if (!row || lease->state != DHCP_OVER)
		interface = interface_name(l->seg, lease->port);
	if (row && !gone && !row->gone &&
	    same_but_time(row, lease, interface) &&
	    llabs(expires_s - row->expires_s) < worth_writing_s(l)) {
		row->lease.expires_ms = lease->expires_ms;
		return;
	}
	if (!row)
		row = add(l, lease);
	row->lease = *lease;
	row->expires_s = expires_s;
	row->gone = gone;
	set_interface(row, interface);
	log_change(l, row);
	mark_dirty(l, row);
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

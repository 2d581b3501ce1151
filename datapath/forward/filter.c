/*
 * What a bond's member keeps from the bridge. A switch that does not know of
 * the bond floods to each of its links, and sends to one what we sent by
 * another; of such copies one may come in, and of our own frames none.
 *
 * A station that is known behind another port of the bridge has sent this frame
 * there, and we have sent it out by the bond: so it is dropped, unless it
 * announces itself, as a station does that has really moved (gratuitous ARP; a
 * RARP request, as hypervisors send after a migration; an unsolicited neighbour
 * advertisement). But an announcement, too, comes back when a station behind us
 * has made it: for some seconds after that none is believed from the bond (Open
 * vSwitch's gratuitous ARP lock).
 *
 * Workers take over a snapshot one after the other. So one may send by a member
 * that another does not let in yet, and lose the answer; or send to all by a
 * new member, while another lets the reflection in by the old one, and learns
 * our own station there. Therefore members let in first what they are to let
 * in, in the old snapshot, and no reflections; groups wait for the new one:
 * of a frame that comes by both members one copy would be too many.
 */
#include "forward/stage.h"

/* A station that is not where it is known, and does not say that it moved. */
static bool is_reflected(const struct stage *s, const struct item *item)
{
	const struct fdb *fdb = s->as->bridge->fdb;
	unsigned at = fdb_lookup_in(fdb, item->src_bucket, item->src);

	if (likely(at == FDB_NONE || at == s->as->number))
		return false;
	return !protocol_is_announcement(item) ||
	       fdb_is_announced(fdb, item->src);
}

/* A drop reason, or -1. */
static int judge(const struct stage *s, const struct item *item, uint8_t filter)
{
	if (filter & FWD_FILTER_ALL)
		return DROP_BOND_STANDBY;
	if (filter & FWD_FILTER_MULTICAST && item->packet->header[0] & 1)
		return DROP_BOND_DUPLICATE;
	if (filter & FWD_FILTER_MOVED && is_reflected(s, item))
		return DROP_BOND_MOVED;
	return -1;
}

void filter_burst(const struct pipeline *pl, struct stage *s)
{
	uint8_t filter = fwd_port_filter(s->in);
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_items; i++) {
		int reason = judge(s, &s->items[i], filter);

		if (unlikely(reason >= 0)) {
			drop(pl, s->in, s->items[i].packet, reason);
			continue;
		}
		if (n != i)
			s->items[n] = s->items[i];
		n++;
	}
	s->n_items = n;
}

void filter_note_announced(const struct stage *s)
{
	for (unsigned i = 0; i < s->n_items; i++) {
		const struct item *item = &s->items[i];

		if (item->packet->header[0] & 1 &&
		    protocol_is_announcement(item))
			fdb_note_announced(s->as->bridge->fdb, item->src);
	}
}

/* --- from one snapshot to the next --------------------------------------- */

static const struct fwd_bond *find_bond(const struct fwd_snapshot *s,
					const struct fdb *fdb, uint16_t number)
{
	for (unsigned i = 0; i < s->n_bridges; i++) {
		const struct fwd_bridge *b = s->bridges[i];

		if (b->fdb == fdb && number < b->n_numbers &&
		    b->by_number[number])
			return b->by_number[number]->bond;
	}
	return NULL;
}

static const struct fwd_port *find_member(const struct fwd_bond *bond,
					  const struct port *port)
{
	for (unsigned i = 0; i < bond->n_members; i++) {
		if (bond->members[i] && bond->members[i]->port == port)
			return bond->members[i];
	}
	return NULL;
}

/* Of a member that lets nothing in, now and then, it stays so. */
static uint8_t between(uint8_t now, uint8_t next)
{
	if (now & next & FWD_FILTER_ALL)
		return now;
	if (now & FWD_FILTER_ALL)
		now = FWD_FILTER_MULTICAST;
	return now | FWD_FILTER_MOVED;
}

static void loosen_bond(struct fwd_bond *now, const struct fwd_bond *next)
{
	for (unsigned i = 0; i < now->n_members; i++) {
		struct fwd_port *m = now->members[i];
		const struct fwd_port *then;

		then = m ? find_member(next, m->port) : NULL;
		if (then)
			atomic_store_explicit(&m->filter,
					      between(fwd_port_filter(m),
						      fwd_port_filter(then)),
					      memory_order_relaxed);
	}
}

static bool same_filters(const struct fwd_bond *now,
			 const struct fwd_bond *next)
{
	for (unsigned i = 0; i < next->n_members; i++) {
		const struct fwd_port *then = next->members[i], *m;

		m = then ? find_member(now, then->port) : NULL;
		if (m && fwd_port_filter(m) != fwd_port_filter(then))
			return false;
	}
	return true;
}

void fwd_snapshot_loosen(const struct fwd_snapshot *now,
			 const struct fwd_snapshot *next)
{
	for (unsigned i = 0; now && i < now->n_bridges; i++) {
		const struct fwd_bridge *b = now->bridges[i];

		for (unsigned k = 0; k < b->n_ports; k++) {
			struct fwd_bond *bond = b->ports[k]->bond;
			const struct fwd_bond *then =
				bond ? find_bond(next, b->fdb,
						 b->ports[k]->number)
				     : NULL;

			if (then && !same_filters(bond, then))
				loosen_bond(bond, then);
		}
	}
}

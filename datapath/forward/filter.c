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
static int judge(const struct stage *s, const struct item *item)
{
	uint8_t filter = s->in->filter;

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
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_items; i++) {
		int reason = judge(s, &s->items[i]);

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

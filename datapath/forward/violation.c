/*
 * The end of a packet that its port's policy forbids: counted as any drop, and
 * told to the control thread at a bounded pace, as people want to know who it
 * was (vswd/events.h).
 */
#include "forward/punt.h"
#include "forward/stage.h"

void drop_violation(const struct pipeline *pl, const struct fwd_port *in,
		    const struct item *item, enum drop_reason reason)
{
	drop(pl, in, item->packet, reason);
	if (in->punt && in->punts >> PUNT_VIOLATION & 1)
		punt_violation(in->punt, item->packet, item->vlan.vid, reason);
}

void drop_violation_out(const struct pipeline *pl, const struct fwd_port *out,
			const struct packet *p, uint16_t vid,
			enum drop_reason reason)
{
	const struct fwd_port *teller = out;

	drop_out(pl, out, p, reason);
	/* A bond has no tap: any of its members stands for it. */
	for (unsigned i = 0; out->bond && i < out->bond->n_members; i++)
		if (out->bond->members[i] && out->bond->members[i]->punt) {
			teller = out->bond->members[i];
			break;
		}
	if (teller->punt && teller->punts >> PUNT_VIOLATION & 1)
		punt_violation(teller->punt, p, vid, reason);
}

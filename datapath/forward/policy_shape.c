/*
 * Packets that a port's shaper keeps, and those that it lets go: on their way
 * from policy_out.c to output.c they stay with shape/shaper.h for a while, and
 * come back on the thread that is its home, perhaps with another snapshot. So
 * what is remembered of them is what every snapshot has: the remote VTEP's
 * index, or the number of the port from which they go to a bond, whose member
 * may depend on it; and how many bridges they have crossed, of which there are
 * to be no more just because they have waited.
 */
#include <stdlib.h>

#include "base/ticks.h"
#include "forward/pipeline.h"
#include "forward/policies.h"
#include "forward/stage.h"
#include "shape/shaper_home.h"

/* What the way on depends on. */
static uint32_t via_of(const struct pipeline *pl, const struct fwd_port *out)
{
	const struct fwd_port *from = pl->stages[pl->depth]->as;

	if (!out->bond)
		return out->remote;
	return from ? from->number : 0;
}

void policy_shape(struct pipeline *pl, const struct fwd_port *out,
		  struct packet *const packets[], unsigned n)
{
	struct shaper *shaper = out->egress->shaper;
	uint64_t now_ns = ticks_to_ns(ticks_now());
	uint32_t via = via_of(pl, out);

	for (unsigned i = 0; i < n; i++) {
		unsigned refused =
			shaper_put(shaper, packets[i], via, pl->depth, now_ns);

		if (likely(!refused))
			continue;
		drop_out(pl, out, packets[i], DROP_QUEUE_FULL);
		port_drop(out->port, pl->thread, DROP_QUEUE_FULL, refused - 1);
	}
	shaper_wake(shaper);
}

void snapshot_find_shaped(struct fwd_snapshot *s)
{
	for (unsigned b = 0; b < s->n_bridges; b++) {
		const struct fwd_bridge *bridge = s->bridges[b];

		for (unsigned i = 0; i < bridge->n_ports; i++) {
			const struct fwd_port *p = bridge->ports[i];

			if (!p->egress || !p->egress->shaper)
				continue;
			s->shaped =
				xrealloc(s->shaped, (s->n_shaped + 1) *
							    sizeof(*s->shaped));
			s->shaped[s->n_shaped++] = p;
		}
	}
}

struct shaper *fwd_port_shaper(const struct fwd_port *port)
{
	return port->egress->shaper;
}

/* The port that the packet was for, as this snapshot has it, or NULL. */
static const struct fwd_port *find_out(const struct fwd_port *shaped,
				       uint32_t remote)
{
	const struct fwd_tunnel *tunnel = shaped->tunnel;

	if (!tunnel || remote == shaped->remote)
		return shaped;
	return remote < tunnel->n_remotes ? tunnel->remotes[remote] : NULL;
}

/*
 * By which port they came is not known any more, but for bonds; and the stages
 * remember what came last, perhaps of a snapshot that has gone. Who tells the
 * control thread of them does so at the pace of the port that kept them.
 */
static void forget_origin(struct pipeline *pl, const struct fwd_port *shaped,
			  uint32_t via)
{
	const struct fwd_bridge *bridge = shaped->bridge;

	for (unsigned i = 0; i <= pl->depth; i++)
		pl->stages[i]->in = pl->stages[i]->as = NULL;
	pl->stages[0]->in = shaped;
	if (shaped->bond && via < bridge->n_numbers)
		pl->stages[pl->depth]->as = bridge->by_number[via];
}

/* Packets with the same via and depth. */
static void let_go(struct pipeline *pl, const struct fwd_port *shaped,
		   const struct shaper_sent *sent,
		   struct packet *const packets[], unsigned n)
{
	const struct fwd_port *out = find_out(shaped, sent->via);

	if (!out) {
		for (unsigned i = 0; i < n; i++)
			drop_out(pl, shaped, packets[i], DROP_TUNNEL_NO_REMOTE);
		return;
	}
	pl->depth = MIN(sent->depth, PATCH_DEPTH_MAX - 1);
	pl->copies_left = n * PATCH_COPIES_MAX;
	forget_origin(pl, shaped, sent->via);
	/* Copies of mirrors are copied no more, wherever they lead. */
	if (shaped->egress->reserved)
		pl->mirroring[pl->depth] = shaped->bridge;
	output_on(pl, out, packets, n);
	pl->mirroring[pl->depth] = NULL;
	pl->depth = 0;
}

static bool is_alike(const struct shaper_sent *a, const struct shaper_sent *b)
{
	return !b->dropped && a->via == b->via && a->depth == b->depth;
}

void pipeline_shaped(struct pipeline *pl, const struct fwd_port *shaped,
		     const struct shaper_batch *batch)
{
	struct packet *packets[SHAPER_SENT_MAX];
	unsigned i = 0;

	if (unlikely(batch->n_full))
		port_drop(shaped->port, pl->thread, DROP_QUEUE_FULL,
			  batch->n_full);
	while (i < batch->n) {
		const struct shaper_sent *sent = &batch->sent[i];
		unsigned n = 0;

		if (sent->dropped) {
			drop_out(pl, shaped, &batch->packets[i], sent->reason);
			i++;
			continue;
		}
		/* They are the batch's, to be changed on their way. */
		for (; i < batch->n && is_alike(sent, &batch->sent[i]); i++)
			packets[n++] = (struct packet *)&batch->packets[i];
		let_go(pl, shaped, sent, packets, n);
	}
}

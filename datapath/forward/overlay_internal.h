/*
 * What the ways into a tunnel (overlay.c) and out of it (overlay_arrive.c) have
 * alike. Internal to those.
 */
#ifndef FORWARD_OVERLAY_INTERNAL_H
#define FORWARD_OVERLAY_INTERNAL_H

#include "forward/stage.h"
#include "tunnel/tunnel.h"

/*
 * Whether packets are on their way from that tunnel or underlay, or from as
 * many as there can be.
 */
static inline bool overlay_is_inside(const struct pipeline *pl,
				     const void *tunnel)
{
	for (unsigned i = 0; i < pl->n_inside; i++)
		if (pl->inside[i] == tunnel)
			return true;
	return pl->n_inside == TUNNEL_LEVELS_MAX;
}

/* Memory for a tunnel's bursts; a switch without tunnels has none. */
static inline struct tunnel_scratch *overlay_begin(struct pipeline *pl,
						   const void *tunnel)
{
	unsigned level = pl->n_inside++;

	pl->inside[level] = tunnel;
	if (unlikely(!pl->scratches[level]))
		pl->scratches[level] = tunnel_scratch_create();
	return pl->scratches[level];
}

static inline void overlay_end(struct pipeline *pl)
{
	pl->n_inside--;
}

/* Packets that end at the port by which they were to leave. */
void overlay_drop_all(const struct pipeline *pl, const struct fwd_port *out,
		      struct packet *const packets[], unsigned n,
		      enum drop_reason reason);

/*
 * To the control thread, by the port by which the packet came into the switch.
 * id, note: of struct punt_record; note may be NULL. of_link: see
 * gateway_is_of_link().
 */
enum punt_result overlay_punt(const struct pipeline *pl, const struct packet *p,
			      enum punt_kind kind, uint32_t id,
			      const struct tunnel_note *note, bool of_link);

#endif

/*
 * Frames of the switch's own, from the control thread: they leave by one port,
 * as they are or with the tag of a VLAN.
 */
#include "forward/pipeline.h"
#include "forward/stage.h"

/* The port behind which the frame's sender is, NULL when that is not known. */
static const struct fwd_port *find_sender(const struct fwd_bridge *bridge,
					  fdb_key src)
{
	unsigned number = fdb_lookup(bridge->fdb, src);

	return number < bridge->n_numbers ? bridge->by_number[number] : NULL;
}

/* In a VLAN: as if it came from where its sender is. */
static void emit_in_vlan(struct pipeline *pl, const struct fwd_port *out,
			 struct stage *s, uint16_t vid)
{
	const struct fwd_bridge *bridge = out->bridge;
	struct item *item = &s->items[0];

	item->src = fdb_make_key(load_mac(item->packet->header + 6),
				 fwd_bridge_fid(bridge, vid));
	item->vlan = (struct vlan_state){ .vid = vid };
	item->tpid = out->tpid;
	s->in = s->as = find_sender(bridge, item->src);
	if (bridge->notes_announced && protocol_is_announcement(item))
		fdb_note_announced(bridge->fdb, item->src);
	output_emit(pl, out, item);
}

void pipeline_emit(struct pipeline *pipeline, const struct fwd_port *out,
		   const void *frame, uint32_t len, uint16_t vid)
{
	struct stage *s = pipeline->stages[0];
	struct packet p;

	packet_init(&p, frame, len);
	packet_pull_first(&p);
	p.mirrored = 0;
	if (p.header_len < ETH_HEADER_LEN)
		return; /* no frame at all */
	pipeline->depth = 0;
	s->in = s->as = NULL;
	s->items[0].packet = &p;
	s->sending[0] = &p;
	if (vid == VLAN_VID_NONE)
		output_send(pipeline, out, s->sending, 1);
	else
		emit_in_vlan(pipeline, out, s, vid);
	pipeline->last_out = NULL;
}

/*
 * A packet's whole way, on one screen. Each step is a file of its name:
 *
 *	receive (port/)       a burst of borrowed frames from one queue
 *	ingress.c             private header, well-formedness, VLAN, admission
 *	lookup.c              learn the senders, look up the receivers
 *	output.c              sort by port, tags, flood
 *	port_send (port/)     MTU, offloads, transmit; or into the next bridge
 *
 * Every packet that does not leave ends in drop(), with a reason.
 */
#include "forward/pipeline.h"

#include <stdlib.h>

#include "forward/stage.h"

struct pipeline *pipeline_create(unsigned thread)
{
	struct pipeline *pl = xcalloc(1, sizeof(*pl));

	pl->thread = thread;
	for (unsigned i = 0; i < PATCH_DEPTH_MAX; i++) {
		pl->stages[i] = xcalloc_aligned(1, sizeof(struct stage));
		pl->crossed[i] = xcalloc_aligned(PACKET_BURST_MAX,
						 sizeof(struct packet));
	}
	return pl;
}

void pipeline_destroy(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	for (unsigned i = 0; i < PATCH_DEPTH_MAX; i++) {
		free(pipeline->stages[i]);
		free(pipeline->crossed[i]);
	}
	free(pipeline);
}

static void forward(struct pipeline *pl, const struct fwd_port *in,
		    struct packet *packets, unsigned n)
{
	struct stage *s = pl->stages[pl->depth];

	s->in = in;
	ingress_burst(pl, s, packets, n);
	lookup_burst(s);
	output_burst(pl, s);
}

void pipeline_run(struct pipeline *pipeline, const struct fwd_port *in,
		  struct packet *packets, unsigned n)
{
	pipeline->depth = 0;
	forward(pipeline, in, packets, n);
}

void pipeline_warm(struct pipeline *pipeline)
{
	if (pipeline->last_out)
		port_warm(pipeline->last_out->port, pipeline->thread);
}

void pipeline_forget(struct pipeline *pipeline)
{
	pipeline->last_out = NULL;
}

static void count_sent(const struct fwd_port *out, unsigned thread,
		       struct packet *const packets[], unsigned n)
{
	struct port_counters *c = out->port->counters[thread];
	unsigned multicast = 0, broadcast = 0;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t mac = load_mac(packets[i]->header);

		bytes += packets[i]->len;
		if (mac == MAC_BROADCAST)
			broadcast++;
		else if (mac_is_multicast(mac))
			multicast++;
	}
	counter_add(&c->tx_packets, n);
	counter_add(&c->tx_bytes, bytes);
	counter_add(&c->tx_multicast, multicast);
	counter_add(&c->tx_broadcast, broadcast);
}

void pipeline_cross(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n)
{
	struct packet *views = pl->crossed[pl->depth];

	if (!pl->depth)
		pl->copies_left = n * PATCH_COPIES_MAX;
	if (pl->depth + 1 == PATCH_DEPTH_MAX || n > pl->copies_left) {
		port_drop(out->port, pl->thread, DROP_PATCH_LOOP, n);
		for (unsigned i = 0; out->capture && i < n; i++)
			capture_drop(out->capture, packets[i], CAPTURE_OUT,
				     DROP_PATCH_LOOP);
		return;
	}
	for (unsigned i = 0; out->capture && i < n; i++)
		capture_packet(out->capture, packets[i], CAPTURE_OUT);
	pl->copies_left -= n;
	count_sent(out, pl->thread, packets, n);
	/* The other bridge may change tags: it gets views of its own. */
	for (unsigned i = 0; i < n; i++)
		packet_copy(&views[i], packets[i]);
	pl->depth++;
	forward(pl, out->patch_peer, views, n);
	pl->depth--;
}

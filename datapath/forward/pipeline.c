/*
 * A packet's whole way, on one screen. Each step is a file of its name:
 *
 *	receive (port/)       a burst of borrowed frames from one queue
 *	ingress.c             private header, well-formedness, VLAN, admission
 *	filter.c              what a bond's member may not let in
 *	policy_in.c           mirrors, guards, access lists, limits, marks
 *	lookup.c              learn the senders, look up the receivers
 *	output.c              sort by port, tags
 *	flood.c               to all ports, where the receiver is not known
 *	policy_out.c          access lists, marks, mirrors
 *	policy_shape.c        a shaper keeps packets for later
 *	port_send (port/)     MTU, offloads, transmit; or into the next bridge
 *
 * A burst from one port to one station goes a shorter way (uniform.c).
 *
 * Every packet that does not leave ends in drop(), with a reason, or with the
 * control thread (protocol.c). A bond's members are chosen in bond_out.c; here,
 * the way of packets to a gateway: they are routed, into the bridge of another
 * of its ports (gateway.c). Tunnels are overlay*.c's. Frames of our own begin
 * in emit.c.
 */
#include "forward/pipeline.h"

#include <stdlib.h>
#include <time.h>

#include "bond/bond_table.h"
#include "forward/mirror.h"
#include "forward/punt.h"
#include "forward/stage.h"
#include "forward/trace.h"
#include "router/router.h"

struct pipeline *pipeline_create(unsigned thread)
{
	struct pipeline *pl = xcalloc(1, sizeof(*pl));

	pl->thread = thread;
	pl->rows = xcalloc_aligned(1, sizeof(*pl->rows));
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
	overlay_free_scratches(pipeline);
	mirror_free_scratches(pipeline);
	free(pipeline->rows);
	free(pipeline);
}

/* What is to be seen of packets to groups beside where they go. */
static void look_at_groups(const struct stage *s)
{
	if (s->in->punts >> PUNT_NEIGHBOR & 1 && s->in->punt)
		protocol_copy_neighbors(s);
	if (s->as->bridge->notes_announced && !s->as->bond)
		filter_note_announced(s);
}

/* Where a trace looks on; traced: constant. */
#define TOOK(AT)                                                               \
	do {                                                                   \
		if (traced)                                                    \
			trace_took(pl, s, AT);                                 \
	} while (0)

__attribute__((always_inline)) static inline void take_steps(
	struct pipeline *pl, struct stage *s, struct packet *packets,
	unsigned n, bool traced)
{
	const struct fwd_port *in = s->in;

	ingress_burst(pl, s, packets, n);
	TOOK(TRACE_AT_INGRESS);
	if (unlikely(fwd_port_filter(in))) {
		filter_burst(pl, s);
		TOOK(TRACE_AT_BOND);
	}
	if (unlikely(s->as->ingress != NULL)) {
		if (traced)
			trace_policies_in(pl, s);
		policy_in_burst(pl, s);
		TOOK(TRACE_AT_POLICY);
	}
	if (unlikely(s->n_groups))
		look_at_groups(s);
	if (unlikely(in->punts & PUNT_ANSWERS))
		protocol_copy_answers(s);
	lookup_burst(s);
	TOOK(TRACE_AT_LOOKUP);
	if (unlikely(s->as->ingress != NULL))
		policy_found_burst(pl, s);
	TOOK(TRACE_AT_FOUND);
	output_burst(pl, s);
	TOOK(TRACE_AT_OUTPUT);
}

static __attribute__((noinline)) void take_traced_steps(struct pipeline *pl,
							struct stage *s,
							struct packet *packets,
							unsigned n)
{
	trace_enters(pl, s, packets, n);
	take_steps(pl, s, packets, n, true);
}

/* native_vid: the VLAN of untagged packets. */
static void forward(struct pipeline *pl, const struct fwd_port *in,
		    uint16_t native_vid, struct packet *packets, unsigned n)
{
	struct stage *s = pl->stages[pl->depth];

	s->in = in;
	s->as = in->as;
	s->native_vid = native_vid;
	if (unlikely(in->bridge->n_mirrors))
		mirror_begin(packets, n);
	if (unlikely(pl->trace != NULL))
		take_traced_steps(pl, s, packets, n);
	else if (!seems_uniform(packets, n) ||
		 !uniform_burst(pl, s, packets, n))
		take_steps(pl, s, packets, n, false);
}

void pipeline_forward(struct pipeline *pl, const struct fwd_port *in,
		      struct packet *packets, unsigned n)
{
	forward(pl, in, in->native_vid, packets, n);
}

void pipeline_forward_vlan(struct pipeline *pl, const struct fwd_port *in,
			   uint16_t vid, struct packet *packets, unsigned n)
{
	forward(pl, in, vid, packets, n);
}

void pipeline_run(struct pipeline *pipeline, const struct fwd_port *in,
		  struct packet *packets, unsigned n)
{
	pipeline->depth = 0;
	if (unlikely(in->underlay) && !in->underlay->bridged)
		overlay_receive(pipeline, in, packets, n);
	else
		forward(pipeline, in, in->native_vid, packets, n);
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

static __attribute__((noinline)) void count_groups(
	struct port_counters *c, struct packet *const packets[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t mac = load_mac(packets[i]->header);

		if (mac == MAC_BROADCAST)
			counter_add(&c->tx_broadcast, 1);
		else if (mac_is_multicast(mac))
			counter_add(&c->tx_multicast, 1);
	}
}

static inline void count_sent(const struct fwd_port *out, unsigned thread,
			      unsigned n, uint64_t bytes)
{
	struct port_counters *c = out->port->counters[thread];

	counter_add(&c->tx_packets, n);
	counter_add(&c->tx_bytes, bytes);
}

void pipeline_count_sent(const struct fwd_port *out, unsigned thread,
			 struct packet *const packets[], unsigned n)
{
	unsigned first_bytes = 0;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		bytes += packets[i]->len;
		first_bytes |= packets[i]->header[0];
	}
	count_sent(out, thread, n, bytes);
	if (unlikely(first_bytes & 1))
		count_groups(out->port->counters[thread], packets, n);
}

bool pipeline_may_descend(struct pipeline *pl, unsigned n)
{
	if (!pl->depth)
		pl->copies_left = n * PATCH_COPIES_MAX;
	if (pl->depth + 1 == PATCH_DEPTH_MAX || n > pl->copies_left)
		return false;
	pl->copies_left -= n;
	return true;
}

bool pipeline_descend(struct pipeline *pl, const struct fwd_port *out,
		      struct packet *const packets[], unsigned n)
{
	if (!pipeline_may_descend(pl, n)) {
		for (unsigned i = 0; i < n; i++)
			drop_out(pl, out, packets[i], DROP_PATCH_LOOP);
		return false;
	}
	for (unsigned i = 0; out->capture && i < n; i++)
		capture_packet(out->capture, packets[i], CAPTURE_OUT);
	return true;
}

void pipeline_cross(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n)
{
	struct packet *views = pl->crossed[pl->depth];

	if (!pipeline_descend(pl, out, packets, n))
		return;
	pipeline_count_sent(out, pl->thread, packets, n);
	/* The other bridge may change tags: it gets views of its own. */
	for (unsigned i = 0; i < n; i++)
		packet_copy(&views[i], packets[i]);
	pl->depth++;
	forward(pl, out->patch_peer, out->patch_peer->native_vid, views, n);
	pl->depth--;
}

/* --- gateways ------------------------------------------------------------ */

/* A gateway's burst, as the router has decided on it. */
struct routed {
	const struct fwd_port *out; /* the port that it came to */
	unsigned n;
	bool flooded; /* others got it, too */
	struct packet *const *packets;
	struct router_result results[PACKET_BURST_MAX];
};

/* What does not go on. */
static void end_routed(const struct pipeline *pl, const struct routed *r,
		       unsigned i)
{
	const struct router_result *result = &r->results[i];
	enum punt_result punted;
	uint64_t note = 0;

	switch (result->verdict) {
	case ROUTER_PUNT:
		memcpy(&note, &result->note, sizeof(result->note));
		punted = gateway_punt(pl, r->packets[i],
				      router_id(r->out->gateway->router), note,
				      result->note.what == ROUTER_LOCAL);
		if (result->note.what == ROUTER_ERROR)
			drop_out(pl, r->out, r->packets[i], result->reason);
		else if (punted != PUNT_DONE)
			drop_out(pl, r->out, r->packets[i],
				 punted == PUNT_LIMITED ? DROP_PUNT_LIMITED
							: result->reason);
		break;
	case ROUTER_DROP:
		/* Whose station is not known: that goes to all. */
		if (!r->flooded || result->reason != DROP_ROUTE_OTHER)
			drop_out(pl, r->out, r->packets[i], result->reason);
		break;
	default:
		break;
	}
}

static void send_routed(struct pipeline *pl, const struct routed *r,
			unsigned side)
{
	const struct fwd_port *in = r->out->gateway->ports[side];
	struct packet *packets[PACKET_BURST_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < r->n; i++) {
		if (r->results[i].verdict != ROUTER_SEND ||
		    r->results[i].side != side)
			continue;
		if (likely(in))
			packets[n++] = r->packets[i];
		else
			drop_out(pl, r->out, r->packets[i], DROP_ROUTE_NO_WAY);
	}
	if (n)
		gateway_enter(pl, in, packets, n);
}

static void follow_verdicts(struct pipeline *pl, const struct routed *r)
{
	unsigned sides = 0;

	for (unsigned i = 0; i < r->n; i++) {
		if (likely(r->results[i].verdict == ROUTER_SEND))
			sides |= 1u << r->results[i].side;
		else
			end_routed(pl, r, i);
	}
	for (unsigned side = 0; sides; side++, sides >>= 1)
		if (sides & 1)
			send_routed(pl, r, side);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* A router is not entered anew by what it has sent. */
static bool is_routing(const struct pipeline *pl, const struct fwd_port *out)
{
	for (unsigned i = 0; i < pl->depth; i++)
		if (pl->routing[i] == out->gateway)
			return true;
	return false;
}

/* Fragments: those that were waited for, and those that were made. */
static __attribute__((noinline)) void take_all(struct pipeline *pl,
					       struct routed *r)
{
	const struct router *router = r->out->gateway->router;
	struct packet *packets[PACKET_BURST_MAX];

	r->packets = packets;
	while ((r->n = router_take(router, pl->thread, packets, r->results,
				   PACKET_BURST_MAX)))
		follow_verdicts(pl, r);
}

static void run_router(struct pipeline *pl, struct routed *r)
{
	const struct fwd_gateway *gateway = r->out->gateway;
	const struct router *router = gateway->router;
	const struct fwd_port *in;
	bool together;

	router_enter(router, pl->thread, now_ms());
	together = router_run(router, r->out->gateway_side, pl->thread,
			      r->packets, r->n, r->results);
	in = gateway->ports[r->results[0].side];
	/* The usual burst: all of it by one side. */
	if (likely(together && in)) {
		count_sent(r->out, pl->thread, r->n,
			   gateway_enter(pl, in, r->packets, r->n));
	} else {
		pipeline_count_sent(r->out, pl->thread, r->packets, r->n);
		for (unsigned i = 1; together && i < r->n; i++)
			r->results[i] = r->results[0];
		follow_verdicts(pl, r);
		take_all(pl, r);
	}
	router_leave(router, pl->thread);
}

/* What others get, too, is not to be changed. */
static void copy_views(struct packet *views, struct packet *pointers[],
		       struct packet *const packets[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		packet_copy(&views[i], packets[i]);
		pointers[i] = &views[i];
	}
}

void pipeline_route(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n, bool flooded)
{
	struct packet *copies[PACKET_BURST_MAX];
	struct routed r;

	if (unlikely(pl->trace != NULL))
		trace_gateway(pl, out, now_ms());
	if (is_routing(pl, out)) {
		for (unsigned i = 0; i < n; i++)
			drop_out(pl, out, packets[i], DROP_PATCH_LOOP);
		return;
	}
	if (!pipeline_descend(pl, out, packets, n))
		return;
	if (flooded)
		copy_views(pl->crossed[pl->depth], copies, packets, n);
	r.out = out;
	r.n = n;
	r.flooded = flooded;
	r.packets = flooded ? copies : packets;
	pl->routing[pl->depth] = out->gateway;
	run_router(pl, &r);
	pl->routing[pl->depth] = NULL;
}

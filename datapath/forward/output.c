/*
 * Output: each packet to one port, or to all ports of its VLAN, with the tag
 * that the port wants (IEEE 802.1Q clause 8.6.4 and 6.9.2).
 *
 * The burst is sorted by port, so that a port gets its packets in one piece.
 * Packets of one flow keep their order: before a packet is flooded, all that
 * came before it have been sent, and the other way round.
 */
#include "forward/output.h"

bool output_retag(struct item *item, uint32_t tag)
{
	struct packet *p = item->packet;

	if (!tag)
		packet_vlan_pop(p);
	else if (item->vlan.tag)
		packet_vlan_set(p, item->tpid, tag);
	else if (!packet_vlan_push(p, item->tpid, tag))
		return false;
	item->vlan.tag = tag;
	return true;
}

bool output_prepare(const struct pipeline *pl, const struct fwd_port *out,
		    struct item *item)
{
	return prepare(pl, out, item);
}

/* What this thread has dropped at the port so far, by reason. */
static void copy_drops(const struct port *port, unsigned thread,
		       uint64_t drops[N_DROP_REASONS])
{
	for (int i = 0; i < N_DROP_REASONS; i++)
		drops[i] =
			atomic_load_explicit(&port->counters[thread]->drops[i],
					     memory_order_relaxed);
}

/* One packet; the port's own counters tell what became of it. */
static void send_captured(const struct pipeline *pl, const struct fwd_port *out,
			  struct packet *packet)
{
	uint64_t before[N_DROP_REASONS], after[N_DROP_REASONS];

	copy_drops(out->port, pl->thread, before);
	port_send(out->port, &packet, 1, pl->thread);
	copy_drops(out->port, pl->thread, after);
	for (int i = 0; i < N_DROP_REASONS; i++) {
		if (after[i] == before[i])
			continue;
		capture_drop(out->capture, packet, CAPTURE_OUT, i);
		return;
	}
	capture_packet(out->capture, packet, CAPTURE_OUT);
}

static __attribute__((noinline)) void send_all_captured(
	const struct pipeline *pl, const struct fwd_port *out,
	struct packet *const packets[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_captured(pl, out, packets[i]);
}

void output_special(struct pipeline *pl, const struct fwd_port *out,
		    struct packet *const packets[], unsigned n)
{
	struct packet *kept[PACKET_BURST_MAX];

	if (out->egress) {
		n = policy_out_burst(pl, out, packets, n, kept);
		if (!n)
			return;
		packets = kept;
	}
	output_on(pl, out, packets, n);
}

void output_on(struct pipeline *pl, const struct fwd_port *out,
	       struct packet *const packets[], unsigned n)
{
	if (out->tunnel)
		overlay_send(pl, out, packets, n, false);
	else if (out->bond)
		pipeline_bond(pl, out, packets, n);
	else if (out->patch_peer)
		pipeline_cross(pl, out, packets, n);
	else if (out->gateway)
		pipeline_route(pl, out, packets, n, false);
	else if (out->underlay && out->underlay->bridged)
		overlay_arrive(pl, out, packets, n, false);
	else
		output_device(pl, out, packets, n);
}

void output_device(struct pipeline *pl, const struct fwd_port *out,
		   struct packet *const packets[], unsigned n)
{
	pl->last_out = out;
	if (unlikely(out->capture))
		send_all_captured(pl, out, packets, n);
	else
		port_send(out->port, packets, n, pl->thread);
}

void output_send(struct pipeline *pl, const struct fwd_port *out,
		 struct packet *const packets[], unsigned n)
{
	send_to_port(pl, out, packets, n);
}

bool output_carries_customer(const struct fwd_port *out,
			     const struct item *item)
{
	const struct packet *p = item->packet;
	unsigned at = item->vlan.tag ? 12 + VLAN_TAG_LEN : 12;
	uint16_t tci = 0;

	if (p->header_len >= at + VLAN_TAG_LEN &&
	    eth_type_is_vlan(load_be16(p->header + at)))
		tci = load_be16(p->header + at + 2);
	return vlan_set_has(&out->cvlans, VLAN_VID(tci));
}

bool output_reaches(const struct fwd_port *out, const struct item *item)
{
	return is_member(out, item);
}

/* Of a secondary VLAN: it is not meant for all that know its stations. */
static enum drop_reason why_no_member(const struct fwd_port *out,
				      const struct item *item)
{
	uint16_t vid = item->vlan.vid;

	return fwd_bridge_fid(out->bridge, vid) != vid ? DROP_ISOLATED
						       : DROP_VLAN_NOT_ALLOWED;
}

/* Items [at, to) to the port of all of them: adds them to what is being sent.
 */
static inline unsigned take_row(struct pipeline *pl, struct stage *s,
				const struct fwd_port *out, unsigned at,
				unsigned to, unsigned n)
{
	for (; at < to; at++) {
		struct item *item = &s->items[at];

		if (likely(item->vlan.word == out->plain.word))
			s->sending[n++] = item->packet;
		else if (unlikely(!is_member(out, item)))
			drop(pl, s->in, item->packet, why_no_member(out, item));
		else if (likely(prepare(pl, out, item)))
			s->sending[n++] = item->packet;
	}
	return n;
}

void output_emit(struct pipeline *pl, const struct fwd_port *out,
		 struct item *item)
{
	if (!is_member(out, item)) {
		drop_out(pl, out, item->packet, DROP_VLAN_NOT_ALLOWED);
		return;
	}
	if (prepare(pl, out, item))
		send_to_port(pl, out, &item->packet, 1);
}

static void send_queue(struct pipeline *pl, struct stage *s,
		       struct out_queue *q)
{
	const struct fwd_port *out = q->port;
	unsigned n = 0;

	for (unsigned i = q->first;; i = s->items[i].next) {
		n = take_row(pl, s, out, i, i + s->items[i].run, n);
		if (i == q->last)
			break;
	}
	q->port = NULL;
	if (likely(n))
		send_to_port(pl, out, s->sending, n);
}

static void send_all_queues(struct pipeline *pl, struct stage *s)
{
	for (unsigned i = 0; i < s->n_busy; i++) {
		struct out_queue *q = &s->queues[s->busy_queues[i]];

		if (q->port)
			send_queue(pl, s, q);
	}
	s->n_busy = 0;
}

/* A row of items for one port. */
static void enqueue(struct pipeline *pl, struct stage *s, unsigned from,
		    unsigned to)
{
	const struct fwd_port *out = s->items[from].out;
	uint8_t at = out->slot;
	struct out_queue *q = &s->queues[at];

	s->items[from].run = to - from;
	if (q->port == out) {
		s->items[q->last].next = from;
		q->last = from;
		return;
	}
	if (unlikely(q->port))
		send_queue(pl, s, q); /* another port has this place */
	else
		s->busy_queues[s->n_busy++] = at;
	q->port = out;
	q->first = q->last = from;
}

/*
 * From a port that is set apart: what is for ports that it exchanges nothing
 * with ends here, and what says that it is from a station of theirs.
 */
static void isolate(const struct pipeline *pl, struct stage *s)
{
	const struct fdb *fdb = s->as->bridge->fdb;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_items; i++) {
		const struct fwd_port *out = s->items[i].out;

		if ((out && out != s->as && fwd_are_apart(s->as, out)) ||
		    is_of_one_apart(s->as, fdb_lookup(fdb, s->items[i].src)))
			drop_violation(pl, s->in, &s->items[i], DROP_ISOLATED);
		else
			s->items[n++] = s->items[i];
	}
	s->n_items = n;
}

static bool is_beyond(const struct stage *s, const struct fwd_port *out)
{
	return out && out != s->as && is_split(s->as, out);
}

/* From a tunnel: what another has to send itself, which is not usual. */
static void split_horizon(const struct pipeline *pl, struct stage *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_items; i++) {
		const struct fwd_port *out = s->items[i].out;

		if (is_beyond(s, out))
			drop_out(pl, out, s->items[i].packet,
				 DROP_TUNNEL_HORIZON);
		else
			s->items[n++] = s->items[i];
	}
	s->n_items = n;
}

/* Items [from, to) whose receivers are where they came from. */
static void drop_row(struct pipeline *pl, struct stage *s, unsigned from,
		     unsigned to)
{
	for (; from < to; from++)
		drop(pl, s->in, s->items[from].packet, DROP_SAME_PORT);
}

static void capture_received(const struct stage *s,
			     const struct capture *capture)
{
	for (unsigned i = 0; i < s->n_items; i++)
		if (s->items[i].out != s->as)
			capture_packet(capture, s->items[i].packet, CAPTURE_IN);
}

/* A member of the VLAN, with the tag that the port wants. */
static inline bool leaves_as_it_is(const struct fwd_port *out,
				   const struct item *item)
{
	return wanted_tag(out, item) == item->vlan.tag && is_member(out, item);
}

/*
 * The usual burst into a tunnel whose VNIs are said by VLANs: all of it for one
 * remote, untagged and of one VLAN. The tag that would say so is not put on.
 */
static __attribute__((noinline)) bool send_vlan_burst(struct pipeline *pl,
						      struct stage *s)
{
	const struct fwd_port *out = s->items[0].out;
	const struct vlan_state vlan = s->items[0].vlan;
	unsigned n = s->n_items;

	if (vlan.tag || vlan.prio || !overlay_takes_vlan(out, vlan.vid))
		return false;
	for (unsigned i = 0; i < n; i++) {
		const struct item *item = &s->items[i];

		if (item->out != out || item->vlan.word != vlan.word)
			return false;
		s->sending[i] = item->packet;
	}
	pl->last_out = out;
	overlay_send_vlan(pl, out, vlan.vid, s->sending, n);
	return true;
}

/*
 * The usual burst: all of it for one other port, and just as it is. Returns
 * false, with nothing done, when this one is not.
 */
__attribute__((always_inline)) static inline bool send_plain_burst(
	struct pipeline *pl, struct stage *s)
{
	const struct fwd_port *out = s->items[0].out;
	unsigned n = s->n_items;
	uint64_t usual;

	if (!out || out == s->as)
		return false;
	if (unlikely(out->vni_by_vlan) && send_vlan_burst(pl, s))
		return true;
	/* Most bursts are of one VLAN: its first packet tells of all. */
	usual = out->plain.word;
	if (unlikely(s->items[0].vlan.word != usual) &&
	    !out->filters_customers && leaves_as_it_is(out, &s->items[0]))
		usual = s->items[0].vlan.word;
	for (unsigned i = 0; i < n; i++) {
		const struct item *item = &s->items[i];

		if (item->out != out || (unlikely(item->vlan.word != usual) &&
					 !leaves_as_it_is(out, item)))
			return false;
		s->sending[i] = item->packet;
	}
	send_to_port(pl, out, s->sending, n);
	return true;
}

/*
 * From a port that is set apart, or out of a tunnel: leaves what may go on, and
 * has not gone yet.
 */
static __attribute__((noinline)) void keep_apart(struct pipeline *pl,
						 struct stage *s)
{
	if (s->as->apart)
		isolate(pl, s);
	if (!s->n_items || !s->as->tunnel)
		return;
	/* Where all have one receiver, the first tells. */
	if (!is_beyond(s, s->items[0].out) && send_plain_burst(pl, s))
		s->n_items = 0;
	else
		split_horizon(pl, s);
}

void output_burst(struct pipeline *pl, struct stage *s)
{
	unsigned from = 0, to;

	if (unlikely(!s->n_items))
		return;
	if (unlikely(s->in->capture))
		capture_received(s, s->in->capture);
	if (unlikely(s->as != s->in && s->as->capture))
		capture_received(s, s->as->capture);
	if (unlikely(s->as->apart | (uintptr_t)s->as->tunnel)) {
		keep_apart(pl, s);
		if (!s->n_items)
			return;
	}
	if (send_plain_burst(pl, s))
		return;
	for (; from < s->n_items; from = to) {
		const struct fwd_port *out = s->items[from].out;

		/* Packets in a row for the same port stay together. */
		to = from + 1;
		while (to < s->n_items && s->items[to].out == out)
			to++;
		if (unlikely(out == s->as)) {
			drop_row(pl, s, from, to);
		} else if (likely(out)) {
			enqueue(pl, s, from, to);
		} else {
			send_all_queues(pl, s);
			output_flood(pl, s, from, to);
		}
	}
	send_all_queues(pl, s);
}

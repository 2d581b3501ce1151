/*
 * Frames from machines, on the thread: what may pass goes to libslirp, or out
 * as a ping; what may not is refused or dropped with its reason.
 */
#include "packet/parse.h"
#include "port/hostnet_internal.h"

#define FRAMES_PER_TURN 64
#define DNS_CALLS_MAX	8 /* TCP connections for names a second */

/* What may not pass as it is. */
static void refuse(struct hostnet *h, const uint8_t *frame,
		   const struct hostnet_packet *p, enum drop_reason reason)
{
	uint8_t reset[HOSTNET_RESET_MAX];

	hostnet_drop(h, reason);
	if (reason == DROP_NO_DESTINATION && p->kind == HOSTNET_TCP_NEW)
		hostnet_deliver(h, reset, hostnet_frame_reset(frame, p, reset));
}

/*
 * libslirp waits in connect() while the name service has as many connections
 * waiting as it lets; it is never brought there.
 */
static bool is_too_much_dns(struct hostnet *h, const struct hostnet_packet *p)
{
	if (p->kind != HOSTNET_TCP_NEW || p->dst_port != 53 ||
	    load_be32(p->dst) != h->options.net.ip4 || p->version != 4)
		return false;
	if (h->dns_s != h->memory.now_s)
		h->dns_calls = 0;
	h->dns_s = h->memory.now_s;
	return ++h->dns_calls > DNS_CALLS_MAX || atomic_load(&h->has_call);
}

/* By libslirp; one that was begun before may have to end for it. */
static void pass_on(struct hostnet *h, uint8_t *frame,
		    const struct hostnet_packet *p)
{
	uint8_t reset[HOSTNET_RESET_MAX];
	uint32_t len = hostnet_half_open_add(&h->half_open, &h->options.net,
					     frame, p, reset);

	if (unlikely(len)) {
		hostnet_drop(h, DROP_NAT_FULL);
		slirp_input(h->slirp, reset, len);
	}
	h->current = p;
	slirp_input(h->slirp, frame, p->end);
	h->current = NULL;
}

static void take_whole(struct hostnet *h, uint8_t *frame, uint32_t len,
		       bool first)
{
	enum drop_reason reason = DROP_NAT_MALFORMED;
	struct hostnet_packet p;
	bool may = hostnet_frame_in(&h->options.net, &h->memory, frame, len, &p,
				    &reason);

	if (!may && first && reason == DROP_NAT_FRAGMENT) {
		frame = hostnet_fragments_add(h->fragments, frame, &p,
					      h->memory.now_s, &len);
		if (frame)
			take_whole(h, frame, len, false);
		return;
	}
	if (!may || !hostnet_sessions_may(h->sessions, &p, &reason)) {
		refuse(h, frame, &p, reason);
		return;
	}
	if (is_too_much_dns(h, &p)) {
		hostnet_drop(h, DROP_NAT_LIMIT);
		return;
	}
	if (p.kind == HOSTNET_PING)
		hostnet_pings_send(h->pings, frame, &p);
	else
		pass_on(h, frame, &p);
}

static void take_frame(struct hostnet *h, struct hostnet_record *record)
{
	uint64_t lost = hostnet_fragments_lost(h->fragments);

	take_whole(h, record->frame, record->len, true);
	lost = hostnet_fragments_lost(h->fragments) - lost;
	if (unlikely(lost))
		counter_add(&h->drops[DROP_NAT_FRAGMENT], lost);
}

bool hostnet_frames_wait(struct hostnet *h)
{
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		struct hostnet_ring *ring =
			atomic_load_explicit(&h->from[i], memory_order_acquire);

		if (ring && !hostnet_ring_empty(ring))
			return true;
	}
	return false;
}

/* Takes turns between the senders. */
void hostnet_take_frames(struct hostnet *h)
{
	for (unsigned i = 0; i < PORT_THREADS_MAX; i++) {
		struct hostnet_ring *ring =
			atomic_load_explicit(&h->from[i], memory_order_acquire);
		struct hostnet_record *record;

		for (unsigned n = 0; ring && n < FRAMES_PER_TURN; n++) {
			if (!hostnet_has_room(h))
				return;
			record = hostnet_ring_take(ring);
			if (!record)
				break;
			take_frame(h, record);
			hostnet_ring_release(ring);
		}
	}
}

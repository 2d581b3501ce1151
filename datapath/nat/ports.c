/*
 * Outside ports. A random one of the class and parity of the inside port
 * (RFC 4787 REQ-3, REQ-4; RFC 6056); when none is free, one of the class; then
 * one above 1023. A port is never shared, and never taken from a live mapping.
 */
#include "nat/session.h"

#define TRIES 12

/* Even or odd ports of a class: how many, and the first. Port 0 is not used. */
static void half_class(unsigned class, unsigned odd, uint32_t *n,
		       uint32_t *first)
{
	if (class == 0) { /* below 1024 */
		*first = odd ? 1 : 2;
		*n = odd ? 512 : 511;
	} else {
		*first = 1024 + odd;
		*n = 32256;
	}
}

static bool take(struct nat_outside *o, unsigned protocol, uint32_t port,
		 uint32_t slot)
{
	_Atomic(uint32_t) *at = &o->slots[protocol][port];
	uint32_t free = 0;

	if (atomic_load_explicit(at, memory_order_relaxed) ||
	    !atomic_compare_exchange_strong_explicit(at, &free, slot,
						     memory_order_acq_rel,
						     memory_order_relaxed))
		return false;
	atomic_fetch_add_explicit(&o->used[protocol][port >= 1024][port & 1], 1,
				  memory_order_relaxed);
	return true;
}

static uint32_t take_half(struct nat_outside *o, unsigned protocol,
			  unsigned class, unsigned odd, uint32_t slot,
			  struct nat_random *random)
{
	uint32_t n, first, at;

	half_class(class, odd, &n, &first);
	if (atomic_load_explicit(&o->used[protocol][class][odd],
				 memory_order_relaxed) >= n)
		return NAT_NONE;
	for (unsigned i = 0; i < TRIES; i++) {
		at = first + 2 * nat_random_below(random, n);
		if (take(o, protocol, at, slot))
			return at;
	}
	at = nat_random_below(random, n);
	for (uint32_t i = 0; i < n; i++, at = at + 1 < n ? at + 1 : 0)
		if (take(o, protocol, first + 2 * at, slot))
			return first + 2 * at;
	return NAT_NONE;
}

uint32_t nat_port_take(struct nat_outside *o, enum nat_protocol protocol,
		       uint16_t iport_be, uint32_t mapping,
		       struct nat_random *random)
{
	uint16_t iport = __builtin_bswap16(iport_be);
	/* an ICMP identifier has no classes: all of them, as one */
	unsigned class = iport >= 1024 || protocol == NAT_ICMP;
	unsigned odd = iport & 1;
	uint32_t port;

	for (;;) {
		port = take_half(o, protocol, class, odd, mapping + 1, random);
		if (port == NAT_NONE)
			port = take_half(o, protocol, class, !odd, mapping + 1,
					 random);
		if (port != NAT_NONE || class)
			return port;
		class = 1;
	}
}

bool nat_port_claim(struct nat_outside *o, enum nat_protocol protocol,
		    uint16_t port, uint32_t slot)
{
	return take(o, protocol, port, slot);
}

void nat_port_free(struct nat_outside *o, enum nat_protocol protocol,
		   uint16_t port)
{
	atomic_store_explicit(&o->slots[protocol][port], 0,
			      memory_order_release);
	atomic_fetch_sub_explicit(&o->used[protocol][port >= 1024][port & 1], 1,
				  memory_order_relaxed);
}

static void free_oldest(struct nat *nat)
{
	struct nat_quarantined *q = &nat->quarantine[nat->quarantine_head];
	struct nat_outside *o = nat_outside_at(nat, q->outside);

	if (o &&
	    atomic_load(&o->slots[q->protocol][q->port]) == NAT_SLOT_QUARANTINE)
		nat_port_free(o, q->protocol, q->port);
	nat->quarantine_head =
		(nat->quarantine_head + 1) % nat->config.max_quarantine;
	nat->quarantine_n--;
}

void nat_quarantine_age(struct nat *nat, uint32_t now_s, bool all)
{
	while (nat->quarantine_n &&
	       (all ||
		(int32_t)(now_s -
			  nat->quarantine[nat->quarantine_head].until_s) >= 0))
		free_oldest(nat);
}

/*
 * RFC 6888 REQ-8. The oldest gives way when there are too many; a port that a
 * session table keeps track of (TCP) may be reused at once.
 */
void nat_port_rest(struct nat *nat, unsigned oidx, enum nat_protocol protocol,
		   uint16_t port, uint32_t now_s)
{
	uint32_t s = atomic_load(&nat->view)->options.quarantine_s;
	uint32_t max = nat->config.max_quarantine;
	struct nat_outside *o = nat_outside_at(nat, oidx);

	if (!s || !max || protocol == NAT_TCP) {
		nat_port_free(o, protocol, port);
		return;
	}
	if (nat->quarantine_n == max)
		free_oldest(nat);
	atomic_store_explicit(&o->slots[protocol][port], NAT_SLOT_QUARANTINE,
			      memory_order_release);
	nat->quarantine[(nat->quarantine_head + nat->quarantine_n++) % max] =
		(struct nat_quarantined){ .outside = oidx,
					  .port = port,
					  .protocol = protocol,
					  .until_s = now_s + s };
}

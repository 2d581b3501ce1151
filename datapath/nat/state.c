/*
 * What a packet does to its session: RFC 5382 with RFC 7857's changes for TCP,
 * the timers of RFC 4787 and RFC 5508 for the others.
 *
 * A TCP session is established once a SYN has gone each way, in any order
 * (simultaneous open, too), closing when a FIN has gone each way, and reset
 * after a RST, which any other packet takes back (it may have been a
 * stranger's): RFC 7857 section 2.2 keeps it for 4 minutes more.
 */
#include "nat/session.h"

#define BOTH_SYNS (NAT_S_SYN_OUT | NAT_S_SYN_IN)
#define BOTH_FINS (NAT_S_FIN_OUT | NAT_S_FIN_IN)
#define TCP_STATE (BOTH_SYNS | BOTH_FINS | NAT_S_RST | NAT_S_SETTLED)

static bool has(uint64_t state, uint64_t all)
{
	return (state & all) == all;
}

uint32_t nat_timeout(const struct nat_options *o, unsigned code, uint64_t state)
{
	if (NAT_CODE_PROTOCOL(code) == NAT_UDP)
		return o->udp_s;
	if (NAT_CODE_PROTOCOL(code) == NAT_ICMP)
		return o->icmp_s;
	if (state & NAT_S_RST || has(state, BOTH_FINS))
		return o->tcp_closing_s;
	return has(state, BOTH_SYNS) ? o->tcp_s : o->tcp_opening_s;
}

static uint64_t settle(uint64_t state)
{
	if (has(state, BOTH_SYNS) && !(state & NAT_S_RST))
		return state | NAT_S_SETTLED;
	return state & ~NAT_S_SETTLED;
}

uint64_t nat_state_first(unsigned code, unsigned tcp_flags, bool outbound,
			 uint32_t now_s)
{
	uint64_t state = NAT_S_LIVE | now_s;

	if (!outbound)
		state |= NAT_S_IN_ONLY;
	if (NAT_CODE_PROTOCOL(code) == NAT_TCP)
		return state | (outbound ? NAT_S_SYN_OUT : NAT_S_SYN_IN);
	return outbound ? state | NAT_S_SETTLED : state;
}

static uint64_t after_tcp(uint64_t state, unsigned flags, bool outbound,
			  uint32_t now_s)
{
	uint64_t next = state;

	if (flags & NAT_RST) {
		if (state & NAT_S_RST)
			return state; /* it does not live on by them */
		next |= NAT_S_RST;
	} else if (flags & NAT_SYN) {
		/* the same ports again: a new connection */
		if (state & NAT_S_RST || has(state, BOTH_FINS))
			next &= ~TCP_STATE;
		next |= outbound ? NAT_S_SYN_OUT : NAT_S_SYN_IN;
	} else {
		next &= ~NAT_S_RST;
		if (flags & NAT_FIN)
			next |= outbound ? NAT_S_FIN_OUT : NAT_S_FIN_IN;
		/*
		 * From outside, before an inside host has answered: nothing
		 * that lives on by it.
		 */
		if (!outbound && !(state & NAT_S_SYN_OUT))
			return state;
	}
	return settle((next & NAT_S_FLAGS) | now_s);
}

static uint64_t after(const struct nat_options *o, unsigned code,
		      uint64_t state, unsigned flags, bool outbound,
		      uint32_t now_s)
{
	if (NAT_CODE_PROTOCOL(code) == NAT_TCP)
		return after_tcp(state, flags, outbound, now_s);
	if (outbound)
		return (state & NAT_S_FLAGS) | NAT_S_SETTLED | now_s;
	if (o->refresh_inbound && !(state & NAT_S_IN_ONLY) &&
	    NAT_CODE_PROTOCOL(code) == NAT_UDP)
		return (state & NAT_S_FLAGS) | now_s;
	return state;
}

/* The inside has answered: from now on the session keeps its mapping. */
static bool hold(struct nat *nat, struct nat_session *s)
{
	struct nat_mapping *m = nat_mapping_at(nat, s->mapping);
	struct nat_client *c = nat_client_at(nat, m->client);
	_Atomic(uint8_t) *lock = nat_chain_lock(nat, m->chain);
	bool held = false;
	uint64_t state;

	if (!nat_lock(lock))
		return false;
	state = atomic_load_explicit(&s->state, memory_order_acquire);
	while (state & NAT_S_LIVE) {
		held = !(state & NAT_S_IN_ONLY);
		if (held || !m->holding)
			break;
		held = atomic_compare_exchange_weak_explicit(
			&s->state, &state, state & ~NAT_S_IN_ONLY,
			memory_order_acq_rel, memory_order_acquire);
		if (!held)
			continue;
		m->holding++;
		atomic_fetch_sub_explicit(&c->in_only, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&nat->in_only, 1,
					  memory_order_relaxed);
		break;
	}
	nat_unlock(lock);
	return held;
}

/* Its port is no longer its own; the session is about to be ended. */
static bool mapping_has_ended(const struct nat *nat,
			      const struct nat_session *s)
{
	const struct nat_outside *o = nat_outside_at(nat, s->ports >> 51);
	uint16_t oport = __builtin_bswap16(s->ports >> 32);
	unsigned protocol = NAT_CODE_PROTOCOL(s->ports >> 48);

	return atomic_load_explicit(&o->slots[protocol][oport],
				    memory_order_relaxed) != s->mapping + 1;
}

bool nat_touch(struct nat *nat, struct nat_thread *t, struct nat_session *s,
	       unsigned flags, bool outbound)
{
	const struct nat_options *o = &t->view->options;
	uint64_t old = atomic_load_explicit(&s->state, memory_order_acquire);
	unsigned code = s->ports >> 48 & 7;
	uint64_t new;

	if (outbound && old & NAT_S_IN_ONLY) {
		if (!hold(nat, s))
			return false;
		old = atomic_load_explicit(&s->state, memory_order_acquire);
	}
	if (!outbound && old & NAT_S_IN_ONLY && mapping_has_ended(nat, s))
		return false;
	do {
		if (!(old & NAT_S_LIVE) ||
		    (!outbound && nat_is_old(o, code, old, t->now_s)))
			return false;
		new = after(o, code, old, flags, outbound, t->now_s);
		/* never back: another worker's clock may be ahead */
		if ((int32_t)((uint32_t) new - (uint32_t)old) < 0)
			new = (new &NAT_S_FLAGS) | (old & NAT_S_TIME);
	} while (new != old &&
		 !atomic_compare_exchange_weak_explicit(&s->state, &old, new,
							memory_order_acq_rel,
							memory_order_acquire));
	return true;
}

uint64_t nat_state_restore(unsigned code, uint64_t flags, uint32_t last_s)
{
	uint64_t state = NAT_S_LIVE | last_s;

	if (NAT_CODE_PROTOCOL(code) != NAT_TCP)
		return state | NAT_S_SETTLED;
	return settle(state | (flags & (BOTH_SYNS | BOTH_FINS | NAT_S_RST)));
}

const char *nat_state_name(unsigned code, uint64_t state)
{
	if (NAT_CODE_PROTOCOL(code) != NAT_TCP)
		return state & NAT_S_IN_ONLY ? "new" : "established";
	if (state & NAT_S_RST)
		return "reset";
	if (has(state, BOTH_FINS))
		return "closing";
	return has(state, BOTH_SYNS) ? "established" : "new";
}

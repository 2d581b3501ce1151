/* The control thread's walk over the sessions: ageing, and ending some. */
#include "nat/way.h"

/* A stranger's session at a mapping that has ended does not outlive it. */
static bool is_orphan(struct nat *nat, const struct nat_session *s,
		      uint64_t state)
{
	struct nat_mapping *m = nat_mapping_at(nat, s->mapping);
	_Atomic(uint8_t) *lock = nat_chain_lock(nat, m->chain);
	bool orphan;

	if (!(state & NAT_S_IN_ONLY))
		return false;
	nat_lock_wait(lock);
	orphan = !m->holding;
	nat_unlock(lock);
	return orphan;
}

static void age_one(struct nat *nat, struct nat_session *s,
		    const struct nat_options *options, uint32_t now_s)
{
	uint64_t state = atomic_load_explicit(&s->state, memory_order_acquire);

	if (!(state & NAT_S_LIVE))
		return;
	if (nat_is_old(options, s->ports >> 48 & 7, state, now_s) ||
	    atomic_load(&nat_outside_at(nat, s->ports >> 51)->leaving) ||
	    is_orphan(nat, s, state))
		nat_session_end(nat, s, state, now_s, true);
}

void nat_age(struct nat *nat, uint64_t now_ms, uint32_t budget)
{
	const struct nat_view *view = atomic_load(&nat->view);
	uint32_t now_s = now_ms / 1000 + 1, high;

	high = atomic_load_explicit(&nat->sessions.high, memory_order_acquire);
	for (uint32_t n = MIN(budget, high); n; n--) {
		if (nat->age_at >= high)
			nat->age_at = 0;
		age_one(nat, nat_session_at(nat, nat->age_at++), &view->options,
			now_s);
	}
	nat_quarantine_age(nat, now_s, false);
	nat_fragments_age(nat, now_s);
	nat_clients_age(nat);
	/* what ended just now may be used again after both, if no worker is in
	 */
	nat_turn(nat);
	nat_turn(nat);
}

uint32_t nat_end_sessions(struct nat *nat, nat_wanted *wanted, void *aux)
{
	uint32_t high, n = 0;

	high = atomic_load_explicit(&nat->sessions.high, memory_order_acquire);
	for (uint32_t i = 0; i < high; i++) {
		struct nat_session *s = nat_session_at(nat, i);
		uint64_t state;

		state = atomic_load_explicit(&s->state, memory_order_acquire);
		while (state & NAT_S_LIVE && wanted(nat, s, state, aux)) {
			/* a worker may have changed its state meanwhile */
			if (nat_session_end(nat, s, state, 0, false)) {
				n++;
				break;
			}
			state = atomic_load_explicit(&s->state,
						     memory_order_acquire);
		}
	}
	return n;
}

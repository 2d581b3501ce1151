/* Sessions: how they are entered into both hashes, found, and ended. */
#include "nat/session.h"

#include "packet/csum.h"

static const uint8_t *outside_ip(const struct nat *nat,
				 const struct nat_session *s)
{
	return nat_outside_at(nat, s->ports >> 51)->addr.ip;
}

bool nat_session_is6(const struct nat *nat, const struct nat_session *s,
		     const struct nat_ends *ends)
{
	const struct nat_mapping *m = nat_mapping_at(nat, s->mapping);

	if (ends->remote && memcmp(s->remote6, ends->remote, 16) != 0)
		return false;
	if (ends->outside && memcmp(outside_ip(nat, s), ends->outside, 16) != 0)
		return false;
	return !ends->inside ||
	       !memcmp(nat_client_at(nat, m->client)->ip, ends->inside, 16);
}

static bool is_live(const struct nat *nat, const struct nat_session *s,
		    const struct nat_ends *ends)
{
	if (!(atomic_load_explicit(&s->state, memory_order_acquire) &
	      NAT_S_LIVE))
		return false;
	return !(s->ports >> 48 & NAT_CODE_V6) || nat_session_is6(nat, s, ends);
}

struct nat_session *nat_find_in(const struct nat *nat, struct nat_key key,
				const struct nat_ends *ends)
{
	struct nat_search search;
	uint32_t id;

	nat_search_init(&search, &nat->in, nat_hash_of(&nat->in, key));
	while ((id = nat_search_next(&search)) != NAT_NONE) {
		struct nat_session *s = nat_session_at(nat, id);

		if (nat_session_is_in(s, key) && is_live(nat, s, ends))
			return s;
	}
	return NULL;
}

struct nat_session *nat_find_out(const struct nat *nat, struct nat_key key,
				 const struct nat_ends *ends)
{
	struct nat_search search;
	uint32_t id;

	nat_search_init(&search, &nat->out, nat_hash_of(&nat->out, key));
	while ((id = nat_search_next(&search)) != NAT_NONE) {
		struct nat_session *s = nat_session_at(nat, id);

		if (nat_session_is_out(s, key) && is_live(nat, s, ends))
			return s;
	}
	return NULL;
}

/* The difference of sums between an address or port and its replacement. */
static uint64_t difference(uint64_t sum, const void *old, const void *new,
			   size_t len)
{
	uint64_t was = csum_fold(csum_add(0, old, len)) ^ 0xffff;

	return sum + was + csum_fold(csum_add(0, new, len));
}

static void set_deltas(struct nat_session *s, const struct nat_mapping *m,
		       const struct nat_ends *ends)
{
	bool v6 = m->kind & NAT_CODE_V6;
	uint64_t sum = difference(0, ends->inside, ends->outside, v6 ? 16 : 4);

	s->l3_delta = csum_fold(sum);
	/* ICMP for IPv4 has no pseudo header */
	if (NAT_CODE_PROTOCOL(m->kind) == NAT_ICMP && !v6)
		sum = 0;
	s->l4_delta = csum_fold(difference(sum, &m->iport, &m->oport, 2));
}

static bool publish(struct nat *nat, struct nat_session *s, uint32_t id,
		    uint64_t state)
{
	uint64_t in = nat_hash_of(&nat->in, nat_key_in(s));
	uint64_t out = nat_hash_of(&nat->out, nat_key_out(s));

	if (nat_hash_insert(&nat->out, out, id))
		return false;
	if (nat_hash_insert(&nat->in, in, id)) {
		nat_hash_remove(&nat->out, out, id);
		return false;
	}
	/* to be found by both at once */
	atomic_store_explicit(&s->state, state, memory_order_release);
	return true;
}

struct nat_session *nat_session_open(struct nat *nat, struct nat_thread *t,
				     struct nat_mapping *m,
				     const struct nat_ends *ends,
				     uint16_t rport, uint64_t state)
{
	uint32_t id = nat_pool_take(&nat->sessions, &t->session_cache);
	unsigned version = m->kind & NAT_CODE_V6 ? 6 : 4;
	struct nat_session *s;

	if (id == NAT_NONE)
		return NULL;
	s = nat_session_at(nat, id);
	s->addrs = nat_word(nat, version, ends->inside) |
		   (uint64_t)nat_word(nat, version, ends->remote) << 32;
	s->ports = m->iport | (uint64_t)rport << 16 | (uint64_t)m->oport << 32 |
		   (uint64_t)m->kind << 48;
	s->mapping = nat_mapping_id(nat, m);
	s->group_next = s->group_prev = id;
	if (version == 6)
		memcpy(s->remote6, ends->remote, 16);
	else
		memcpy(&s->outside4, ends->outside, 4);
	set_deltas(s, m, ends);
	if (!publish(nat, s, id, state)) {
		nat_pool_give(&nat->sessions, &t->session_cache, id);
		return NULL;
	}
	if (nat->config.filtering == NAT_FILTER_ADDRESS)
		nat_group_join(nat, s);
	m->refs++;
	if (!(state & NAT_S_IN_ONLY))
		m->holding++;
	else
		atomic_fetch_add_explicit(&nat->in_only, 1,
					  memory_order_relaxed);
	nat_count(&t->counters.created);
	return s;
}

bool nat_session_end(struct nat *nat, struct nat_session *s, uint64_t state,
		     uint32_t now_s, bool rest)
{
	struct nat_mapping *m = nat_mapping_at(nat, s->mapping);
	struct nat_client *c = nat_client_at(nat, m->client);
	_Atomic(uint8_t) *lock = nat_chain_lock(nat, m->chain);
	uint32_t id = s - nat_session_at(nat, 0);

	nat_lock_wait(lock);
	if (!(state & NAT_S_LIVE) ||
	    !atomic_compare_exchange_strong(&s->state, &state,
					    state & ~NAT_S_LIVE)) {
		nat_unlock(lock);
		return false;
	}
	if (nat->config.filtering == NAT_FILTER_ADDRESS)
		nat_group_leave(nat, s);
	nat_hash_remove(&nat->in, nat_hash_of(&nat->in, nat_key_in(s)), id);
	nat_hash_remove(&nat->out, nat_hash_of(&nat->out, nat_key_out(s)), id);
	atomic_fetch_sub_explicit(&c->sessions, 1, memory_order_relaxed);
	if (state & NAT_S_IN_ONLY) {
		atomic_fetch_sub_explicit(&c->in_only, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&nat->in_only, 1,
					  memory_order_relaxed);
	} else {
		nat_mapping_unhold(nat, m);
	}
	nat_mapping_unref(nat, m, now_s, rest);
	nat_unlock(lock);
	nat_pool_end(&nat->sessions, id);
	nat->ended++;
	return true;
}

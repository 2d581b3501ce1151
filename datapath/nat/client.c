/*
 * Clients: the inside addresses, and what each may have (RFC 6888 REQ-4,
 * REQ-5). Found without a lock; entered under one, which is rare.
 */
#include "nat/session.h"

static _Atomic(uint32_t) *chain_of(const struct nat *nat, unsigned version,
				   uint32_t word)
{
	uint64_t h = nat_mix(word ^ nat->digest_seed[0],
			     nat->digest_seed[1] ^ version);

	return &nat->client_chains[h >> 32 & nat->client_mask];
}

bool nat_client_ref(struct nat_client *c)
{
	uint32_t refs = atomic_load_explicit(&c->refs, memory_order_relaxed);

	do {
		if (refs == NAT_CLIENT_DEAD)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&c->refs, &refs, refs + 1, memory_order_acquire,
		memory_order_relaxed));
	return true;
}

void nat_client_put(struct nat_client *c)
{
	atomic_fetch_sub_explicit(&c->refs, 1, memory_order_release);
}

static struct nat_client *find(const struct nat *nat, unsigned version,
			       const uint8_t *ip, uint32_t word)
{
	size_t len = version == 4 ? 4 : 16;
	struct nat_client *c;
	uint32_t id;

	id = atomic_load_explicit(chain_of(nat, version, word),
				  memory_order_acquire);
	for (; id; id = atomic_load_explicit(&c->next, memory_order_acquire)) {
		c = nat_client_at(nat, id - 1);
		if (c->word == word && c->version == version &&
		    !memcmp(c->ip, ip, len) && nat_client_ref(c))
			return c;
	}
	return NULL;
}

static struct nat_client *enter(struct nat *nat, struct nat_thread *t,
				unsigned version, const uint8_t *ip,
				uint32_t word)
{
	_Atomic(uint32_t) *chain = chain_of(nat, version, word);
	uint32_t id = nat_pool_take(&nat->clients, &t->client_cache);
	struct nat_client *c;
	uint32_t link;

	if (id == NAT_NONE)
		return NULL;
	c = nat_client_at(nat, id);
	link = c->link;
	memset(c, 0, sizeof(*c));
	c->link = link;
	memcpy(c->ip, ip, version == 4 ? 4 : 16);
	c->word = word;
	c->version = version;
	atomic_store_explicit(&c->refs, 1, memory_order_relaxed);
	atomic_store_explicit(&c->next,
			      atomic_load_explicit(chain, memory_order_relaxed),
			      memory_order_relaxed);
	atomic_store_explicit(chain, id + 1, memory_order_release);
	return c;
}

struct nat_client *nat_client_get(struct nat *nat, struct nat_thread *t,
				  unsigned version, const uint8_t *ip,
				  uint32_t word, enum drop_reason *reason)
{
	struct nat_client *c = find(nat, version, ip, word);

	if (c)
		return c;
	if (!nat_lock(&nat->client_lock)) {
		*reason = DROP_NAT_BUSY;
		return NULL;
	}
	c = find(nat, version, ip, word);
	if (!c)
		c = enter(nat, t, version, ip, word);
	nat_unlock(&nat->client_lock);
	if (!c)
		*reason = DROP_NAT_FULL;
	return c;
}

/* 1 if the client opens no more than `rate` a second. */
static bool within_rate(struct nat_client *c, uint32_t rate, uint32_t now_s)
{
	uint32_t old = atomic_load_explicit(&c->rate, memory_order_relaxed);
	uint32_t new;

	do {
		if (old >> 20 != (now_s & 0xfff))
			new = now_s << 20 | 1;
		else if ((old & 0xfffff) >= MIN(rate, 0xffffeu))
			return false;
		else
			new = old + 1;
	} while (!atomic_compare_exchange_weak_explicit(&c->rate, &old, new,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/*
 * What strangers open takes at most half of a client's sessions until the
 * client has answered, so that they cannot shut it in.
 */
bool nat_client_admit(struct nat_client *c, const struct nat_options *o,
		      uint32_t now_s, bool in_only)
{
	uint32_t max = o->client_sessions;

	if (o->client_rate && !in_only &&
	    !within_rate(c, o->client_rate, now_s))
		return false;
	if (atomic_fetch_add_explicit(&c->sessions, 1, memory_order_relaxed) >=
		    (max ? max : UINT32_MAX) ||
	    (in_only && max &&
	     atomic_load_explicit(&c->in_only, memory_order_relaxed) >=
		     (max + 1) / 2)) {
		atomic_fetch_sub_explicit(&c->sessions, 1,
					  memory_order_relaxed);
		return false;
	}
	if (in_only)
		atomic_fetch_add_explicit(&c->in_only, 1, memory_order_relaxed);
	return true;
}

void nat_clients_age(struct nat *nat)
{
	for (uint32_t i = 0; i <= nat->client_mask; i++) {
		_Atomic(uint32_t) *at = &nat->client_chains[i];
		uint32_t id;

		while ((id = atomic_load_explicit(at, memory_order_acquire))) {
			struct nat_client *c = nat_client_at(nat, id - 1);
			uint32_t none = 0;

			if (!atomic_compare_exchange_strong(&c->refs, &none,
							    NAT_CLIENT_DEAD)) {
				at = &c->next;
				continue;
			}
			nat_lock_wait(&nat->client_lock);
			/* others may have been entered in front of it */
			while (atomic_load(at) != id)
				at = &nat_client_at(nat, atomic_load(at) - 1)
					      ->next;
			atomic_store_explicit(at, atomic_load(&c->next),
					      memory_order_release);
			nat_unlock(&nat->client_lock);
			nat_pool_end(&nat->clients, id - 1);
		}
	}
}

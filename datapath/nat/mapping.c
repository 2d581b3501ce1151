/*
 * Mappings: an inside address and port, and the outside port it appears as
 * (RFC 4787 REQ-1), whatever the destination. All of a client's have the same
 * outside address (REQ-2), as long as that has ports left.
 */
#include "nat/session.h"

uint32_t nat_mapping_chain(const struct nat *nat, uint32_t client,
			   uint16_t iport, unsigned code)
{
	uint64_t key = (uint64_t)client << 32 | (uint32_t)iport << 8 | code;

	return nat_mix(key ^ nat->in.seed[1], nat->out.seed[1]) >> 32 &
	       nat->mapping_mask;
}

struct nat_mapping *nat_mapping_find(struct nat *nat, uint32_t chain,
				     uint32_t client, uint16_t iport,
				     unsigned code)
{
	uint32_t id = nat->mapping_chains[chain];

	while (id) {
		struct nat_mapping *m = nat_mapping_at(nat, id - 1);

		if (m->client == client && m->iport == iport &&
		    (m->kind & 7) == code && !(m->flags & NAT_M_GONE))
			return m;
		id = m->next;
	}
	return NULL;
}

static void enter(struct nat *nat, struct nat_mapping *m,
		  struct nat_client *client, uint32_t chain, uint16_t iport,
		  unsigned code)
{
	uint32_t link = m->link;

	memset(m, 0, sizeof(*m));
	m->link = link;
	m->client = nat_client_id(nat, client);
	m->iport = iport;
	m->kind = code;
	m->chain = chain;
}

static void publish(struct nat *nat, struct nat_mapping *m)
{
	struct nat_client *c = nat_client_at(nat, m->client);

	m->next = nat->mapping_chains[m->chain];
	nat->mapping_chains[m->chain] = nat_mapping_id(nat, m) + 1;
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->ports[NAT_CODE_PROTOCOL(m->kind)], 1,
				  memory_order_relaxed);
}

/* The one of the client's version with most ports left, of two by chance. */
static int choose_outside(struct nat *nat, struct nat_thread *t,
			  const struct nat_view *view, unsigned code)
{
	unsigned v6 = !!(code & NAT_CODE_V6), n = view->n_outsides[v6];
	uint32_t best_used = UINT32_MAX;
	int best = -1;

	for (unsigned i = 0; n && i < 2; i++) {
		unsigned oidx =
			view->outsides[v6][nat_random_below(&t->random, n)];
		struct nat_outside *o = nat_outside_at(nat, oidx);
		_Atomic(uint32_t) *used = o->used[NAT_CODE_PROTOCOL(code)][1];
		uint32_t sum =
			atomic_load_explicit(&used[0], memory_order_relaxed) +
			atomic_load_explicit(&used[1], memory_order_relaxed);

		if (sum < best_used) {
			best_used = sum;
			best = oidx;
		}
	}
	return best;
}

static uint32_t port_at(struct nat *nat, struct nat_thread *t, int oidx,
			struct nat_mapping *m)
{
	struct nat_outside *o = nat_outside_at(nat, oidx);
	uint32_t port;

	if (!o || o->leaving)
		return NAT_NONE;
	port = nat_port_take(o, NAT_CODE_PROTOCOL(m->kind), m->iport,
			     nat_mapping_id(nat, m), &t->random);
	if (port != NAT_NONE) {
		m->kind = NAT_KIND(m->kind & 7, oidx);
		m->oport = __builtin_bswap16(port);
	}
	return port;
}

/* When the client's own address has none left, RFC 7857 section 4. */
static bool port_elsewhere(struct nat *nat, struct nat_thread *t,
			   const struct nat_view *view, struct nat_mapping *m)
{
	unsigned v6 = !!(m->kind & NAT_CODE_V6), n = view->n_outsides[v6];
	unsigned start = n ? nat_random_below(&t->random, n) : 0;

	for (unsigned i = 0; i < n; i++)
		if (port_at(nat, t, view->outsides[v6][(start + i) % n], m) !=
		    NAT_NONE)
			return true;
	return false;
}

static bool find_port(struct nat *nat, struct nat_thread *t,
		      struct nat_client *client, struct nat_mapping *m)
{
	const struct nat_view *view = t->view;
	uint32_t mine =
		atomic_load_explicit(&client->pool, memory_order_relaxed);
	int oidx;

	if (mine) {
		struct nat_outside *o = nat_outside_at(nat, mine - 1);

		if (o && !o->leaving) {
			if (port_at(nat, t, mine - 1, m) != NAT_NONE)
				return true;
			return !view->options.pool_strict &&
			       port_elsewhere(nat, t, view, m);
		}
	}
	oidx = choose_outside(nat, t, view, m->kind);
	if (oidx < 0)
		return false;
	if (port_at(nat, t, oidx, m) == NAT_NONE &&
	    !port_elsewhere(nat, t, view, m))
		return false;
	/* the first of two workers decides for both */
	atomic_compare_exchange_strong(&client->pool, &mine,
				       (m->kind >> 3) + 1u);
	return true;
}

struct nat_mapping *nat_mapping_open(struct nat *nat, struct nat_thread *t,
				     struct nat_client *client, uint32_t chain,
				     uint16_t iport, unsigned code,
				     enum drop_reason *reason)
{
	uint32_t max = t->view->options.client_ports, id;
	struct nat_mapping *m;

	if (max && atomic_load_explicit(&client->ports[NAT_CODE_PROTOCOL(code)],
					memory_order_relaxed) >= max) {
		*reason = DROP_NAT_LIMIT;
		return NULL;
	}
	*reason = DROP_NAT_FULL;
	id = nat_pool_take(&nat->mappings, &t->mapping_cache);
	if (id == NAT_NONE)
		return NULL;
	m = nat_mapping_at(nat, id);
	enter(nat, m, client, chain, iport, code);
	if (!find_port(nat, t, client, m)) {
		nat_pool_give(&nat->mappings, &t->mapping_cache, id);
		return NULL;
	}
	publish(nat, m);
	return m;
}

struct nat_mapping *nat_mapping_open_at(struct nat *nat, struct nat_thread *t,
					struct nat_client *client,
					uint32_t chain, uint16_t iport,
					unsigned code, unsigned oidx,
					uint16_t oport, unsigned flags)
{
	struct nat_outside *o = nat_outside_at(nat, oidx);
	uint32_t none = 0,
		 id = nat_pool_take(&nat->mappings, &t->mapping_cache);
	struct nat_mapping *m;

	if (id == NAT_NONE)
		return NULL;
	m = nat_mapping_at(nat, id);
	enter(nat, m, client, chain, iport, code);
	m->kind = NAT_KIND(code, oidx);
	m->oport = oport;
	m->flags = flags;
	if (flags & NAT_M_STATIC)
		m->refs = m->holding = 1;
	if (!nat_port_claim(o, NAT_CODE_PROTOCOL(code),
			    __builtin_bswap16(oport), id + 1)) {
		nat_pool_give(&nat->mappings, &t->mapping_cache, id);
		return NULL;
	}
	publish(nat, m);
	atomic_compare_exchange_strong(&client->pool, &none, oidx + 1);
	return m;
}

static void unchain(struct nat *nat, struct nat_mapping *m)
{
	uint32_t *at = &nat->mapping_chains[m->chain];

	while (*at != nat_mapping_id(nat, m) + 1)
		at = &nat_mapping_at(nat, *at - 1)->next;
	*at = m->next;
}

void nat_mapping_unhold(struct nat *nat, struct nat_mapping *m)
{
	struct nat_client *c = nat_client_at(nat, m->client);
	unsigned protocol = NAT_CODE_PROTOCOL(m->kind);
	struct nat_outside *o = nat_outside_at(nat, m->kind >> 3);

	if (--m->holding)
		return;
	unchain(nat, m);
	atomic_fetch_sub_explicit(&c->ports[protocol], 1, memory_order_relaxed);
	/* no new sessions, and no other mapping's while some are left */
	atomic_store_explicit(&o->slots[protocol][__builtin_bswap16(m->oport)],
			      NAT_SLOT_QUARANTINE, memory_order_release);
}

void nat_mapping_unref(struct nat *nat, struct nat_mapping *m, uint32_t now_s,
		       bool rest)
{
	unsigned protocol = NAT_CODE_PROTOCOL(m->kind), oidx = m->kind >> 3;
	uint16_t oport = __builtin_bswap16(m->oport);

	if (--m->refs)
		return;
	if (rest && !(m->flags & NAT_M_STATIC))
		nat_port_rest(nat, oidx, protocol, oport, now_s);
	else
		nat_port_free(nat_outside_at(nat, oidx), protocol, oport);
	nat_client_put(nat_client_at(nat, m->client));
	nat_pool_end(&nat->mappings, nat_mapping_id(nat, m));
}

/*
 * A packet from outside may have found its slot meanwhile, and wait for the
 * lock; it looks again when it has it (open.c), so the cell may be reused.
 */
void nat_mapping_cancel(struct nat *nat, struct nat_thread *t,
			struct nat_mapping *m)
{
	struct nat_client *c = nat_client_at(nat, m->client);
	unsigned protocol = NAT_CODE_PROTOCOL(m->kind);

	unchain(nat, m);
	nat_port_free(nat_outside_at(nat, m->kind >> 3), protocol,
		      __builtin_bswap16(m->oport));
	atomic_fetch_sub_explicit(&c->ports[protocol], 1, memory_order_relaxed);
	nat_client_put(c);
	nat_pool_give(&nat->mappings, &t->mapping_cache,
		      nat_mapping_id(nat, m));
}

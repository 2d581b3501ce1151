/* Sessions for people: listing, flushing, and the counters. */
#include "nat/way.h"

static void copy_ip(struct nat_addr *addr, unsigned version, const uint8_t *ip)
{
	memset(addr, 0, sizeof(*addr));
	addr->version = version;
	memcpy(addr->ip, ip, version == 4 ? 4 : 16);
}

void nat_entry_of(struct nat *nat, const struct nat_session *s, uint64_t state,
		  struct nat_entry *e)
{
	const struct nat_mapping *m = nat_mapping_at(nat, s->mapping);
	unsigned version = s->ports >> 48 & NAT_CODE_V6 ? 6 : 4;
	uint32_t remote = s->addrs >> 32;

	memset(e, 0, sizeof(*e));
	e->protocol = NAT_CODE_PROTOCOL(s->ports >> 48);
	copy_ip(&e->inside, version, nat_client_at(nat, m->client)->ip);
	copy_ip(&e->outside, version,
		nat_outside_at(nat, s->ports >> 51)->addr.ip);
	copy_ip(&e->remote, version,
		version == 6 ? s->remote6 : (const uint8_t *)&remote);
	e->inside_port = __builtin_bswap16(s->ports);
	e->remote_port = __builtin_bswap16(s->ports >> 16);
	e->outside_port = __builtin_bswap16(s->ports >> 32);
	e->state = nat_state_name(s->ports >> 48 & 7, state);
	e->inbound_only = state & NAT_S_IN_ONLY;
	e->is_static = m->flags & NAT_M_STATIC;
}

static bool addr_matches(const struct nat_addr *want,
			 const struct nat_addr *addr)
{
	return !want->version ||
	       (want->version == addr->version &&
		!memcmp(want->ip, addr->ip, want->version == 4 ? 4 : 16));
}

static bool port_matches(uint16_t want, uint16_t port)
{
	return !want || want == port;
}

static bool matches(const struct nat_filter *f, const struct nat_entry *e)
{
	return (f->protocol < 0 || f->protocol == (int)e->protocol) &&
	       addr_matches(&f->inside, &e->inside) &&
	       addr_matches(&f->outside, &e->outside) &&
	       addr_matches(&f->remote, &e->remote) &&
	       port_matches(f->inside_port, e->inside_port) &&
	       port_matches(f->outside_port, e->outside_port) &&
	       port_matches(f->remote_port, e->remote_port);
}

void nat_list(struct nat *nat, uint64_t now_ms, const struct nat_filter *filter,
	      nat_entry_cb *cb, void *aux)
{
	const struct nat_options *o = &atomic_load(&nat->view)->options;
	uint32_t now_s = now_ms / 1000 + 1, high;
	struct nat_entry e;

	high = atomic_load_explicit(&nat->sessions.high, memory_order_acquire);
	for (uint32_t i = 0; i < high; i++) {
		struct nat_session *s = nat_session_at(nat, i);
		uint64_t state =
			atomic_load_explicit(&s->state, memory_order_acquire);
		int32_t idle, left;

		if (!(state & NAT_S_LIVE))
			continue;
		nat_entry_of(nat, s, state, &e);
		idle = now_s - (uint32_t)state;
		left = nat_timeout(o, s->ports >> 48 & 7, state) - idle;
		e.idle_s = MAX(idle, 0);
		e.expires_s = MAX(left, 0);
		if (matches(filter, &e) && !cb(&e, aux))
			return;
	}
}

static bool is_wanted(struct nat *nat, const struct nat_session *s,
		      uint64_t state, void *filter)
{
	struct nat_entry e;

	nat_entry_of(nat, s, state, &e);
	return matches(filter, &e);
}

uint32_t nat_flush(struct nat *nat, const struct nat_filter *filter)
{
	struct nat_filter wanted = *filter;
	uint32_t n = nat_end_sessions(nat, is_wanted, &wanted);

	nat_turn(nat);
	nat_turn(nat);
	return n;
}

static uint64_t get(const _Atomic(uint64_t) *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void nat_get_stats(const struct nat *nat, struct nat_stats *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i <= nat->config.n_threads; i++) {
		const struct nat_counters *c = &nat->threads[i].counters;

		s->created += get(&c->created);
		s->translated_out += get(&c->translated_out);
		s->translated_in += get(&c->translated_in);
		s->hairpinned += get(&c->hairpinned);
		s->icmp_errors += get(&c->icmp_errors);
		s->fragments_held += get(&c->fragments_held);
		for (int r = 0; r < N_DROP_REASONS; r++)
			s->dropped[r] += get(&c->dropped[r]);
	}
	s->ended = nat->ended;
	s->sessions = s->created - s->ended;
	s->mappings = atomic_load(&nat->mappings.used);
	s->clients = atomic_load(&nat->clients.used);
	s->max_sessions = nat->config.max_sessions;
	s->quarantined = nat->quarantine_n;
	nat_fragments_stats(nat, s);
}

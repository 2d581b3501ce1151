/*
 * A packet that belongs to no session: whether it may open one, and what its
 * sender is told if not. On exhaustion new sessions are refused, and live ones
 * never touched (RFC 5508 REQ-8, RFC 6888 REQ-11).
 */
#include "nat/way.h"

bool nat_is_unicast(unsigned version, const uint8_t *ip)
{
	static const uint8_t loopback[16] = { [15] = 1 }, zero[16];

	if (version == 4)
		return ip[0] && ip[0] != 127 && ip[0] < 224;
	return ip[0] != 0xff && memcmp(ip, loopback, 16) != 0 &&
	       memcmp(ip, zero, 16) != 0;
}

static bool in_prefix(const uint8_t *ip, const uint8_t *net, unsigned len)
{
	unsigned bytes = len / 8, bits = len % 8;

	if (memcmp(ip, net, bytes) != 0)
		return false;
	return !bits || !((ip[bytes] ^ net[bytes]) >> (8 - bits));
}

static bool is_excluded(const struct nat_view *view, const struct packet *p,
			const struct nat_headers *h)
{
	uint16_t port = __builtin_bswap16(h->dport);

	for (unsigned i = 0; i < view->options.n_exclusions; i++) {
		const struct nat_exclusion *e = &view->exclusions[i];

		if (e->network.version == h->version &&
		    (e->protocol < 0 ||
		     e->protocol == (int)NAT_CODE_PROTOCOL(h->code)) &&
		    port >= e->port_lo && port <= e->port_hi &&
		    in_prefix(nat_dst(p, h), e->network.ip, e->prefix_len))
			return true;
	}
	return false;
}

/* A mapping's slot; 0 otherwise. */
static uint32_t slot_of(const struct nat *nat, int oidx,
			const struct nat_headers *h)
{
	const struct nat_outside *o = nat_outside_at(nat, oidx);

	if (!o)
		return 0;
	return atomic_load_explicit(&o->slots[NAT_CODE_PROTOCOL(h->code)]
					     [__builtin_bswap16(h->dport)],
				    memory_order_acquire);
}

static bool is_mapped(uint32_t slot)
{
	return slot && !(slot & (NAT_SLOT_LOCAL | NAT_SLOT_QUARANTINE));
}

/* What may begin a TCP connection; everything may begin other sessions. */
static bool may_begin(const struct nat_headers *h)
{
	const uint8_t ack = 0x10;

	return NAT_CODE_PROTOCOL(h->code) != NAT_TCP ||
	       (h->tcp_flags & (NAT_SYN | NAT_RST | NAT_FIN | ack)) == NAT_SYN;
}

static void unadmit(struct nat_client *c, bool in_only)
{
	atomic_fetch_sub_explicit(&c->sessions, 1, memory_order_relaxed);
	if (in_only)
		atomic_fetch_sub_explicit(&c->in_only, 1, memory_order_relaxed);
}

static struct nat_session *open_out_locked(
	struct nat *nat, struct nat_thread *t, struct nat_client *client,
	const struct packet *p, const struct nat_headers *h, uint64_t state,
	enum drop_reason *reason)
{
	struct nat_ends ends = { .inside = nat_src(p, h),
				 .remote = nat_dst(p, h) };
	uint32_t id = nat_client_id(nat, client);
	uint32_t chain = nat_mapping_chain(nat, id, h->sport, h->code);
	struct nat_mapping *m;
	struct nat_session *s;

	/* another worker may have been faster */
	s = nat_find_in(nat, nat_flow_in(nat, p, h), &ends);
	if (s) {
		unadmit(client, false);
		return s;
	}
	m = nat_mapping_find(nat, chain, id, h->sport, h->code);
	if (!m)
		m = nat_mapping_open(nat, t, client, chain, h->sport, h->code,
				     reason);
	if (!m)
		return NULL;
	ends.outside = nat_outside_at(nat, m->kind >> 3)->addr.ip;
	*reason = DROP_NAT_FULL;
	s = nat_session_open(nat, t, m, &ends, h->dport, state);
	if (!s && !m->refs)
		nat_mapping_cancel(nat, t, m);
	return s;
}

static struct nat_session *open_out(struct nat *nat, struct nat_thread *t,
				    const struct packet *p,
				    const struct nat_headers *h, bool hairpin,
				    enum drop_reason *reason)
{
	const uint8_t *src = nat_src(p, h);
	uint64_t state = nat_state_first(h->code, h->tcp_flags, true, t->now_s);
	struct nat_client *client;
	_Atomic(uint8_t) *lock;
	struct nat_session *s = NULL;

	client = nat_client_get(nat, t, h->version, src,
				nat_word(nat, h->version, src), reason);
	if (!client)
		return NULL;
	*reason = DROP_NAT_LIMIT;
	if (!nat_client_admit(client, &t->view->options, t->now_s, false))
		goto out;
	lock = nat_chain_lock(nat,
			      nat_mapping_chain(nat, nat_client_id(nat, client),
						h->sport, h->code));
	*reason = DROP_NAT_BUSY;
	if (nat_lock(lock)) {
		s = open_out_locked(nat, t, client, p, h,
				    state | (hairpin ? NAT_S_HAIRPIN : 0),
				    reason);
		nat_unlock(lock);
	}
	if (!s)
		unadmit(client, false);
out:
	nat_client_put(client);
	return s;
}

struct nat_session *nat_open_outbound(struct nat *nat, struct nat_thread *t,
				      const struct packet *p,
				      const struct nat_headers *h,
				      struct nat_result *result)
{
	const uint8_t *src = nat_src(p, h), *dst = nat_dst(p, h);
	enum drop_reason reason = DROP_NAT_FULL;
	struct nat_session *s;
	int hairpin;

	memset(result, 0, sizeof(*result));
	hairpin = nat_find_outside(nat, t->view, h->version, dst,
				   nat_word(nat, h->version, dst));
	if (!nat_is_unicast(h->version, dst) ||
	    (hairpin >= 0 && !is_mapped(slot_of(nat, hairpin, h)))) {
		result->verdict = NAT_LOCAL;
		return NULL;
	}
	if (hairpin < 0 && is_excluded(t->view, p, h)) {
		result->verdict = NAT_BYPASS;
		return NULL;
	}
	if (!nat_is_unicast(h->version, src) ||
	    nat_find_outside(nat, t->view, h->version, src,
			     nat_word(nat, h->version, src)) >= 0) {
		nat_drop(t, result, DROP_NAT_MALFORMED);
		return NULL;
	}
	if (!may_begin(h) || (NAT_CODE_PROTOCOL(h->code) == NAT_ICMP &&
			      (!h->query || hairpin >= 0))) {
		nat_drop(t, result, DROP_NAT_NO_SESSION);
		return NULL;
	}
	s = open_out(nat, t, p, h, hairpin >= 0, &reason);
	if (!s && reason == DROP_NAT_BUSY)
		nat_drop(t, result, reason);
	else if (!s)
		nat_reject(t, result, h, reason, NAT_UNREACH_ADMIN);
	else if (unlikely(atomic_load_explicit(&nat->n_syns,
					       memory_order_relaxed)))
		nat_syn_cancel(nat, s);
	return s;
}

static void unsolicited(struct nat *nat, struct nat_thread *t,
			const struct packet *p, const struct nat_headers *h,
			int oidx, struct nat_result *result)
{
	if (NAT_CODE_PROTOCOL(h->code) == NAT_UDP &&
	    t->view->options.answer_unsolicited) {
		nat_reject(t, result, h, DROP_NAT_UNSOLICITED,
			   NAT_UNREACH_PORT);
		return;
	}
	if (NAT_CODE_PROTOCOL(h->code) == NAT_TCP && may_begin(h) &&
	    t->view->options.answer_unsolicited)
		nat_syn_note(nat, t, p, h, oidx);
	nat_drop(t, result, DROP_NAT_UNSOLICITED);
}

/* With the mapping's lock. */
static struct nat_session *open_in_locked(struct nat *nat, struct nat_thread *t,
					  struct nat_mapping *m,
					  const struct packet *p,
					  const struct nat_headers *h, int oidx,
					  bool hairpin,
					  enum drop_reason *reason)
{
	struct nat_client *c = nat_client_at(nat, m->client);
	struct nat_ends ends = { .inside = c->ip,
				 .outside = nat_dst(p, h),
				 .remote = nat_src(p, h) };
	struct nat_key key = nat_flow_out(nat, p, h, oidx);
	struct nat_session *s;

	*reason = DROP_NAT_UNSOLICITED;
	if (!m->holding || m->flags & NAT_M_GONE ||
	    m->kind != NAT_KIND(h->code, oidx) || m->oport != h->dport)
		return NULL; /* it ended meanwhile */
	s = nat_find_out(nat, key, &ends);
	if (s)
		return s;
	if (nat->config.filtering == NAT_FILTER_ADDRESS &&
	    !(m->flags & NAT_M_STATIC) &&
	    !nat_group_has(nat, m, key.addrs, &ends))
		return NULL;
	*reason = DROP_NAT_LIMIT;
	if (!nat_client_admit(c, &t->view->options, t->now_s, true))
		return NULL;
	*reason = DROP_NAT_FULL;
	s = nat_session_open(
		nat, t, m, &ends, h->sport,
		nat_state_first(h->code, h->tcp_flags, false, t->now_s) |
			(hairpin ? NAT_S_HAIRPIN : 0));
	if (!s)
		unadmit(c, true);
	return s;
}

struct nat_session *nat_open_inbound(struct nat *nat, struct nat_thread *t,
				     const struct packet *p,
				     const struct nat_headers *h, int oidx,
				     bool hairpin, struct nat_result *result)
{
	uint32_t slot = slot_of(nat, oidx, h);
	enum drop_reason reason;
	struct nat_mapping *m;
	struct nat_session *s = NULL;
	_Atomic(uint8_t) *lock;

	memset(result, 0, sizeof(*result));
	if (h->query || slot == NAT_SLOT_LOCAL) {
		result->verdict = NAT_LOCAL;
		return NULL;
	}
	if (!nat_is_unicast(h->version, nat_src(p, h)) ||
	    (!hairpin &&
	     nat_find_outside(nat, t->view, h->version, nat_src(p, h),
			      nat_word(nat, h->version, nat_src(p, h))) >= 0)) {
		nat_drop(t, result, DROP_NAT_MALFORMED);
		return NULL;
	}
	if (!is_mapped(slot) || !may_begin(h) ||
	    NAT_CODE_PROTOCOL(h->code) == NAT_ICMP) {
		unsolicited(nat, t, p, h, oidx, result);
		return NULL;
	}
	/* what strangers open is a quarter of the table until it is answered */
	if (atomic_load_explicit(&nat->in_only, memory_order_relaxed) >=
	    (nat->config.max_sessions + 3) / 4) {
		nat_drop(t, result, DROP_NAT_LIMIT);
		return NULL;
	}
	m = nat_mapping_at(nat, slot - 1);
	lock = nat_chain_lock(nat, m->chain);
	reason = DROP_NAT_BUSY;
	if (nat_lock(lock)) {
		/* it may be another mapping by now, with another lock */
		reason = DROP_NAT_UNSOLICITED;
		if (nat_chain_lock(nat, m->chain) == lock)
			s = open_in_locked(nat, t, m, p, h, oidx, hairpin,
					   &reason);
		nat_unlock(lock);
	}
	if (!s && reason == DROP_NAT_UNSOLICITED)
		unsolicited(nat, t, p, h, oidx, result);
	else if (!s)
		nat_drop(t, result, reason);
	return s;
}

/*
 * RFC 5382 REQ-4: an unsolicited SYN from outside is answered only after 6
 * seconds without a SYN of the inside for the same connection, since the two
 * may be opening it at the same time. A table of one entry a place: when two
 * meet, the later one is not answered at all. A SYN is kept once, so that a
 * flood of them costs no more than the table.
 */
#include "nat/way.h"

static struct nat_syn *place(const struct nat *nat, struct nat_key key)
{
	return &nat->syns[nat_hash_of(&nat->out, key) >> 20 &
			  (NAT_SYN_SLOTS - 1)];
}

void nat_syn_note(struct nat *nat, struct nat_thread *t, const struct packet *p,
		  const struct nat_headers *h, int oidx)
{
	struct nat_key key = nat_flow_out(nat, p, h, oidx);
	struct nat_syn *syn = place(nat, key);

	if (!nat_lock(&nat->syn_lock))
		return;
	if (!syn->quoted.version) {
		syn->addr_key = key.addrs;
		syn->port_key = key.ports;
		syn->at_s = t->now_s;
		syn->quoted.version = h->version;
		syn->quoted.len = packet_read(
			p, h->l3, syn->quoted.packet,
			MIN(h->ip_end - h->l3, (uint32_t)NAT_UNREACHABLE_MAX));
		atomic_fetch_add(&nat->n_syns, 1);
	}
	nat_unlock(&nat->syn_lock);
}

static void forget(struct nat *nat, struct nat_syn *syn)
{
	syn->quoted.version = 0;
	atomic_fetch_sub(&nat->n_syns, 1);
}

void nat_syn_cancel(struct nat *nat, const struct nat_session *s)
{
	struct nat_key key = nat_key_out(s);
	struct nat_syn *syn = place(nat, key);

	if (!nat_lock(&nat->syn_lock))
		return;
	if (syn->quoted.version && syn->addr_key == key.addrs &&
	    syn->port_key == key.ports)
		forget(nat, syn);
	nat_unlock(&nat->syn_lock);
}

unsigned nat_unreachable_due(struct nat *nat, uint64_t now_ms,
			     struct nat_unreachable *due, unsigned max)
{
	uint32_t now_s = now_ms / 1000 + 1;
	unsigned n = 0;

	if (!atomic_load(&nat->n_syns))
		return 0;
	nat_lock_wait(&nat->syn_lock);
	for (unsigned i = 0; i < NAT_SYN_SLOTS && n < max; i++) {
		struct nat_syn *syn = &nat->syns[i];

		/* not a moment less than 6 s: seconds are cut off */
		if (!syn->quoted.version ||
		    (int32_t)(now_s - syn->at_s) <= NAT_SYN_S)
			continue;
		due[n++] = syn->quoted;
		forget(nat, syn);
	}
	nat_unlock(&nat->syn_lock);
	return n;
}

/* The rarer edits; see translate.h. And the gateway's helpers. */
#include "nat/translate.h"

#include "packet/csum.h"
#include "packet/gso.h"
#include "packet/parse.h"

#define ID_BLOCK 64 /* identifications that a worker takes at once */

void nat_get_addresses(const struct packet *p, const struct nat_headers *h,
		       struct nat_addresses *a)
{
	size_t len = h->version == 4 ? 4 : 16;

	memset(a, 0, sizeof(*a));
	memcpy(a->src, nat_src(p, h), len);
	memcpy(a->dst, nat_dst(p, h), len);
	if (h->version == 4)
		a->ip_id = nat_load16(p->header + h->l3 + 4);
}

static uint32_t replace(uint8_t *at, const void *by, size_t len)
{
	uint16_t was = csum_fold(csum_add(0, at, len));

	memcpy(at, by, len);
	return (uint16_t)~was + csum_fold(csum_add(0, by, len));
}

void nat_set_addresses(struct packet *p, const struct nat_headers *h,
		       const struct nat_addresses *a)
{
	uint8_t *ip = p->header + h->l3;
	uint32_t delta;

	if (h->version == 6) {
		memcpy(ip + 8, a->src, 16);
		memcpy(ip + 24, a->dst, 16);
		return;
	}
	delta = replace(ip + 12, a->src, 4);
	delta += replace(ip + 16, a->dst, 4);
	delta += replace(ip + 4, &a->ip_id, 2);
	nat_csum_change(ip + 10, nat_fold(delta));
}

void nat_renumber(struct nat *nat, struct nat_thread *t, struct packet *p,
		  const struct nat_headers *h)
{
	uint32_t n = 1;
	uint16_t id;

	if (p->offload.gso && p->offload.gso_size)
		n += p->len / p->offload.gso_size;
	if (unlikely(t->ip_id_left < n)) {
		t->ip_id_left = MAX(n, (uint32_t)ID_BLOCK);
		t->ip_id = atomic_fetch_add_explicit(&nat->ip_id, t->ip_id_left,
						     memory_order_relaxed);
	}
	store_be16(&id, t->ip_id);
	t->ip_id += n;
	t->ip_id_left -= n;
	nat_csum_change(p->header + h->l3 + 10,
			replace(p->header + h->l3 + 4, &id, 2));
}

void nat_translate_out(struct nat *nat, struct nat_thread *t,
		       const struct nat_session *s, struct packet *p,
		       const struct nat_headers *h)
{
	uint8_t *ip = p->header + h->l3, *l4 = p->header + h->l4;
	uint16_t oport = s->ports >> 32;

	if (h->version == 4) {
		memcpy(ip + 12, &s->outside4, 4);
		nat_csum_change(ip + 10, s->l3_delta);
		if (!(ip[6] & 0x40))
			nat_renumber(nat, t, p, h);
	} else {
		memcpy(ip + 8, nat_outside_at(nat, s->ports >> 51)->addr.ip,
		       16);
	}
	memcpy(l4 + (NAT_CODE_PROTOCOL(h->code) == NAT_ICMP ? 4 : 0), &oport,
	       2);
	nat_l4_change(p, h->l4, h->code, l4 + nat_csum_at(h->code), s->l3_delta,
		      s->l4_delta);
}

void nat_translate_in(struct nat *nat, const struct nat_session *s,
		      struct packet *p, const struct nat_headers *h)
{
	const struct nat_mapping *m = nat_mapping_at(nat, s->mapping);
	uint8_t *ip = p->header + h->l3, *l4 = p->header + h->l4;
	uint16_t iport = s->ports;

	if (h->version == 4) {
		memcpy(ip + 16, nat_client_at(nat, m->client)->ip, 4);
		nat_csum_change(ip + 10, (uint16_t)~s->l3_delta);
	} else {
		memcpy(ip + 24, nat_client_at(nat, m->client)->ip, 16);
	}
	memcpy(l4 + (NAT_CODE_PROTOCOL(h->code) == NAT_ICMP ? 4 : 2), &iport,
	       2);
	nat_l4_change(p, h->l4, h->code, l4 + nat_csum_at(h->code),
		      ~s->l3_delta, ~s->l4_delta);
}

bool nat_decrement_ttl(struct packet *p)
{
	uint32_t l3 = packet_l2_len(p, 2);
	uint8_t *ip = p->header + l3, *ttl;
	uint16_t word;

	if (l3 + 20 > p->header_len)
		return false;
	ttl = ip[0] >> 4 == 4 ? ip + 8 : ip + 7;
	if (*ttl <= 1)
		return false;
	if (ip[0] >> 4 == 4) {
		word = nat_load16(ip + 8);
		--*ttl;
		nat_csum_change(ip + 10, (uint16_t)~word + nat_load16(ip + 8));
	} else {
		--*ttl;
	}
	return true;
}

enum nat_fit nat_fits(const struct packet *p, uint32_t mtu)
{
	uint32_t l3 = packet_l2_len(p, 2);
	uint32_t len = p->offload.gso ? packet_gso_segment_len(p) : p->len;

	if (len <= l3 + mtu || l3 + 20 > p->header_len)
		return NAT_FITS;
	if (p->header[l3] >> 4 == 4 && !(p->header[l3 + 6] & 0x40))
		return NAT_MUST_FRAGMENT;
	return NAT_TOO_BIG;
}

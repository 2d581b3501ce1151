/*
 * Editing a packet: addresses, ports, identification, and the checksums over
 * them, incrementally (RFC 1624, equation 3), finished or left to others.
 * Internal to nat/.
 */
#ifndef NAT_TRANSLATE_H
#define NAT_TRANSLATE_H

#include "nat/session.h"

struct nat_addresses {
	uint8_t src[16], dst[16];
	uint16_t ip_id; /* IPv4 */
};

/* The two addresses and the identification as they are in the packet. */
void nat_get_addresses(const struct packet *p, const struct nat_headers *h,
		       struct nat_addresses *addresses);
/* Replaces them, in a fragment without a transport header. */
void nat_set_addresses(struct packet *p, const struct nat_headers *h,
		       const struct nat_addresses *addresses);

static inline uint16_t nat_load16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The halves add up with their carry, on top of their sum in turn. */
static inline uint16_t nat_fold(uint32_t sum)
{
	return (sum + (sum << 16 | sum >> 16)) >> 16;
}

/* A stored (complemented) checksum after such a difference. */
static inline uint16_t nat_csum_update(uint16_t csum, uint32_t delta)
{
	return ~nat_fold((csum ^ 0xffffu) + delta);
}

static inline void nat_csum_change(uint8_t *at, uint32_t delta)
{
	uint16_t csum = nat_csum_update(nat_load16(at), delta);

	memcpy(at, &csum, 2);
}

/*
 * The transport checksum at `at`; addresses and all: differences in what the
 * pseudo header has, and in that and the transport header.
 */
static inline void nat_l4_change(const struct packet *p, unsigned l4,
				 unsigned code, uint8_t *at, uint16_t addresses,
				 uint16_t all)
{
	uint16_t csum = nat_load16(at);

	if (unlikely(p->offload.csum_needed) && p->offload.csum_start == l4) {
		/* the pseudo header's sum only, not complemented */
		if (code == NAT_ICMP)
			return;
		csum = nat_fold((uint32_t)csum + addresses);
	} else {
		bool udp = NAT_CODE_PROTOCOL(code) == NAT_UDP;

		if (unlikely(!csum) && udp)
			return;
		csum = nat_csum_update(csum, all);
		if (unlikely(!csum) && udp)
			csum = 0xffff;
	}
	memcpy(at, &csum, 2);
}

/* Outbound packets that may be fragmented on their way have an identification
 * that is unique for the outside address (RFC 7857 section 10, RFC 6864). */
void nat_renumber(struct nat *nat, struct nat_thread *t, struct packet *p,
		  const struct nat_headers *h);

/* TCP or UDP by IPv4, whose headers are there. */
static inline void nat_translate_out4(struct nat *nat, struct nat_thread *t,
				      const struct nat_session *s,
				      struct packet *p,
				      const struct nat_headers *h, unsigned at3,
				      unsigned at4)
{
	uint8_t *ip = p->header + at3, *l4 = p->header + at4;
	uint16_t oport = s->ports >> 32;

	memcpy(ip + 12, &s->outside4, 4);
	nat_csum_change(ip + 10, s->l3_delta);
	if (unlikely(!(ip[6] & 0x40)))
		nat_renumber(nat, t, p, h);
	memcpy(l4, &oport, 2);
	nat_l4_change(p, at4, h->code, l4 + (h->code == NAT_TCP ? 16 : 6),
		      s->l3_delta, s->l4_delta);
}

static inline void nat_translate_in4(const struct nat_session *s,
				     struct packet *p,
				     const struct nat_headers *h, unsigned at3,
				     unsigned at4)
{
	uint8_t *ip = p->header + at3, *l4 = p->header + at4;
	uint16_t iport = s->ports;
	uint32_t inside = s->addrs;

	memcpy(ip + 16, &inside, 4);
	nat_csum_change(ip + 10, (uint16_t)~s->l3_delta);
	memcpy(l4 + 2, &iport, 2);
	nat_l4_change(p, at4, h->code, l4 + (h->code == NAT_TCP ? 16 : 6),
		      ~s->l3_delta, ~s->l4_delta);
}

/* Any flow. */
void nat_translate_out(struct nat *nat, struct nat_thread *t,
		       const struct nat_session *s, struct packet *p,
		       const struct nat_headers *h);
void nat_translate_in(struct nat *nat, const struct nat_session *s,
		      struct packet *p, const struct nat_headers *h);

#endif

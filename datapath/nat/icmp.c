/*
 * ICMP errors (RFC 5508 section 4, REQ-3 to REQ-7): outer and quoted packet are
 * translated together. They use the session and never change it. An error's
 * own checksum is checked first, and so is that of a quoted IPv4 header; the
 * quoted transport checksum is changed where it is there, and never checked.
 */
#include <netinet/in.h>

#include "nat/way.h"
#include "packet/csum.h"

#define FAR_LEN                                                                \
	256	     /* Ethernet to the quoted transport header, both IP with  \
			all options */
#define FAR_MAX	  32 /* errors of a burst that need it */
#define ERROR_LEN 8  /* ICMP's own header */

struct nat_far {
	uint8_t room[PACKET_HEADROOM + FAR_LEN];
};

int nat_icmp_create(struct nat_thread *t)
{
	t->far = xcalloc(FAR_MAX, sizeof(*t->far));
	return 0;
}

void nat_icmp_destroy(struct nat_thread *t)
{
	free(t->far);
}

/* The quoted headers become private, in a longer header if need be. */
static bool reach(struct nat_thread *t, struct packet *p)
{
	uint32_t n = MIN(p->len, (uint32_t)FAR_LEN);
	uint8_t *header;

	if (p->header_len >= n || packet_pull(p, n) || p->header_len >= n)
		return true;
	if (t->n_far == FAR_MAX)
		return false;
	header = t->far[t->n_far].room + PACKET_HEADROOM;
	if (packet_read(p, 0, header, n) != n)
		return false;
	t->n_far++;
	p->pulled += n - p->header_len;
	p->header = header;
	p->header_len = n;
	return true;
}

/* Bytes [from, to) of the packet; from is even behind the IP header. */
static uint64_t sum_range(const struct packet *p, uint32_t from, uint32_t to)
{
	uint8_t bytes[512];
	uint64_t sum = 0;
	uint32_t n;

	for (; from < to; from += n) {
		n = packet_read(p, from, bytes,
				MIN(to - from, (uint32_t)sizeof(bytes)));
		if (!n)
			break;
		sum = csum_add(sum, bytes, n);
	}
	return sum;
}

static bool checksum_is_right(const struct packet *p,
			      const struct nat_headers *h)
{
	uint64_t sum;

	if (p->offload.csum_needed || p->offload.csum_valid)
		return true;
	sum = sum_range(p, h->l4, h->ip_end);
	if (h->version == 6)
		sum = csum_combine(sum, csum_pseudo6(p->header + h->l3,
						     IPPROTO_ICMPV6,
						     h->ip_end - h->l4));
	return csum_fold(sum) == 0xffff;
}

/* The quoted packet; false when it says nothing of a flow. */
static bool look(struct nat_thread *t, struct packet *p,
		 const struct nat_headers *h, struct nat_headers *quoted,
		 struct nat_result *result)
{
	uint32_t at = h->l4 + ERROR_LEN, end;
	unsigned len;

	if (h->fragment || p->offload.gso) {
		nat_drop(t, result, DROP_NAT_MALFORMED);
		return false;
	}
	if (!reach(t, p)) {
		nat_drop(t, result, DROP_NAT_BUSY);
		return false;
	}
	end = MIN(h->ip_end, (uint32_t)p->header_len);
	if (at > end || !checksum_is_right(p, h)) {
		nat_drop(t, result, DROP_NAT_MALFORMED);
		return false;
	}
	nat_headers_quoted(p->header + at, end - at, h->version, quoted);
	len = (p->header[at] & 15) * 4;
	if (quoted->look != NAT_LOOK_FLOW ||
	    (h->version == 4 &&
	     csum_fold(csum_add(0, p->header + at, len)) != 0xffff)) {
		nat_drop(t, result, DROP_NAT_MALFORMED);
		return false;
	}
	return true;
}

/* Replaces n bytes; adds the difference to *sum. */
static void replace(uint8_t *at, const void *by, size_t n, uint64_t *sum)
{
	*sum += (uint16_t)~csum_fold(csum_add(0, at, n));
	memcpy(at, by, n);
	*sum += csum_fold(csum_add(0, at, n));
}

/* Changes a checksum within what another one sums up. */
static void change_csum(uint8_t *at, uint16_t delta, bool udp, uint64_t *sum)
{
	uint16_t csum;

	if (udp && !nat_load16(at))
		return;
	csum = nat_csum_update(nat_load16(at), delta);
	if (udp && !csum)
		csum = 0xffff;
	replace(at, &csum, 2, sum);
}

/* What takes the place of what, in the quoted packet and outside of it. */
struct edit {
	bool source; /* of the quoted packet */
	const uint8_t *quoted_ip, *outer_ip;
	uint16_t port;
	uint16_t l3_delta, l4_delta;
};

static void translate_quoted(struct packet *p, const struct nat_headers *h,
			     const struct nat_headers *quoted,
			     const struct edit *e, uint64_t *sum)
{
	uint32_t at = h->l4 + ERROR_LEN, csum;
	uint8_t *ip = p->header + at, *l4 = ip + quoted->l4;
	unsigned protocol = NAT_CODE_PROTOCOL(quoted->code);
	uint32_t end = MIN(h->ip_end, (uint32_t)p->header_len);

	if (h->version == 4) {
		replace(ip + (e->source ? 12 : 16), e->quoted_ip, 4, sum);
		change_csum(ip + 10, e->l3_delta, false, sum);
	} else {
		replace(ip + (e->source ? 8 : 24), e->quoted_ip, 16, sum);
	}
	replace(l4 + (protocol == NAT_ICMP ? 4
		      : e->source	   ? 0
					   : 2),
		&e->port, 2, sum);
	csum = at + quoted->l4 + nat_csum_at(quoted->code);
	if (csum + 2 <= end)
		change_csum(p->header + csum, e->l4_delta, protocol == NAT_UDP,
			    sum);
}

static void translate(struct nat_thread *t, struct packet *p,
		      const struct nat_headers *h,
		      const struct nat_headers *quoted, const struct edit *e,
		      struct nat_result *result)
{
	uint8_t *ip = p->header + h->l3, *icmp = p->header + h->l4;
	uint64_t sum = 0, outer = 0;

	translate_quoted(p, h, quoted, e, &sum);
	/* the error goes the other way than what it quotes */
	if (h->version == 4) {
		replace(ip + (e->source ? 16 : 12), e->outer_ip, 4, &outer);
		nat_csum_change(ip + 10, csum_fold(outer));
		outer = 0;
	} else {
		replace(ip + (e->source ? 24 : 8), e->outer_ip, 16, &outer);
	}
	if (!p->offload.csum_needed)
		nat_csum_change(icmp + 2, csum_fold(sum + outer));
	else if (h->version == 6) {
		uint16_t partial = csum_fold(nat_load16(icmp + 2) + outer);

		memcpy(icmp + 2, &partial, 2);
	}
	*result = (struct nat_result){ .verdict = NAT_FORWARD };
	nat_count(&t->counters.icmp_errors);
}

static bool is_usable(struct nat_thread *t, const struct nat_session *s)
{
	uint64_t state;

	if (!s)
		return false;
	state = atomic_load_explicit(&s->state, memory_order_acquire);
	return !nat_is_old(&t->view->options, s->ports >> 48 & 7, state,
			   t->now_s);
}

/* It quotes what has left us: its source is one of ours. */
void nat_error_inbound(struct nat *nat, struct nat_thread *t, struct packet *p,
		       const struct nat_headers *h, struct nat_result *result)
{
	const uint8_t *src, *dst;
	struct nat_headers q;
	struct nat_session *s;
	struct nat_ends ends;
	uint32_t slot;
	int oidx;

	if (!look(t, p, h, &q, result))
		return;
	src = p->header + h->l4 + ERROR_LEN + (h->version == 4 ? 12 : 8);
	dst = src + (h->version == 4 ? 4 : 16);
	oidx = nat_find_outside(nat, t->view, h->version, src,
				nat_word(nat, h->version, src));
	if (oidx < 0 || memcmp(src, nat_dst(p, h), dst - src) != 0) {
		nat_drop(t, result, DROP_NAT_NO_SESSION);
		return;
	}
	ends = (struct nat_ends){ .outside = src, .remote = dst };
	s = nat_find_out(
		nat,
		(struct nat_key){
			nat_word(nat, h->version, dst),
			(uint64_t)q.dport << 16 | (uint64_t)q.sport << 32 |
				(uint64_t)NAT_KIND(q.code, oidx) << 48 },
		&ends);
	slot = atomic_load_explicit(
		&nat_outside_at(nat, oidx)->slots[NAT_CODE_PROTOCOL(q.code)]
						 [__builtin_bswap16(q.sport)],
		memory_order_relaxed);
	if (!s && slot == NAT_SLOT_LOCAL) {
		*result = (struct nat_result){ .verdict = NAT_LOCAL };
		return;
	}
	if (!is_usable(t, s)) {
		nat_drop(t, result, DROP_NAT_NO_SESSION);
		return;
	}
	translate(
		t, p, h, &q,
		&(struct edit){
			.source = true,
			.quoted_ip =
				nat_client_at(
					nat,
					nat_mapping_at(nat, s->mapping)->client)
					->ip,
			.outer_ip =
				nat_client_at(
					nat,
					nat_mapping_at(nat, s->mapping)->client)
					->ip,
			.port = s->ports,
			.l3_delta = ~s->l3_delta,
			.l4_delta = ~s->l4_delta },
		result);
}

/* It quotes what we have let in: its destination is inside. */
void nat_error_outbound(struct nat *nat, struct nat_thread *t, struct packet *p,
			const struct nat_headers *h, struct nat_result *result)
{
	const uint8_t *src, *dst, *ours, *to;
	struct nat_headers q;
	struct nat_session *s;
	struct nat_ends ends;

	to = nat_dst(p, h);
	if (!nat_is_unicast(h->version, to)) {
		*result = (struct nat_result){ .verdict = NAT_LOCAL };
		return;
	}
	if (!look(t, p, h, &q, result))
		return;
	src = p->header + h->l4 + ERROR_LEN + (h->version == 4 ? 12 : 8);
	dst = src + (h->version == 4 ? 4 : 16);
	ends = (struct nat_ends){ .inside = dst, .remote = src };
	s = nat_find_in(
		nat,
		(struct nat_key){
			nat_word(nat, h->version, dst) |
				(uint64_t)nat_word(nat, h->version, src) << 32,
			q.dport | (uint64_t)q.sport << 16 |
				(uint64_t)q.code << 48 },
		&ends);
	if (!is_usable(t, s)) {
		nat_drop(t, result, DROP_NAT_NO_SESSION);
		return;
	}
	ours = nat_outside_at(nat, s->ports >> 51)->addr.ip;
	translate(t, p, h, &q,
		  &(struct edit){ .source = false,
				  .quoted_ip = ours,
				  .outer_ip = ours,
				  .port = s->ports >> 32,
				  .l3_delta = s->l3_delta,
				  .l4_delta = s->l4_delta },
		  result);
	to = nat_dst(p, h);
	if (nat_find_outside(nat, t->view, h->version, to,
			     nat_word(nat, h->version, to)) >= 0)
		nat_hairpin(nat, t, p, result);
}

/* See icmp_error.h. */
#include "vswd/icmp_error.h"

#include "packet/csum.h"
#include "packet/reader.h"

#define PORT_RATE     100
#define PORT_BURST    50
#define TOTAL_RATE    1000
#define TOTAL_BURST   200
#define QUOTING4_MAX  576  /* RFC 1812 4.3.2.3 */
#define QUOTING6_MAX  1280 /* RFC 4443 2.4 c */
#define IP4_LEN	      20
#define IP6_LEN	      40
#define ICMP_LEN      8
#define HOP_LIMIT     64
#define TOS_CONTROL   0xc0 /* internetwork control, RFC 1812 4.3.2.5 */
#define PROTO_ICMP    1
#define PROTO_ICMP6   58
#define N_HEADERS_MAX 8 /* of IPv6 that are looked behind */

/* --- what there may be an error about --------------------------------------
 */

/* RFC 1812 4.3.2.7: a source that is one machine's. */
static bool is_source4(uint32_t ip)
{
	return ip >> 24 && ip >> 24 != 127 && ip >> 28 < 14;
}

static bool is_error4(unsigned type)
{
	/* unreachable, quench, redirect, time exceeded, parameter problem */
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static bool deserves4(const uint8_t *ip, size_t len)
{
	unsigned header_len = (ip[0] & 15) * 4u;

	if (header_len < IP4_LEN || header_len > len ||
	    load_be16(ip + 6) & 0x1fff)
		return false;
	if (!is_source4(load_be32(ip + 12)) || load_be32(ip + 16) >> 28 >= 14)
		return false;
	return ip[9] != PROTO_ICMP ||
	       (header_len < len && !is_error4(ip[header_len]));
}

/* False: an error message or a redirect, a later fragment, or beyond telling.
 */
static bool deserves6_payload(struct reader *r, uint8_t next)
{
	for (unsigned i = 0; i < N_HEADERS_MAX; i++) {
		uint8_t following, len;

		if (next == PROTO_ICMP6) {
			uint8_t type = reader_u8(r);

			return !r->failed && type >= 128 && type != 137;
		}
		/* hop-by-hop, routing, destination options; fragment */
		if (next != 0 && next != 43 && next != 60 && next != 44)
			return true;
		following = reader_u8(r);
		len = reader_u8(r);
		if (next == 44) {
			if (reader_be16(r) >> 3)
				return false;
			reader_skip(r, 4);
		} else {
			reader_skip(r, len * 8u + 6);
		}
		if (r->failed)
			return false;
		next = following;
	}
	return false;
}

static bool deserves6(const uint8_t *ip, size_t len)
{
	static const uint8_t unspecified[16];
	struct reader r;

	if (ip[8] == 0xff || !memcmp(ip + 8, unspecified, 16) || ip[24] == 0xff)
		return false;
	reader_init(&r, ip + IP6_LEN, len - IP6_LEN);
	return deserves6_payload(&r, ip[6]);
}

/* --- the message -----------------------------------------------------------
 */

/* The field behind the checksum: the MTU, where the error has one. */
static uint32_t rest_of_header(const struct icmp_error *e)
{
	bool says = e->from.len == 4 ? e->type == ICMP4_UNREACHABLE &&
					       e->code == ICMP4_FRAG_NEEDED
				     : e->type == ICMP6_TOO_BIG;

	return says ? e->mtu : 0;
}

static void put_icmp(uint8_t *icmp, const struct icmp_error *e,
		     const uint8_t *about, size_t quoted)
{
	icmp[0] = e->type;
	icmp[1] = e->code;
	store_be16(icmp + 2, 0);
	store_be32(icmp + 4, rest_of_header(e));
	memcpy(icmp + ICMP_LEN, about, quoted);
}

static size_t put4(uint8_t *ip, const struct icmp_error *e,
		   const uint8_t *about, size_t quoted)
{
	uint8_t *icmp = ip + IP4_LEN;

	quoted = MIN(quoted, (size_t)QUOTING4_MAX - IP4_LEN - ICMP_LEN);
	memset(ip, 0, IP4_LEN);
	ip[0] = 0x45;
	ip[1] = TOS_CONTROL;
	store_be16(ip + 2, IP4_LEN + ICMP_LEN + quoted);
	store_be16(ip + 6, 0x4000); /* never fragmented: it needs no number */
	ip[8] = HOP_LIMIT;
	ip[9] = PROTO_ICMP;
	memcpy(ip + 12, e->from.bytes, 4);
	memcpy(ip + 16, about + 12, 4);
	csum_ipv4_header(ip, IP4_LEN);
	put_icmp(icmp, e, about, quoted);
	csum_store(icmp + 2, csum_add(0, icmp, ICMP_LEN + quoted));
	return IP4_LEN + ICMP_LEN + quoted;
}

static size_t put6(uint8_t *ip, const struct icmp_error *e,
		   const uint8_t *about, size_t quoted)
{
	uint8_t *icmp = ip + IP6_LEN;
	uint64_t sum;

	quoted = MIN(quoted, (size_t)QUOTING6_MAX - IP6_LEN - ICMP_LEN);
	memset(ip, 0, IP6_LEN);
	ip[0] = 0x60;
	store_be16(ip + 4, ICMP_LEN + quoted);
	ip[6] = PROTO_ICMP6;
	ip[7] = HOP_LIMIT;
	memcpy(ip + 8, e->from.bytes, 16);
	memcpy(ip + 24, about + 8, 16);
	put_icmp(icmp, e, about, quoted);
	sum = csum_pseudo6(ip, PROTO_ICMP6, ICMP_LEN + quoted);
	csum_store(icmp + 2,
		   csum_combine(sum, csum_add(0, icmp, ICMP_LEN + quoted)));
	return IP6_LEN + ICMP_LEN + quoted;
}

/* The IP packet in the frame without what the frame was padded with; 0: none */
static size_t ip_len(const uint8_t *ip, size_t len)
{
	if (len >= IP4_LEN && ip[0] >> 4 == 4)
		return MIN(len, (size_t)load_be16(ip + 2));
	if (len >= IP6_LEN && ip[0] >> 4 == 6)
		return MIN(len, (size_t)load_be16(ip + 4) + IP6_LEN);
	return 0;
}

size_t icmp_error_build(const struct icmp_error *e, const uint8_t *frame,
			size_t len, size_t l2_len, uint8_t *room)
{
	const uint8_t *ip = frame + l2_len;
	size_t n;

	if (l2_len < ETH_HEADER_LEN || l2_len > ICMP_ERROR_L2_MAX ||
	    len < l2_len || frame[0] & 1)
		return 0;
	n = ip_len(ip, len - l2_len);
	memcpy(room, frame + 6, 6);
	memcpy(room + 6, frame, 6);
	memcpy(room + 12, frame + 12, l2_len - 12);
	if (e->from.len == 4 && n >= IP4_LEN && ip[0] >> 4 == 4 &&
	    deserves4(ip, n))
		return l2_len + put4(room + l2_len, e, ip, n);
	if (e->from.len == 16 && n >= IP6_LEN && ip[0] >> 4 == 6 &&
	    deserves6(ip, n))
		return l2_len + put6(room + l2_len, e, ip, n);
	return 0;
}

/* --- how many --------------------------------------------------------------
 */

bool icmp_error_allowed(struct icmp_error_limits *limits, uint32_t port,
			uint64_t now_ms)
{
	return token_bucket_take(&limits->ports[port % ICMP_ERROR_PORTS],
				 PORT_RATE, PORT_BURST, now_ms) &&
	       token_bucket_take(&limits->total, TOTAL_RATE, TOTAL_BURST,
				 now_ms);
}

/*
 * From an IP header to what it carries: over IPv4's options (RFC 791) and
 * IPv6's extension headers (RFC 8200 4, RFC 6564), in the manner of a guard
 * (RFC 7113 2): what cannot be followed to its end is hidden, not harmless.
 * What every receiver throws away is nothing.
 */
#include "policy/inspect_internal.h"

#define IP4_MORE_FRAGMENTS  0x2000
#define IP4_FRAGMENT_OFFSET 0x1fff
#define IP6_FRAGMENT_OFFSET 0xfff8
#define IP6_HEADER_LEN	    40
#define UDP_HEADER_LEN	    8

enum ip6_header {
	IP6_HOP_BY_HOP = 0,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	IP6_AUTHENTICATION = 51,
	IP6_DESTINATION = 60,
	IP6_MOBILITY = 135,
	IP6_HIP = 139,
	IP6_SHIM6 = 140,
	IP6_EXPERIMENT_1 = 253,
	IP6_EXPERIMENT_2 = 254,
};

/* len: of the packet, by its own header, in a frame with left bytes of it. */
static struct inspect_upper begin(struct reader *r, const uint8_t *ip, size_t n,
				  size_t len, size_t left)
{
	len = MIN(len, left);
	reader_init(r, ip, MIN(n, len));
	return (struct inspect_upper){ .state = UPPER_NONE, .cut = len > n };
}

struct inspect_upper inspect_upper4(const uint8_t *ip, size_t n,
				    size_t frame_len)
{
	struct inspect_upper upper = { .state = UPPER_NONE };
	size_t header_len;
	uint16_t fragment;
	struct reader r;

	if (n < 20 || ip[0] >> 4 != 4)
		return upper;
	header_len = (ip[0] & 15) * 4;
	fragment = load_be16(ip + 6);
	upper = begin(&r, ip, n, load_be16(ip + 2), frame_len);
	if (header_len < 20 || !reader_skip(&r, header_len) ||
	    fragment & IP4_FRAGMENT_OFFSET)
		return upper;
	upper.protocol = ip[9];
	upper.is_fragment = fragment & IP4_MORE_FRAGMENTS;
	/* A first part without the ports does not tell whose they are. */
	upper.state = (upper.cut || upper.is_fragment) &&
				      reader_left(&r) < UDP_HEADER_LEN
			      ? UPPER_HIDDEN
			      : UPPER_THERE;
	upper.data = r;
	return upper;
}

static bool is_extension(uint8_t header)
{
	switch (header) {
	case IP6_HOP_BY_HOP:
	case IP6_ROUTING:
	case IP6_FRAGMENT:
	case IP6_AUTHENTICATION:
	case IP6_DESTINATION:
	case IP6_MOBILITY:
	case IP6_HIP:
	case IP6_SHIM6:
	case IP6_EXPERIMENT_1:
	case IP6_EXPERIMENT_2:
		return true;
	default:
		return false;
	}
}

/* Returns the state if that is known now, or UPPER_THERE: so far. */
static enum upper_state enter_fragment(struct inspect_upper *upper,
				       struct reader *r)
{
	bool again = upper->is_fragment;
	uint16_t fragment;

	upper->protocol = reader_u8(r);
	reader_skip(r, 1);
	fragment = reader_be16(r);
	reader_skip(r, 4);
	upper->is_fragment = true;
	/* One in another: nobody sends that who has nothing to hide. */
	if (again)
		return UPPER_HIDDEN;
	return fragment & IP6_FRAGMENT_OFFSET ? UPPER_NONE : UPPER_THERE;
}

static void skip_extension(struct inspect_upper *upper, struct reader *r)
{
	bool is_ah = upper->protocol == IP6_AUTHENTICATION; /* RFC 4302 2.2 */
	uint8_t units;

	upper->protocol = reader_u8(r);
	units = reader_u8(r);
	reader_skip(r, is_ah ? units * 4u + 6 : units * 8u + 6);
}

static enum upper_state walk(struct inspect_upper *upper, struct reader *r)
{
	enum upper_state state = UPPER_THERE;

	while (state == UPPER_THERE && !r->failed &&
	       is_extension(upper->protocol)) {
		if (upper->protocol == IP6_FRAGMENT)
			state = enter_fragment(upper, r);
		else
			skip_extension(upper, r);
	}
	if (state != UPPER_THERE)
		return state;
	/*
	 * A first fragment has all of the headers (RFC 7112). A whole packet
	 * that ends in them is no packet to its receiver.
	 */
	if (upper->cut || upper->is_fragment)
		return reader_left(r) < UDP_HEADER_LEN ? UPPER_HIDDEN
						       : UPPER_THERE;
	return r->failed ? UPPER_NONE : UPPER_THERE;
}

struct inspect_upper inspect_upper6(const uint8_t *ip, size_t n,
				    size_t frame_len)
{
	struct inspect_upper upper = { .state = UPPER_NONE };
	uint16_t payload_len;
	struct reader r;
	size_t len;

	if (n < IP6_HEADER_LEN || ip[0] >> 4 != 6)
		return upper;
	payload_len = load_be16(ip + 4);
	/* 0: of a jumbogram (RFC 2675), or empty; taken for the former. */
	len = payload_len ? (size_t)payload_len + IP6_HEADER_LEN : frame_len;
	upper = begin(&r, ip, n, len, frame_len);
	upper.protocol = ip[6];
	reader_skip(&r, IP6_HEADER_LEN);
	upper.state = walk(&upper, &r);
	upper.data = r;
	return upper;
}

/* Messages of IGMP and MLD that others sent. */
#include "gateway/membership_internal.h"
#include "packet/csum.h"
#include "packet/reader.h"

#define ETHERTYPE_IP4  0x0800
#define ETHERTYPE_IP6  0x86dd
#define PROTOCOL_IGMP  2
#define PROTOCOL_ICMP6 58
#define HOP_BY_HOP     0
#define ROUTER_ALERT   5
#define TENTH_MS       100
#define IGMPV1_MS      10000 /* RFC 3376 4.1.1: a code of 0 is 10 seconds */

enum igmp_type {
	IGMP_QUERY = 0x11,
	IGMPV1_REPORT = 0x12,
	IGMPV2_REPORT = 0x16,
};

enum mld_type {
	MLD_QUERY = 130,
	MLDV1_REPORT = 131,
	MLDV1_DONE = 132,
	MLDV2_REPORT = 143,
};

/* A number of `bits` with an exponent: RFC 3376 4.1.1, RFC 3810 5.1.3. */
static uint32_t float_code(uint32_t code, unsigned bits)
{
	uint32_t mantissa = code & ((1u << (bits - 4)) - 1);

	if (!(code >> (bits - 1)))
		return code;
	return (mantissa | 1u << (bits - 4)) << ((code >> (bits - 4) & 7) + 3);
}

static enum membership_what read_igmp(struct reader *r,
				      struct membership_message *m)
{
	size_t len = reader_left(r);
	const uint8_t *message = reader_take(r, 8);

	if (!message || csum_fold(csum_add(0, message, len)) != 0xffff)
		return MEMBERSHIP_BAD;
	m->group = ip_address_of(message + 4, 4);
	if (message[0] == IGMPV1_REPORT || message[0] == IGMPV2_REPORT)
		return MEMBERSHIP_REPORT;
	if (message[0] != IGMP_QUERY)
		return MEMBERSHIP_OTHER;
	/* RFC 3376 7.1; what is in between is none of any version */
	if (len != 8 && len < 12)
		return MEMBERSHIP_BAD;
	m->version = len >= 12 ? 3 : message[1] ? 2 : 1;
	m->delay_ms = m->version == 3	? float_code(message[1], 8) * TENTH_MS
		      : m->version == 2 ? message[1] * TENTH_MS
					: IGMPV1_MS;
	return MEMBERSHIP_QUERY;
}

static enum membership_what read4(struct reader *r,
				  struct membership_message *m)
{
	const uint8_t *ip = reader_take(r, 20);
	unsigned header_len, total;
	struct reader payload;

	if (!ip || ip[0] >> 4 != 4 || ip[9] != PROTOCOL_IGMP)
		return MEMBERSHIP_NOTHING;
	header_len = (ip[0] & 15) * 4u;
	total = load_be16(ip + 2);
	if (header_len < 20 || total < header_len ||
	    load_be16(ip + 6) & 0x3fff || !reader_skip(r, header_len - 20) ||
	    csum_fold(csum_add(0, ip, header_len)) != 0xffff)
		return MEMBERSHIP_BAD;
	payload = reader_sub(r, total - header_len);
	return payload.failed ? MEMBERSHIP_BAD : read_igmp(&payload, m);
}

/* RFC 2711; MLD without one is none (RFC 3810 6.2). */
static bool has_router_alert(struct reader *r)
{
	bool found = false;

	while (reader_left(r)) {
		uint8_t type = reader_u8(r), len;

		if (!type) /* Pad1 */
			continue;
		len = reader_u8(r);
		if (type == ROUTER_ALERT && len == 2)
			found |= reader_be16(r) == 0;
		else
			reader_skip(r, len);
	}
	return found && !r->failed;
}

static enum membership_what read_mld(const uint8_t *ip, struct reader *r,
				     struct membership_message *m)
{
	size_t len = reader_left(r);
	const uint8_t *message = reader_take(r, 24);

	if (!message ||
	    csum_fold(csum_combine(csum_pseudo6(ip, PROTOCOL_ICMP6, len),
				   csum_add(0, message, len))) != 0xffff)
		return MEMBERSHIP_BAD;
	m->group = ip_address_of(message + 8, 16);
	if (message[0] == MLDV1_REPORT)
		return MEMBERSHIP_REPORT;
	if (message[0] != MLD_QUERY)
		return MEMBERSHIP_OTHER;
	/* Link-local, so that nobody farther away asks; RFC 3810 5.1.14. */
	if (ip[8] != 0xfe || (ip[9] & 0xc0) != 0x80 || ip[7] != 1 ||
	    (len != 24 && len < 28))
		return MEMBERSHIP_BAD;
	m->version = len == 24 ? 1 : 2;
	m->delay_ms = load_be16(message + 4);
	if (m->version == 2)
		m->delay_ms = float_code(m->delay_ms, 16);
	return MEMBERSHIP_QUERY;
}

static bool is_mld(uint8_t type)
{
	return (type >= MLD_QUERY && type <= MLDV1_DONE) ||
	       type == MLDV2_REPORT;
}

static enum membership_what read6(struct reader *r,
				  struct membership_message *m)
{
	const uint8_t *ip = reader_take(r, 40);
	struct reader payload, options;
	uint8_t next, units;

	if (!ip || ip[0] >> 4 != 6 || ip[6] != HOP_BY_HOP)
		return MEMBERSHIP_NOTHING;
	m->v6 = true;
	payload = reader_sub(r, load_be16(ip + 4));
	next = reader_u8(&payload);
	units = reader_u8(&payload);
	options = reader_sub(&payload, units * 8u + 6);
	if (payload.failed || next != PROTOCOL_ICMP6 ||
	    !reader_left(&payload) || !is_mld(payload.at[0]))
		return MEMBERSHIP_NOTHING;
	return has_router_alert(&options) ? read_mld(ip, &payload, m)
					  : MEMBERSHIP_BAD;
}

enum membership_what membership_read(const void *frame, size_t len,
				     struct membership_message *m)
{
	struct reader r;
	uint16_t type;

	memset(m, 0, sizeof(*m));
	reader_init(&r, frame, len);
	reader_skip(&r, 12);
	type = reader_be16(&r);
	if (type == ETHERTYPE_IP4)
		return read4(&r, m);
	return type == ETHERTYPE_IP6 ? read6(&r, m) : MEMBERSHIP_NOTHING;
}

/* DHCP messages, as far as they tell who may have which address. */
#include "vswd/dhcp_snooped.h"

#include "gateway/dhcp_message.h"
#include "packet/parse.h"
#include "policy/inspect.h"

#define UDP_HEADER_LEN 8
#define PROTOCOL_UDP   17

#define BOOTREPLY	 2
#define HTYPE_ETHERNET	 1
#define YIADDR_TO_CHADDR 8
#define CHADDR_REST	 10

enum dhcpv6_type {
	DHCPV6_SOLICIT = 1,
	DHCPV6_REQUEST = 3,
	DHCPV6_RENEW = 5,
	DHCPV6_REBIND = 6,
	DHCPV6_REPLY = 7,
	DHCPV6_RELEASE = 8,
	DHCPV6_DECLINE = 9,
};

enum dhcpv6_option {
	DHCPV6_CLIENT_ID = 1,
	DHCPV6_IA_NA = 3,
	DHCPV6_IA_TA = 4,
	DHCPV6_IA_ADDRESS = 5,
	DHCPV6_IA_PD = 25,
	DHCPV6_IA_PREFIX = 26,
};

static void add_address(struct snooped *s, const struct snooped_address *a)
{
	if (s->n < SNOOPED_ADDRESSES_MAX)
		s->addresses[s->n++] = *a;
}

/* --- IPv4 --------------------------------------------------------------- */

static void add_ip4(struct snooped *s, uint32_t ip, uint32_t lease_s)
{
	struct snooped_address a = {
		.ip.version = 4,
		.prefix_len = 32,
		.lease_s = lease_s,
	};

	store_be32(a.ip.bytes, ip);
	/* not what is nobody's: 0/8, loopback, groups */
	if (ip >> 24 && ip >> 24 != 127 && ip >> 28 < 0xe)
		add_address(s, &a);
}

static void set_mac(struct snooped *s, uint64_t mac)
{
	s->client_len = 6;
	store_be16(s->client, mac >> 32);
	store_be32(s->client + 2, (uint32_t)mac);
}

static bool read_client4(struct snooped *s, struct reader r, uint64_t src_mac)
{
	struct dhcp_message m;

	if (!dhcp_message_parse(&m, r.at, reader_left(&r)) || m.mac != src_mac)
		return false;
	s->xid = m.xid;
	set_mac(s, m.mac);
	switch (m.type) {
	case DHCP_RELEASE:
		s->what = SNOOPED_GIVES_UP;
		add_ip4(s, m.ciaddr, 0);
		return true;
	case DHCP_DECLINE:
		s->what = SNOOPED_GIVES_UP;
		add_ip4(s, m.requested_ip, 0);
		return true;
	case DHCP_DISCOVER: /* with rapid commit (RFC 4039) */
	case DHCP_REQUEST:
		s->what = SNOOPED_ASKS;
		return true;
	default:
		return false;
	}
}

struct options4 {
	uint8_t type, overload;
	uint32_t lease_s;
};

static bool read_options4(struct reader *r, struct options4 *o)
{
	struct dhcp_raw_option raw;

	while (dhcp_option_next(r, &raw)) {
		if (raw.code == OPTION_TYPE && raw.len == 1)
			o->type = raw.data[0];
		else if (raw.code == OPTION_OVERLOAD && raw.len == 1)
			o->overload = raw.data[0];
		else if (raw.code == OPTION_LEASE_TIME && raw.len == 4)
			o->lease_s = load_be32(raw.data);
	}
	return !r->failed;
}

static bool read_server4(struct snooped *s, struct reader r)
{
	uint8_t op = reader_u8(&r), htype = reader_u8(&r), hlen = reader_u8(&r);
	struct options4 o = { 0 };
	struct reader sname, file;
	uint32_t ip;

	reader_skip(&r, 1);
	s->xid = reader_be32(&r);
	reader_skip(&r, 8);
	ip = reader_be32(&r);
	reader_skip(&r, YIADDR_TO_CHADDR);
	set_mac(s, reader_mac(&r));
	reader_skip(&r, CHADDR_REST);
	sname = reader_sub(&r, DHCP_SNAME_LEN);
	file = reader_sub(&r, DHCP_FILE_LEN);
	if (reader_be32(&r) != DHCP_COOKIE || r.failed || op != BOOTREPLY ||
	    htype != HTYPE_ETHERNET || hlen != 6 || !read_options4(&r, &o) ||
	    (o.overload & 1 && !read_options4(&file, &o)) ||
	    (o.overload & 2 && !read_options4(&sname, &o)))
		return false;
	switch (o.type) {
	case DHCP_ACK:
		s->what = SNOOPED_GRANTS;
		if (o.lease_s) /* none in the answer to INFORM */
			add_ip4(s, ip, o.lease_s);
		return true;
	case DHCP_NAK:
		s->what = SNOOPED_REFUSES;
		return true;
	default:
		return false;
	}
}

/* --- IPv6 ---------------------------------------------------------------- */

/* The next option; false: there is none, or the reader has failed. */
static bool next6(struct reader *r, uint16_t *code, struct reader *value)
{
	if (!reader_left(r))
		return false;
	*code = reader_be16(r);
	*value = reader_sub(r, reader_be16(r));
	return !value->failed;
}

static void read_address6(struct snooped *s, uint16_t code, struct reader r)
{
	struct snooped_address a = { .ip.version = 6, .prefix_len = 128 };

	if (code == DHCPV6_IA_ADDRESS) {
		reader_copy(&r, a.ip.bytes, 16);
		reader_skip(&r, 4);
		a.lease_s = reader_be32(&r);
	} else {
		reader_skip(&r, 4);
		a.lease_s = reader_be32(&r);
		a.prefix_len = reader_u8(&r);
		reader_copy(&r, a.ip.bytes, 16);
	}
	/* unicast, and not all of them: 2000::/3, or fc00::/7 */
	if (!r.failed && a.prefix_len >= 16 && a.prefix_len <= 128 &&
	    (a.ip.bytes[0] >> 5 == 1 || a.ip.bytes[0] >> 1 == 0xfc >> 1))
		add_address(s, &a);
}

/* head: bytes before the options (RFC 8415 21.4, 21.5, 21.21) */
static bool read_association(struct snooped *s, struct reader r, size_t head)
{
	struct reader value;
	uint16_t code;

	reader_skip(&r, head);
	while (next6(&r, &code, &value))
		if (code == DHCPV6_IA_ADDRESS || code == DHCPV6_IA_PREFIX)
			read_address6(s, code, value);
	return !r.failed;
}

static bool read_option6(struct snooped *s, uint16_t code, struct reader value)
{
	switch (code) {
	case DHCPV6_CLIENT_ID:
		s->client_len =
			(uint8_t)MIN(reader_left(&value), (size_t)UINT8_MAX);
		if (!s->client_len || s->client_len > SNOOPED_CLIENT_MAX)
			return false;
		reader_copy(&value, s->client, s->client_len);
		return true;
	case DHCPV6_IA_NA:
	case DHCPV6_IA_PD:
		return read_association(s, value, 12);
	case DHCPV6_IA_TA:
		return read_association(s, value, 4);
	default:
		return true;
	}
}

static bool read_type6(struct snooped *s, uint8_t type, bool from_client)
{
	switch (type) {
	case DHCPV6_SOLICIT: /* with rapid commit */
	case DHCPV6_REQUEST:
	case DHCPV6_RENEW:
	case DHCPV6_REBIND:
		s->what = SNOOPED_ASKS;
		return from_client;
	case DHCPV6_RELEASE:
	case DHCPV6_DECLINE:
		s->what = SNOOPED_GIVES_UP;
		return from_client;
	case DHCPV6_REPLY:
		s->what = SNOOPED_GRANTS;
		return !from_client;
	default:
		return false;
	}
}

static bool read_message6(struct snooped *s, struct reader r, bool from_client)
{
	uint32_t head = reader_be32(&r);
	struct reader value;
	uint16_t code;

	s->xid = head & 0xffffff;
	if (r.failed || !read_type6(s, (uint8_t)(head >> 24), from_client))
		return false;
	while (next6(&r, &code, &value))
		if (!read_option6(s, code, value))
			return false;
	return !r.failed && s->client_len;
}

/* --- either ---------------------------------------------------------------
 */

bool dhcp_snooped_parse(struct snooped *s, const void *frame, size_t len,
			bool from_client)
{
	struct flow_key key;
	struct reader r, udp;
	uint16_t to, udp_len;

	memset(s, 0, sizeof(*s));
	if (!flow_parse(frame, len, &key) || !key.l4 ||
	    key.ip_proto != PROTOCOL_UDP || key.fragment != FLOW_FRAG_NONE)
		return false;
	reader_init(&r, frame, len);
	reader_skip(&r, key.l4 + 2u);
	to = reader_be16(&r);
	udp_len = reader_be16(&r);
	reader_skip(&r, 2);
	if (r.failed || udp_len < UDP_HEADER_LEN)
		return false;
	udp = reader_sub(&r, udp_len - UDP_HEADER_LEN);
	if (udp.failed)
		return false;
	s->version = key.ip_version;
	if (s->version == 6)
		return to == (from_client ? DHCPV6_SERVER_PORT
					  : DHCPV6_CLIENT_PORT) &&
		       read_message6(s, udp, from_client);
	if (to != (from_client ? DHCP_SERVER_PORT : DHCP_CLIENT_PORT))
		return false;
	return from_client ? read_client4(s, udp, key.src_mac)
			   : read_server4(s, udp);
}

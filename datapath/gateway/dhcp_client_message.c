/* Messages of a DHCPv4 client; see dhcp_client_message.h. */
#include "gateway/dhcp_client_message.h"

#define BOOTREQUEST 1
#define BOOTREPLY   2
#define HTYPE_ETHER 1
#define MAX_SIZE    1472 /* what an Ethernet frame carries */
#define PREFIX_MIN  8
#define MTU_MIN	    576 /* RFC 2132 5.1 says 68; less than this is no use */

#define OVERLOAD_FILE  1
#define OVERLOAD_SNAME 2
#define ROUTES_BYTES   512

/* Options of a server, those that are split put together (RFC 3396). */
struct options {
	struct dhcp_bytes type, overload, mask, routers, server_id, lease, t1,
		t2, mtu;
	uint8_t routes[ROUTES_BYTES];
	unsigned routes_len;
	bool routes_cut; /* longer than there is room for */
};

static void write_head(const struct dhcp_client_query *q, uint8_t *head)
{
	head[0] = BOOTREQUEST;
	head[1] = HTYPE_ETHER;
	head[2] = 6;
	store_be32(head + 4, q->xid);
	store_be16(head + 8, q->secs);
	store_be16(head + 10, q->broadcast ? DHCP_FLAG_BROADCAST : 0);
	store_be32(head + 12, q->ciaddr);
	store_be16(head + 28, q->mac >> 32);
	store_be32(head + 30, q->mac);
	store_be32(head + DHCP_FIXED_LEN, DHCP_COOKIE);
}

static uint8_t *write32(uint8_t *at, uint8_t code, uint32_t v)
{
	if (!v)
		return at;
	at[0] = code;
	at[1] = 4;
	store_be32(at + 2, v);
	return at + 6;
}

void dhcp_client_write(const struct dhcp_client_query *q,
		       uint8_t message[DHCP_CLIENT_MESSAGE_LEN])
{
	/* RFC 3442: 121 before 3 */
	static const uint8_t wanted[] = { OPTION_PARAMETERS, 8,
					  OPTION_MASK,	     OPTION_ROUTES,
					  OPTION_ROUTER,     OPTION_MTU,
					  OPTION_LEASE_TIME, OPTION_SERVER_ID,
					  OPTION_T1,	     OPTION_T2,
					  OPTION_MAX_SIZE,   2,
					  MAX_SIZE >> 8,     MAX_SIZE & 0xff };
	const uint8_t who[] = { OPTION_TYPE,
				1,
				q->type,
				OPTION_CLIENT_ID,
				7,
				HTYPE_ETHER,
				q->mac >> 40,
				q->mac >> 32,
				q->mac >> 24,
				q->mac >> 16,
				q->mac >> 8,
				q->mac };
	uint8_t *at = message + DHCP_FIXED_LEN + 4;

	_Static_assert(DHCP_FIXED_LEN + 4 + sizeof(who) + 2 * 6 +
				       sizeof(wanted) <
			       DHCP_CLIENT_MESSAGE_LEN,
		       "all of it has room");
	memset(message, 0, DHCP_CLIENT_MESSAGE_LEN);
	write_head(q, message);
	memcpy(at, who, sizeof(who));
	at = write32(at + sizeof(who), OPTION_REQUESTED_IP, q->requested_ip);
	at = write32(at, OPTION_SERVER_ID, q->server_id);
	if (q->type == DHCP_DISCOVER || q->type == DHCP_REQUEST) {
		memcpy(at, wanted, sizeof(wanted));
		at += sizeof(wanted);
	}
	*at = OPTION_END;
}

static struct dhcp_bytes *place_of(struct options *o, uint8_t code)
{
	switch (code) {
	case OPTION_TYPE:
		return &o->type;
	case OPTION_OVERLOAD:
		return &o->overload;
	case OPTION_MASK:
		return &o->mask;
	case OPTION_ROUTER:
		return &o->routers;
	case OPTION_SERVER_ID:
		return &o->server_id;
	case OPTION_LEASE_TIME:
		return &o->lease;
	case OPTION_T1:
		return &o->t1;
	case OPTION_T2:
		return &o->t2;
	case OPTION_MTU:
		return &o->mtu;
	default:
		return NULL;
	}
}

static void keep_option(struct options *o, uint8_t code, const uint8_t *data,
			unsigned len)
{
	struct dhcp_bytes *place = place_of(o, code);
	unsigned n;

	if (code == OPTION_ROUTES) {
		n = MIN(len, (unsigned)ROUTES_BYTES - o->routes_len);
		memcpy(o->routes + o->routes_len, data, n);
		o->routes_len += n;
		o->routes_cut |= n < len;
	} else if (place) {
		dhcp_bytes_append(place, data, len);
	}
}

static bool read_area(struct reader *r, struct options *o)
{
	struct dhcp_raw_option raw;

	while (dhcp_option_next(r, &raw))
		keep_option(o, raw.code, raw.data, raw.len);
	return !r->failed;
}

static uint32_t value32(const struct dhcp_bytes *option, uint32_t otherwise)
{
	return option->len == 4 ? load_be32(option->bytes) : otherwise;
}

/* One station's, by its number alone. */
static bool is_host(uint32_t ip)
{
	return ip >> 24 && ip >> 24 != 127 && ip >> 28 < 14;
}

static bool is_on_link(const struct dhcp_client_lease *l, uint32_t ip)
{
	return is_host(ip) && ip != l->ip &&
	       !((ip ^ l->ip) & ip4_mask(l->prefix_len));
}

/* The length of a mask, or -1: it has holes. */
static int mask_len(uint32_t mask)
{
	unsigned len = mask ? 32 - __builtin_ctz(mask) : 0;

	return mask == ip4_mask(len) ? (int)len : -1;
}

static bool take_address(struct dhcp_client_lease *l, uint32_t ip,
			 const struct options *o)
{
	int len = mask_len(value32(&o->mask, 0));
	uint32_t host;

	if (len < PREFIX_MIN || !is_host(ip))
		return false;
	host = ip & ~ip4_mask(len);
	/* RFC 3021: a network of two has no broadcast address */
	if (len < 31 && (!host || host == ~ip4_mask(len)))
		return false;
	l->ip = ip;
	l->prefix_len = len;
	return true;
}

/* RFC 2131 4.4.5: 0.5 and 0.875 where the server's make no sense. */
static bool take_times(struct dhcp_client_lease *l, const struct options *o)
{
	uint64_t lease = value32(&o->lease, 0);

	l->lease_s = lease;
	l->t1_s = value32(&o->t1, 0);
	l->t2_s = value32(&o->t2, 0);
	if (lease < DHCP_CLIENT_LEASE_MIN_S)
		return false;
	if (lease == UINT32_MAX) {
		l->t1_s = l->t2_s = UINT32_MAX;
	} else if (!l->t1_s || l->t1_s >= l->t2_s || l->t2_s >= lease) {
		l->t1_s = lease / 2;
		l->t2_s = lease * 7 / 8;
	}
	return true;
}

static void take_routers(struct dhcp_client_lease *l, const struct options *o)
{
	for (unsigned i = 0; i + 4 <= o->routers.len; i += 4) {
		uint32_t ip = load_be32(o->routers.bytes + i);

		if (is_on_link(l, ip) && l->n_routers < DHCP_CLIENT_ROUTERS_MAX)
			l->routers[l->n_routers++] = ip;
	}
	if (l->n_routers)
		l->gateway = l->routers[0];
}

/* RFC 3442: as many bytes of the network as its prefix needs, and a router. */
static bool take_route(struct dhcp_client_lease *l, struct reader *r)
{
	struct dhcp_route route = { .prefix_len = reader_u8(r) };
	uint8_t network[4] = { 0 };

	if (route.prefix_len > 32)
		return false;
	reader_copy(r, network, DIV_ROUND_UP(route.prefix_len, 8));
	route.network = load_be32(network) & ip4_mask(route.prefix_len);
	route.gateway = reader_be32(r);
	if (r->failed)
		return false;
	/* a router of 0: on the link itself, as what the mask says */
	if (!is_on_link(l, route.gateway))
		return true;
	if (!route.prefix_len && !l->gateway)
		l->gateway = route.gateway;
	else if (route.prefix_len && l->n_routes < DHCP_CLIENT_ROUTES_MAX)
		l->routes[l->n_routes++] = route;
	return true;
}

static void take_routes(struct dhcp_client_lease *l, const struct options *o)
{
	struct reader r;

	take_routers(l, o);
	if (!o->routes_len)
		return;
	l->gateway = 0;
	reader_init(&r, o->routes, o->routes_len);
	while (reader_left(&r) && take_route(l, &r))
		;
}

static void take_lease(struct dhcp_client_lease *l, uint32_t ip,
		       const struct options *o)
{
	if (!take_times(l, o) || !take_address(l, ip, o)) {
		memset(l, 0, sizeof(*l));
		return;
	}
	take_routes(l, o);
	if (o->mtu.len == 2 && load_be16(o->mtu.bytes) >= MTU_MIN)
		l->mtu = load_be16(o->mtu.bytes);
}

/* The head of a reply, and its three areas of options. */
static bool read_reply(struct dhcp_answer *a, struct reader *r, uint32_t *ip,
		       struct options *o)
{
	struct reader sname, file;
	uint8_t op = reader_u8(r), htype = reader_u8(r), hlen = reader_u8(r);
	unsigned overload;

	reader_skip(r, 1);
	a->xid = reader_be32(r);
	reader_skip(r, 8);
	*ip = reader_be32(r);
	reader_skip(r, 8);
	a->mac = reader_mac(r);
	reader_skip(r, 10);
	sname = reader_sub(r, DHCP_SNAME_LEN);
	file = reader_sub(r, DHCP_FILE_LEN);
	if (reader_be32(r) != DHCP_COOKIE || r->failed || op != BOOTREPLY ||
	    htype != HTYPE_ETHER || hlen != 6 || !read_area(r, o))
		return false;
	overload = o->overload.len == 1 ? o->overload.bytes[0] : 0;
	return (!(overload & OVERLOAD_FILE) || read_area(&file, o)) &&
	       (!(overload & OVERLOAD_SNAME) || read_area(&sname, o));
}

bool dhcp_answer_parse(struct dhcp_answer *a, const void *data, size_t len)
{
	struct options o;
	struct reader r;
	uint32_t ip;

	memset(a, 0, sizeof(*a));
	memset(&o, 0, sizeof(o));
	reader_init(&r, data, len);
	if (!read_reply(a, &r, &ip, &o) || o.type.len != 1)
		return false;
	a->type = o.type.bytes[0];
	if (a->type != DHCP_OFFER && a->type != DHCP_ACK && a->type != DHCP_NAK)
		return false;
	a->server_id = value32(&o.server_id, 0);
	if (!is_host(a->server_id))
		a->server_id = 0;
	if (a->type != DHCP_NAK)
		take_lease(&a->lease, ip, &o);
	a->lease.server = a->server_id;
	return true;
}

/*
 * ICMPv6 to the gateway: neighbour solicitations and advertisements (RFC 4861
 * 7), router solicitations (6.2.6), pings (RFC 4443 4).
 */
#include "gateway/station_internal.h"

#include "packet/csum.h"

#define HOP_LIMIT_ND 255 /* has passed no router */
#define NA_ROUTER    0x80
#define NA_SOLICITED 0x40
#define NA_OVERRIDE  0x20

static const uint8_t unspecified[16];
static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };
static const uint8_t solicited_node[13] = { 0xff, 0x02, [11] = 1, 0xff };

bool ip6_is_unspecified(const uint8_t *ip)
{
	return !memcmp(ip, unspecified, 16);
}

static bool is_link_local(const uint8_t *ip)
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

bool station_has6(const struct station *s, const uint8_t *ip)
{
	if (!s->config.ip6)
		return false;
	for (unsigned i = 0; i < s->config.n_global; i++)
		if (!memcmp(s->config.global[i].ip, ip, 16))
			return true;
	return !memcmp(s->link_local, ip, 16);
}

/* An address that a station of this segment can have. */
static bool on_segment(const struct station *s, const uint8_t *ip)
{
	if (is_link_local(ip))
		return true;
	for (unsigned i = 0; i < s->config.n_global; i++)
		if (ip6_in_prefix(ip, s->config.global[i].ip,
				  s->config.global[i].prefix_len))
			return true;
	return false;
}

void icmp6_begin(struct icmp6_frame *f, const struct station *s, void *room,
		 size_t size, uint64_t to_mac, const uint8_t *from,
		 const uint8_t *to)
{
	writer_init(&f->w, room, size);
	writer_mac(&f->w, to_mac);
	writer_mac(&f->w, s->config.mac);
	writer_be16(&f->w, ETHERTYPE_IP6);
	f->ip = f->w.at;
	writer_be32(&f->w, 0x60000000);
	writer_be16(&f->w, 0);
	writer_u8(&f->w, PROTOCOL_ICMP6);
	writer_u8(&f->w, HOP_LIMIT_ND);
	writer_bytes(&f->w, from, 16);
	writer_bytes(&f->w, to, 16);
}

void icmp6_end(struct icmp6_frame *f, struct station *s)
{
	uint8_t *icmp = f->ip + IP6_HEADER_LEN;
	size_t len = f->w.at - icmp;
	uint64_t sum;

	if (f->w.failed)
		return;
	store_be16(f->ip + 4, len);
	icmp[2] = icmp[3] = 0;
	sum = csum_combine(csum_pseudo6(f->ip, PROTOCOL_ICMP6, len),
			   csum_add(0, icmp, len));
	csum_store(icmp + 2, sum);
	s->ops.send(f->w.start, writer_len(&f->w), s->ops_arg);
}

void station_link_option(struct writer *w, uint8_t type, uint64_t mac)
{
	writer_u8(w, type);
	writer_u8(w, 1);
	writer_mac(w, mac);
}

/*
 * The link-layer address of an option, 0: none. False when the options cannot
 * be: a length of zero, or past the end (RFC 4861 6.1.1, 7.1).
 */
static bool read_options(struct reader *r, uint8_t wanted, uint64_t *mac)
{
	*mac = 0;
	while (reader_left(r)) {
		uint8_t type = reader_u8(r), units = reader_u8(r);
		struct reader option;

		if (r->failed || !units)
			return false;
		option = reader_sub(r, units * 8u - 2);
		if (option.failed)
			return false;
		if (type == wanted)
			*mac = reader_mac(&option);
	}
	return true;
}

static void learn(struct station *s, const struct arrival *a, const uint8_t *ip,
		  bool create)
{
	struct ip_address address = ip_address_of(ip, 16);

	if (on_segment(s, ip))
		neighbor_cache_learn(s->neighbors, &address, a->client, create,
				     a->now_ms);
}

static void advertise(struct station *s, const uint8_t *target,
		      const uint8_t *to, uint64_t to_mac)
{
	bool to_all = ip6_is_unspecified(to);
	uint8_t room[SMALL_FRAME_MAX];
	struct icmp6_frame f;

	icmp6_begin(&f, s, room, sizeof(room), to_all ? 0x333300000001 : to_mac,
		    target, to_all ? all_nodes : to);
	writer_u8(&f.w, ICMP6_NA);
	writer_zeros(&f.w, 3);
	writer_u8(&f.w, (s->config.ra.enabled ? NA_ROUTER : 0) |
				(to_all ? 0 : NA_SOLICITED) | NA_OVERRIDE);
	writer_zeros(&f.w, 3);
	writer_bytes(&f.w, target, 16);
	station_link_option(&f.w, ND_TARGET_LINK_ADDRESS, s->config.mac);
	s->counters.nd_answers++;
	icmp6_end(&f, s);
}

/* RFC 4861 7.1.1, 7.2.3, 7.2.4 */
static bool solicitation(struct station *s, struct arrival *a)
{
	const uint8_t *from = a->ip + 8, *to = a->ip + 24, *target;
	uint64_t mac;

	reader_skip(&a->payload, 4);
	target = reader_take(&a->payload, 16);
	if (!target || target[0] == 0xff ||
	    !read_options(&a->payload, ND_SOURCE_LINK_ADDRESS, &mac))
		return false;
	if (ip6_is_unspecified(from)) {
		if (mac || memcmp(to, solicited_node, 13))
			return false;
	} else if (mac && mac != a->client->mac) {
		return false;
	}
	if (!station_has6(s, target))
		return true;
	if (!ip6_is_unspecified(from)) {
		if (!on_segment(s, from) || station_has6(s, from))
			return false;
		learn(s, a, from, true);
	}
	advertise(s, target, from, a->client->mac);
	return true;
}

/* RFC 4861 7.1.2, 7.2.5: nothing is made of it, what is known is updated. */
static bool advertisement(struct station *s, struct arrival *a)
{
	uint8_t flags = reader_u8(&a->payload);
	const uint8_t *target;
	uint64_t mac;

	reader_skip(&a->payload, 3);
	target = reader_take(&a->payload, 16);
	if (!target || target[0] == 0xff ||
	    !read_options(&a->payload, ND_TARGET_LINK_ADDRESS, &mac) ||
	    (a->ip[24] == 0xff && flags & NA_SOLICITED) ||
	    (mac && mac != a->client->mac))
		return false;
	if (station_has6(s, target)) {
		struct ip_address ip = ip_address_of(target, 16);

		s->counters.own_address_claimed++;
		if (s->defended && a->now_ms - s->defended_ms < DEFEND_EACH_MS)
			return true;
		s->defended = true;
		s->defended_ms = a->now_ms;
		advertise(s, target, unspecified, 0);
		if (s->ops.conflict)
			s->ops.conflict(&ip, s->config.mac, a->client,
					s->ops_arg);
		return true;
	}
	learn(s, a, target, false);
	return true;
}

/* RFC 4861 6.1.1 */
static bool router_solicitation(struct station *s, struct arrival *a)
{
	const uint8_t *from = a->ip + 8;
	uint64_t mac;

	if (!reader_skip(&a->payload, 4) ||
	    !read_options(&a->payload, ND_SOURCE_LINK_ADDRESS, &mac) ||
	    (mac && (ip6_is_unspecified(from) || mac != a->client->mac)))
		return false;
	if (!s->config.ra.enabled)
		return true;
	if (!ip6_is_unspecified(from)) {
		if (!is_link_local(from))
			return false;
		learn(s, a, from, true);
	}
	station_ra_solicited(s, from, a->client->mac, a->now_ms);
	return true;
}

static bool echo(struct station *s, struct arrival *a, const uint8_t *message,
		 size_t len)
{
	const uint8_t *from = a->ip + 8, *to = a->ip + 24;
	bool to_all = !memcmp(to, all_nodes, 16);
	struct icmp6_frame f;

	/* RFC 4443 2.4 (e.6): not to what is no single host */
	if (len < 8 || from[0] == 0xff || ip6_is_unspecified(from) ||
	    station_has6(s, from) || (to_all && !is_link_local(from)))
		return false;
	icmp6_begin(&f, s, s->out, sizeof(s->out), a->client->mac,
		    to_all ? s->link_local : to, from);
	f.ip[7] = 64;
	writer_be32(&f.w, (uint32_t)ICMP6_ECHO_REPLY << 24);
	writer_bytes(&f.w, message + 4, len - 4);
	s->counters.echo_answers++;
	icmp6_end(&f, s);
	return true;
}

/* Of the kinds that are never routed; code is 0 and no router was passed. */
static bool discover(struct station *s, struct arrival *a, uint8_t type,
		     uint8_t code)
{
	if (a->ip[7] != HOP_LIMIT_ND || code)
		return false;
	switch (type) {
	case ICMP6_NS:
		return solicitation(s, a);
	case ICMP6_NA:
		return advertisement(s, a);
	case ICMP6_RS:
		return router_solicitation(s, a);
	default: /* another router's, a redirect */
		return true;
	}
}

bool station_icmp6(struct station *s, struct arrival *a)
{
	size_t len = reader_left(&a->payload);
	const uint8_t *message = a->payload.at, *to = a->ip + 24;
	uint8_t type = reader_u8(&a->payload), code = reader_u8(&a->payload);
	bool discovery = type >= ICMP6_RS && type <= 137;
	bool ours = station_has6(s, to) || !memcmp(to, all_nodes, 16);

	if (!discovery && !(type == ICMP6_ECHO && ours))
		return false;
	reader_skip(&a->payload, 2);
	if (a->payload.failed ||
	    csum_fold(csum_combine(csum_pseudo6(a->ip, PROTOCOL_ICMP6, len),
				   csum_add(0, message, len))) != 0xffff ||
	    !(discovery ? discover(s, a, type, code)
			: echo(s, a, message, len)))
		s->counters.bad++;
	return true;
}

void station_nd_ask(struct station *s, const uint8_t ip[16], uint64_t mac)
{
	uint8_t room[SMALL_FRAME_MAX], to[16];
	const uint8_t *from = s->link_local;
	struct icmp6_frame f;

	if (!s->config.ip6)
		return;
	memcpy(to, ip, 16);
	if (!mac) {
		memcpy(to, solicited_node, 13);
		mac = 0x333300000000 | load_be32(to + 12);
	}
	icmp6_begin(&f, s, room, sizeof(room), mac, from, to);
	writer_u8(&f.w, ICMP6_NS);
	writer_zeros(&f.w, 7);
	writer_bytes(&f.w, ip, 16);
	station_link_option(&f.w, ND_SOURCE_LINK_ADDRESS, s->config.mac);
	icmp6_end(&f, s);
}

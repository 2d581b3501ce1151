/*
 * ICMP errors about packets that a gateway does not forward: RFC 792 and RFC
 * 1812 4.3.2, RFC 4443. An error quotes the packet that it is about, as much as
 * fits. There is none about errors, parts of a datagram but the first, and
 * frames or packets to groups; and only so many a second, for each port and in
 * total.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/writer.h"
#include "packet/csum.h"
#include "packet/parse.h"
#include "packet/reader.h"
#include "vswd/segment.h"
#include "vswd/token_bucket.h"
#include "vswd/vbond.h"

#define N_BUCKETS     256 /* ports share one, by their number */
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

struct segment_errors {
	struct token_bucket total, ports[N_BUCKETS];
};

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
static uint32_t rest_of_header(const struct router_note *note, unsigned version)
{
	if (version == 4)
		return note->icmp_type == 3 && note->icmp_code == 4 ? note->mtu
								    : 0;
	return note->icmp_type == 2 ? note->mtu : 0;
}

static void put_icmp(uint8_t *icmp, const struct segment_packet *packet,
		     unsigned version, size_t quoted)
{
	icmp[0] = packet->note.icmp_type;
	icmp[1] = packet->note.icmp_code;
	store_be16(icmp + 2, 0);
	store_be32(icmp + 4, rest_of_header(&packet->note, version));
	memcpy(icmp + ICMP_LEN, packet->frame + ETH_HEADER_LEN, quoted);
}

static size_t put4(uint8_t *ip, const struct segment_packet *packet,
		   const struct ip_address *from, size_t quoted)
{
	const uint8_t *about = packet->frame + ETH_HEADER_LEN;
	uint8_t *icmp = ip + IP4_LEN;

	quoted = MIN(quoted, (size_t)QUOTING4_MAX - IP4_LEN - ICMP_LEN);
	memset(ip, 0, IP4_LEN);
	ip[0] = 0x45;
	ip[1] = TOS_CONTROL;
	store_be16(ip + 2, IP4_LEN + ICMP_LEN + quoted);
	store_be16(ip + 6, 0x4000); /* never fragmented: it needs no number */
	ip[8] = HOP_LIMIT;
	ip[9] = PROTO_ICMP;
	memcpy(ip + 12, from->bytes, 4);
	memcpy(ip + 16, about + 12, 4);
	csum_ipv4_header(ip, IP4_LEN);
	put_icmp(icmp, packet, 4, quoted);
	csum_store(icmp + 2, csum_add(0, icmp, ICMP_LEN + quoted));
	return IP4_LEN + ICMP_LEN + quoted;
}

static size_t put6(uint8_t *ip, const struct segment_packet *packet,
		   const struct ip_address *from, size_t quoted)
{
	const uint8_t *about = packet->frame + ETH_HEADER_LEN;
	uint8_t *icmp = ip + IP6_LEN;
	uint64_t sum;

	quoted = MIN(quoted, (size_t)QUOTING6_MAX - IP6_LEN - ICMP_LEN);
	memset(ip, 0, IP6_LEN);
	ip[0] = 0x60;
	store_be16(ip + 4, ICMP_LEN + quoted);
	ip[6] = PROTO_ICMP6;
	ip[7] = HOP_LIMIT;
	memcpy(ip + 8, from->bytes, 16);
	memcpy(ip + 24, about + 8, 16);
	put_icmp(icmp, packet, 6, quoted);
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

size_t segment_error_build(const struct segment_packet *packet,
			   const struct ip_address *from, uint8_t *room)
{
	const uint8_t *frame = packet->frame, *ip = frame + ETH_HEADER_LEN;
	size_t len;

	if (packet->len < ETH_HEADER_LEN || frame[0] & 1)
		return 0;
	len = ip_len(ip, packet->len - ETH_HEADER_LEN);
	memcpy(room, frame + 6, 6);
	memcpy(room + 6, frame, 6);
	memcpy(room + 12, frame + 12, 2);
	if (from->len == 4 && len >= IP4_LEN && ip[0] >> 4 == 4 &&
	    deserves4(ip, len))
		return ETH_HEADER_LEN +
		       put4(room + ETH_HEADER_LEN, packet, from, len);
	if (from->len == 16 && len >= IP6_LEN && ip[0] >> 4 == 6 &&
	    deserves6(ip, len))
		return ETH_HEADER_LEN +
		       put6(room + ETH_HEADER_LEN, packet, from, len);
	return 0;
}

/* --- sending it ------------------------------------------------------------
 */

static bool is_link_local(const uint8_t *ip)
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

/* Of an uplink: the first of its addresses; of IPv6 one of the same scope. */
static struct ip_address outside_address(const struct segment *seg, bool v6,
					 bool link_local)
{
	const struct ip_address none = { 0 };
	struct router_link link = { 0 };

	if (!seg->uplink)
		return none;
	segment_uplink_fill(seg->uplink, &link);
	if (!v6)
		return link.n_ip4 ? ip_address_v4(link.ip4[0].ip) : none;
	for (unsigned i = 0; i < link.n_ip6; i++)
		if (is_link_local(link.ip6[i].ip) == link_local)
			return ip_address_of(link.ip6[i].ip, 16);
	return none;
}

/* The gateway's own on the side by which the packet came. */
static struct ip_address sender(const struct segment *seg,
				const struct segment_packet *packet)
{
	const uint8_t *ip = packet->frame + ETH_HEADER_LEN;
	const struct cfg_segment *c = seg->config;
	struct ip_address none = { 0 };
	bool v6, link_local;

	if (packet->len < ETH_HEADER_LEN + IP4_LEN)
		return none;
	v6 = ip[0] >> 4 == 6;
	link_local = v6 && is_link_local(ip + 8);
	if (packet->note.in == ROUTER_OUTSIDE)
		return outside_address(seg, v6, link_local);
	if (!v6)
		return c->ip4 ? ip_address_v4(c->ip4) : none;
	if (link_local && seg->services)
		return ip_address_of(
			station_link_local(
				segment_services_station(seg->services)),
			16);
	return c->ip6.prefix_len ? ip_address_of(c->ip6.ip, 16) : none;
}

bool segment_error_allowed(struct segment *seg, uint32_t port)
{
	uint64_t now = vswitch_now_ms();
	struct segment_errors *e = seg->errors;

	if (!e)
		e = seg->errors = xcalloc(1, sizeof(*e));
	return token_bucket_take(&e->ports[port % N_BUCKETS], PORT_RATE,
				 PORT_BURST, now) &&
	       token_bucket_take(&e->total, TOTAL_RATE, TOTAL_BURST, now);
}

void segment_error_send(struct segment *seg,
			const struct segment_packet *packet)
{
	struct ip_address from = sender(seg, packet);
	uint8_t room[SEGMENT_ERROR_MAX];
	size_t len = segment_error_build(packet, &from, room);

	if (len && segment_error_allowed(seg, packet->client.port))
		segment_send(seg, packet->note.in, room, len);
}

/*
 * An error about a packet as the NAT has made it, on its way back to where that
 * came from: to the machine that sent it, about what it sent (RFC 5508 REQ-4,
 * REQ-5). Its new length; 0: the NAT knows nothing of such a packet.
 */
static size_t translate_back(struct segment *seg, bool outwards, uint8_t *room,
			     size_t len)
{
	struct nat *nat = segment_nat_engine(seg->nat);
	struct packet p, *const packets[] = { &p };
	uint8_t translated[SEGMENT_ERROR_MAX] = { 0 };
	struct nat_result result;

	if (!nat)
		return 0;
	packet_init(&p, room, len);
	packet_pull_first(&p);
	nat_enter(nat, 0, vswitch_now_ms());
	if (outwards)
		nat_outbound(nat, 0, packets, 1, &result);
	else
		nat_inbound(nat, 0, packets, 1, &result);
	len = 0;
	if (result.verdict == NAT_FORWARD)
		len = packet_read(&p, 0, translated, sizeof(translated));
	nat_leave(nat, 0);
	memcpy(room, translated, len);
	return len;
}

static bool is_translated(const struct segment *seg,
			  const struct segment_packet *packet)
{
	bool v6 = packet->frame[ETH_HEADER_LEN] >> 4 == 6;

	return seg->nat && (!v6 || seg->config->nat6) &&
	       (packet->note.side == ROUTER_OUTSIDE ||
		packet->note.in == ROUTER_OUTSIDE);
}

void segment_error_unreached(struct segment *seg,
			     const struct segment_packet *packet)
{
	struct ip_address from = sender(seg, packet);
	uint8_t room[SEGMENT_ERROR_MAX];
	size_t len = segment_error_build(packet, &from, room);

	if (len && is_translated(seg, packet))
		len = translate_back(seg, packet->note.in == ROUTER_OUTSIDE,
				     room, len);
	if (len && segment_error_allowed(seg, packet->client.port))
		segment_send_ip(seg, room, len);
}

void segment_error_clear(struct segment *seg)
{
	free(seg->errors);
	seg->errors = NULL;
}

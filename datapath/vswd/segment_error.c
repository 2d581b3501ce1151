/*
 * ICMP errors about packets that a gateway does not forward (icmp_error.h): who
 * sends them, and their way back.
 */
#include <stdlib.h>
#include <string.h>

#include "packet/parse.h"
#include "vswd/icmp_error.h"
#include "vswd/segment.h"
#include "vswd/vbond.h"

#define IP4_LEN 20

struct segment_errors {
	struct icmp_error_limits limits;
};

size_t segment_error_build(const struct segment_packet *packet,
			   const struct ip_address *from, uint8_t *room)
{
	const struct icmp_error e = {
		.from = *from,
		.type = packet->note.icmp_type,
		.code = packet->note.icmp_code,
		.mtu = packet->note.mtu,
	};

	return icmp_error_build(&e, packet->frame, packet->len, ETH_HEADER_LEN,
				room);
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
	if (!seg->errors)
		seg->errors = xcalloc(1, sizeof(*seg->errors));
	return icmp_error_allowed(&seg->errors->limits, port, vswitch_now_ms());
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

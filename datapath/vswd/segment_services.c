/*
 * What a segment's gateway does for its machines itself: ARP, neighbor
 * discovery and pings (gateway/station.h), DHCP and DHCPv6, and a word to
 * whoever knocks at a port where nothing is. It knows who is where, and tells
 * the workers by the neighbor table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "gateway/udp_frame.h"
#include "packet/parse.h"
#include "vswd/overlay.h"
#include "vswd/segment.h"
#include "vswd/segment_reset.h"
#include "vswd/vbond.h"

LOG_MODULE(segment);

#define CONFLICTS_MAX 8
#define CONFLICT_MS   60000 /* after the last claim it is over */
#define DNS_PORT      53
#define PROTO_ICMP    1
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_ICMP6   58

struct conflict {
	struct ip_address ip; /* len 0: none */
	uint64_t holder, claimant;
	uint64_t until_ms;
	char *text;
};

struct segment_services {
	struct segment *seg;
	struct station *station;
	struct dhcp *dhcp; /* NULL: off */
	struct conflict conflicts[CONFLICTS_MAX];
	int latest; /* conflict, -1: none */
};

/* --- addresses that two want -----------------------------------------------
 */

static const char *port_name(const struct segment *seg, uint32_t number)
{
	const struct vport *v =
		number <= UINT16_MAX ? bridge_find_number(seg->bridge, number)
				     : NULL;

	return v ? v->config->name : "a port that is gone";
}

struct search {
	const struct ip_address *ip;
	struct gateway_client found;
};

static void look_for(const struct neighbor_info *info, void *arg)
{
	struct search *s = arg;

	if (info->client.mac && ip_address_equal(&info->ip, s->ip))
		s->found = info->client;
}

/* Who has it, as a person reads it; the caller's. */
static char *describe_holder(struct segment_services *s,
			     const struct ip_address *ip, uint64_t holder)
{
	struct search search = { .ip = ip };
	char mac[MAC_STRING_SIZE];

	if (holder == s->seg->config->mac)
		return xstrdup("the gateway itself");
	mac_format(holder, mac);
	neighbor_cache_list(station_neighbors(s->station), vswitch_now_ms(),
			    look_for, &search);
	if (search.found.mac != holder)
		return xasprintf("%s, by its lease,", mac);
	return xasprintf("%s at port %s", mac,
			 port_name(s->seg, search.found.port));
}

static struct conflict *find_conflict(struct segment_services *s,
				      const struct ip_address *ip, uint64_t a,
				      uint64_t b)
{
	for (unsigned i = 0; i < CONFLICTS_MAX; i++) {
		struct conflict *c = &s->conflicts[i];

		if (c->ip.len && ip_address_equal(&c->ip, ip) &&
		    ((c->holder == a && c->claimant == b) ||
		     (c->holder == b && c->claimant == a)))
			return c;
	}
	return NULL;
}

/* In the place of the one that was heard of least lately. */
static struct conflict *new_conflict(struct segment_services *s)
{
	struct conflict *oldest = &s->conflicts[0];

	for (unsigned i = 1; i < CONFLICTS_MAX; i++)
		if (s->conflicts[i].until_ms < oldest->until_ms)
			oldest = &s->conflicts[i];
	s->latest = oldest - s->conflicts;
	free(oldest->text);
	return oldest;
}

/* Said once, as long as it goes on. */
static void conflict(const struct ip_address *ip, uint64_t holder,
		     const struct gateway_client *claimant, void *arg)
{
	struct segment_services *s = arg;
	struct conflict *c = find_conflict(s, ip, holder, claimant->mac);
	char mac[MAC_STRING_SIZE], address[IP_TEXT_SIZE], *has;

	if (!c) {
		c = new_conflict(s);
		has = describe_holder(s, ip, holder);
		c->ip = *ip;
		c->holder = holder;
		c->claimant = claimant->mac;
		c->text = xasprintf(
			"two machines claim %s: %s has it, and %s at port %s "
			"does not get it",
			segment_ip_format(ip, address), has,
			mac_format(claimant->mac, mac),
			port_name(s->seg, claimant->port));
		free(has);
		log_warn_limited("segment %s: %s", s->seg->config->name,
				 c->text);
		segment_mark_dirty(s->seg);
	}
	c->until_ms = vswitch_now_ms() + CONFLICT_MS;
}

const char *segment_services_conflict(const struct segment_services *s)
{
	return s->latest >= 0 ? s->conflicts[s->latest].text : NULL;
}

static void end_conflicts(struct segment_services *s, uint64_t now_ms)
{
	for (int i = 0; i < CONFLICTS_MAX; i++) {
		struct conflict *c = &s->conflicts[i];

		if (!c->ip.len || now_ms < c->until_ms)
			continue;
		free(c->text);
		memset(c, 0, sizeof(*c));
		if (i != s->latest)
			continue;
		s->latest = -1;
		segment_mark_dirty(s->seg);
	}
}

/* --- what the engines ask for ----------------------------------------------
 */

static void send_frame(const void *frame, size_t len, void *arg)
{
	struct segment_services *s = arg;

	segment_send(s->seg, ROUTER_INSIDE, frame, len);
}

static void resolved(const struct ip_address *ip, uint64_t mac, void *arg)
{
	struct segment_services *s = arg;

	segment_hold_resolved(s->seg, ROUTER_INSIDE, ip, mac);
}

static bool owner(const struct ip_address *ip, uint64_t *mac, void *arg)
{
	struct segment_services *s = arg;
	const struct dhcp_lease *lease = NULL;

	if (s->dhcp && ip->len == 4)
		lease = dhcp_find_ip(s->dhcp, ip_address_to_v4(ip));
	if (lease)
		*mac = lease->mac;
	return lease;
}

static void neighbor_changed(const struct ip_address *ip, uint64_t mac,
			     void *arg)
{
	struct segment_services *s = arg;

	neighbor_table_set(s->seg->neighbors[ROUTER_INSIDE], ip->bytes, ip->len,
			   mac);
}

static void send_datagram(struct segment_services *s,
			  const struct udp_datagram *d)
{
	uint8_t room[UDP_FRAME_HEADERS + PUNT_BYTES_MAX];
	size_t len = udp_frame_build(d, room, sizeof(room));

	if (len)
		segment_send(s->seg, ROUTER_INSIDE, room, len);
}

static void send_dhcp(const struct dhcp_destination *to, const void *message,
		      size_t len, void *arg)
{
	struct segment_services *s = arg;
	const struct cfg_segment *c = s->seg->config;
	const struct udp_datagram d = {
		.from = { c->mac, ip_address_v4(c->ip4), DHCP_SERVER_PORT },
		.to = { to->mac, ip_address_v4(to->ip), to->port },
		.payload = message,
		.len = len,
	};

	send_datagram(s, &d);
}

static void lease_changed(const struct dhcp_lease *lease, bool gone, void *arg)
{
	struct segment_services *s = arg;

	if (s->seg->leases)
		segment_leases_changed(s->seg->leases, lease, gone);
}

/* --- datagrams -------------------------------------------------------------
 */

static void answer_dhcpv6(struct segment_services *s,
			  const struct udp_datagram *d)
{
	static const uint8_t all_servers[16] = { 0xff, 2, [13] = 1, [15] = 2 };
	const struct cfg_segment *c = s->seg->config;
	struct udp_datagram answer = { .from = d->to, .to = d->from };
	uint8_t room[DHCPV6_REPLY_MAX];

	if (!c->dhcpv6_on)
		return;
	answer.len =
		dhcpv6_answer(&c->dhcpv6, d->payload, d->len,
			      !memcmp(d->to.ip.bytes, all_servers, 16), room);
	answer.payload = room;
	answer.from.mac = c->mac;
	answer.from.ip = ip_address_of(station_link_local(s->station), 16);
	if (answer.len)
		send_datagram(s, &answer);
}

/* Who asks is where the answer goes: that it has the address, it says itself.
 */
static void receive_dns(struct segment_services *s,
			const struct gateway_client *client,
			const struct udp_datagram *d)
{
	neighbor_cache_learn(station_neighbors(s->station), &d->from.ip, client,
			     true, vswitch_now_ms());
	segment_dns_receive(s->seg->dns, client, &d->from.ip, d->from.port,
			    &d->to.ip, d->payload, d->len);
}

static void refuse(struct segment_services *s,
		   const struct segment_packet *packet, uint8_t type,
		   uint8_t code)
{
	struct segment_packet about = *packet;

	about.note.icmp_type = type;
	about.note.icmp_code = code;
	segment_error_send(s->seg, &about);
}

static void receive_datagram(struct segment_services *s,
			     const struct segment_packet *packet,
			     const struct udp_datagram *d)
{
	bool v6 = d->to.ip.len == 16;

	if (d->to.port == DHCP_SERVER_PORT && !v6) {
		if (s->dhcp)
			dhcp_receive(s->dhcp, &packet->client, d->payload,
				     d->len, vswitch_now_ms());
	} else if (d->to.port == DHCPV6_SERVER_PORT && v6) {
		answer_dhcpv6(s, d);
	} else if (station_has(s->station, &d->to.ip)) {
		if (d->to.port == DNS_PORT && s->seg->dns)
			receive_dns(s, &packet->client, d);
		else if (v6)
			refuse(s, packet, 1, 4); /* unreachable, port */
		else
			refuse(s, packet, 3, 3);
	}
}

/* An IP packet to the gateway that no service is there for. */
static void receive_other(struct segment_services *s,
			  const struct segment_packet *packet)
{
	const uint8_t *ip = packet->frame + ETH_HEADER_LEN, *to;
	struct ip_address address;
	unsigned len;
	uint8_t proto;

	to = segment_destination(packet->frame, packet->len, &len);
	if (!to)
		return;
	address = ip_address_of(to, len);
	if (!station_has(s->station, &address))
		return;
	proto = len == 4 ? ip[9] : ip[6];
	if (proto == PROTO_TCP)
		segment_reset(s->seg, packet);
	else if (len == 4 && proto != PROTO_ICMP && proto != PROTO_UDP)
		refuse(s, packet, 3, 2); /* unreachable, protocol */
}

void segment_services_receive(struct segment_services *s,
			      const struct segment_packet *packet)
{
	struct udp_datagram d;

	if (station_receive(s->station, &packet->client, packet->frame,
			    packet->len, vswitch_now_ms()))
		return;
	if (udp_frame_parse(&d, packet->frame, packet->len))
		receive_datagram(s, packet, &d);
	else
		receive_other(s, packet);
}

/* --- life ------------------------------------------------------------------
 */

/* What machines are told; 0: nothing, it is as they have it. */
static uint16_t told_mtu(const struct segment *seg, uint16_t option)
{
	return option ? option : bridge_overlay_mtu(seg->vs, seg->bridge);
}

static void fill_station(const struct segment *seg, struct station_config *to)
{
	const struct cfg_segment *c = seg->config;

	*to = (struct station_config){
		.mac = c->mac,
		.ip4 = c->ip4,
		.prefix4_len = c->prefix4_len,
		.ip6 = c->ip6.prefix_len,
		.global[0] = c->ip6,
		.n_global = c->ip6.prefix_len ? 1 : 0,
		.ra = c->ra,
	};
	to->ra.mtu = told_mtu(seg, c->ra.mtu);
}

static void configure_dhcp(struct segment_services *s)
{
	static const struct dhcp_ops ops = { send_dhcp, lease_changed };
	const struct cfg_segment *c = s->seg->config;
	struct dhcp_config config = c->dhcp;

	config.mtu = told_mtu(s->seg, c->dhcp.mtu);
	if (!c->dhcp_on) {
		dhcp_destroy(s->dhcp);
		s->dhcp = NULL;
	} else if (s->dhcp) {
		dhcp_configure(s->dhcp, &config);
	} else {
		s->dhcp = dhcp_create(&config, &s->seg->key, &ops, s);
		if (s->seg->leases)
			segment_leases_restore(s->seg->leases, s->dhcp);
	}
}

struct segment_services *segment_services_create(struct segment *seg)
{
	static const struct station_ops ops = {
		.send = send_frame,
		.resolved = resolved,
		.owner = owner,
		.conflict = conflict,
		.changed = neighbor_changed,
	};
	struct segment_services *s = xcalloc(1, sizeof(*s));
	struct station_config config;

	s->seg = seg;
	s->latest = -1;
	fill_station(seg, &config);
	s->station =
		station_create(&config, &seg->key, &ops, s, vswitch_now_ms());
	configure_dhcp(s);
	return s;
}

void segment_services_configure(struct segment_services *s)
{
	struct station_config config;

	fill_station(s->seg, &config);
	station_configure(s->station, &config, vswitch_now_ms());
	configure_dhcp(s);
}

void segment_services_destroy(struct segment_services *s)
{
	if (!s)
		return;
	station_withdraw(s->station);
	station_destroy(s->station);
	dhcp_destroy(s->dhcp);
	for (int i = 0; i < CONFLICTS_MAX; i++)
		free(s->conflicts[i].text);
	free(s);
}

void segment_services_port_gone(struct segment_services *s, uint16_t number)
{
	neighbor_cache_forget_port(station_neighbors(s->station), number);
}

int segment_services_resolve(struct segment_services *s,
			     const struct ip_address *ip, uint32_t asker,
			     uint64_t *mac)
{
	return neighbor_cache_resolve(station_neighbors(s->station), ip, asker,
				      vswitch_now_ms(), mac);
}

struct dhcp *segment_services_dhcp(struct segment_services *s)
{
	return s->dhcp;
}

struct station *segment_services_station(struct segment_services *s)
{
	return s->station;
}

void segment_services_run(struct segment_services *s, uint64_t now_ms)
{
	station_run(s->station, now_ms);
	if (s->dhcp)
		dhcp_run(s->dhcp, now_ms);
	end_conflicts(s, now_ms);
}

uint64_t segment_services_next_ms(const struct segment_services *s)
{
	uint64_t next = station_next_ms(s->station);

	if (s->dhcp)
		next = MIN(next, dhcp_next_ms(s->dhcp));
	for (int i = 0; i < CONFLICTS_MAX; i++)
		if (s->conflicts[i].ip.len)
			next = MIN(next, s->conflicts[i].until_ms);
	return next;
}

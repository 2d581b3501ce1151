/*
 * ARP (RFC 826) for the gateway's IPv4 address, and its defence (RFC 5227):
 * who claims it is reported, and told once in ten seconds whose it is.
 */
#include "gateway/station_internal.h"

#define ARP_REQUEST 1
#define ARP_REPLY   2

static void send_arp(struct station *s, uint64_t to_mac, uint16_t operation,
		     uint64_t target_mac, uint32_t target_ip)
{
	uint8_t frame[FRAME_MIN] = { 0 };
	struct writer w;

	writer_init(&w, frame, sizeof(frame));
	writer_mac(&w, to_mac);
	writer_mac(&w, s->config.mac);
	writer_be16(&w, ETHERTYPE_ARP);
	writer_be16(&w, 1);
	writer_be16(&w, ETHERTYPE_IP4);
	writer_u8(&w, 6);
	writer_u8(&w, 4);
	writer_be16(&w, operation);
	writer_mac(&w, s->config.mac);
	writer_be32(&w, s->config.ip4);
	writer_mac(&w, target_mac);
	writer_be32(&w, target_ip);
	s->ops.send(frame, sizeof(frame), s->ops_arg);
}

void station_arp_ask(struct station *s, uint32_t ip, uint64_t mac)
{
	if (s->config.ip4)
		send_arp(s, mac ? mac : MAC_BROADCAST, ARP_REQUEST, 0, ip);
}

/* RFC 5227 2.4 (c): the address is kept, which one announcement says. */
static void defend(struct station *s, const struct gateway_client *client,
		   uint64_t now_ms)
{
	struct ip_address ip = ip_address_v4(s->config.ip4);

	s->counters.own_address_claimed++;
	if (s->defended && now_ms - s->defended_ms < DEFEND_EACH_MS)
		return;
	s->defended = true;
	s->defended_ms = now_ms;
	send_arp(s, MAC_BROADCAST, ARP_REQUEST, 0, s->config.ip4);
	if (s->ops.conflict)
		s->ops.conflict(&ip, s->config.mac, client, s->ops_arg);
}

/* An address that a station of this segment can have. */
static bool on_segment(const struct station *s, uint32_t ip)
{
	uint32_t mask = ip4_mask(s->config.prefix4_len), host = ip & ~mask;

	if ((ip & mask) != (s->config.ip4 & mask))
		return false;
	return s->config.prefix4_len >= 31 || (host && host != ~mask);
}

bool station_arp(struct station *s, const struct gateway_client *client,
		 struct reader *r, uint64_t now_ms)
{
	bool ethernet = reader_be16(r) == 1 &&
			reader_be16(r) == ETHERTYPE_IP4 && reader_u8(r) == 6 &&
			reader_u8(r) == 4;
	uint16_t operation = reader_be16(r);
	uint64_t sender = reader_mac(r);
	uint32_t sender_ip = reader_be32(r), target_ip;
	bool for_us;

	reader_skip(r, 6);
	target_ip = reader_be32(r);
	if (r->failed || !ethernet || sender != client->mac ||
	    (operation != ARP_REQUEST && operation != ARP_REPLY)) {
		s->counters.bad++;
		return true;
	}
	if (!s->config.ip4)
		return true;
	for_us = target_ip == s->config.ip4;
	if (sender_ip == s->config.ip4) {
		defend(s, client, now_ms);
		return true;
	}
	if (on_segment(s, sender_ip)) {
		struct ip_address ip = ip_address_v4(sender_ip);

		neighbor_cache_learn(s->neighbors, &ip, client, for_us, now_ms);
	}
	/* a sender of 0 probes (RFC 5227 2.1.1), and must be told, too */
	if (for_us && operation == ARP_REQUEST &&
	    (!sender_ip || on_segment(s, sender_ip))) {
		s->counters.arp_answers++;
		send_arp(s, client->mac, ARP_REPLY, client->mac, sender_ip);
	}
	return true;
}

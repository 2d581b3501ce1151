/*
 * ARP (RFC 826) for the gateway's IPv4 addresses, and their defence (RFC 5227):
 * who claims it is reported, and told once in ten seconds whose it is.
 */
#include "gateway/station_internal.h"

#define ARP_REQUEST 1
#define ARP_REPLY   2

static void send_arp(struct station *s, uint32_t from, uint64_t to_mac,
		     uint16_t operation, uint64_t target_mac,
		     uint32_t target_ip)
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
	writer_be32(&w, from);
	writer_mac(&w, target_mac);
	writer_be32(&w, target_ip);
	s->ops.send(frame, sizeof(frame), s->ops_arg);
}

static bool in_network(uint32_t ip, uint32_t own, unsigned prefix_len)
{
	uint32_t mask = ip4_mask(prefix_len), host = ip & ~mask;

	if ((ip & mask) != (own & mask))
		return false;
	return prefix_len >= 31 || (host && host != ~mask);
}

/*
 * The own address in whose network it is, one that a station of this segment
 * can have; 0: there is none.
 */
static uint32_t own_address_for(const struct station *s, uint32_t ip)
{
	if (in_network(ip, s->config.ip4, s->config.prefix4_len))
		return s->config.ip4;
	for (unsigned i = 0; i < s->config.n_further4; i++) {
		const struct station_ip4 *own = &s->config.further4[i];

		if (in_network(ip, own->ip, own->prefix_len))
			return own->ip;
	}
	return 0;
}

void station_arp_ask(struct station *s, uint32_t ip, uint64_t mac)
{
	uint32_t from = own_address_for(s, ip);

	if (s->config.ip4)
		send_arp(s, from ? from : s->config.ip4,
			 mac ? mac : MAC_BROADCAST, ARP_REQUEST, 0, ip);
}

/* RFC 5227 2.4 (c): the address is kept, which one announcement says. */
static void defend(struct station *s, const struct gateway_client *client,
		   uint32_t claimed, uint64_t now_ms)
{
	struct ip_address ip = ip_address_v4(claimed);

	s->counters.own_address_claimed++;
	if (s->defended && now_ms - s->defended_ms < DEFEND_EACH_MS)
		return;
	s->defended = true;
	s->defended_ms = now_ms;
	send_arp(s, claimed, MAC_BROADCAST, ARP_REQUEST, 0, claimed);
	if (s->ops.conflict)
		s->ops.conflict(&ip, s->config.mac, client, s->ops_arg);
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
	for_us = station_has4(s, target_ip);
	if (station_has4(s, sender_ip)) {
		defend(s, client, sender_ip, now_ms);
		return true;
	}
	if (own_address_for(s, sender_ip)) {
		struct ip_address ip = ip_address_v4(sender_ip);

		neighbor_cache_learn(s->neighbors, &ip, client, for_us, now_ms);
	}
	/*
	 * Whoever asks is told, by the MAC that asks: a sender of 0, which
	 * probes (RFC 5227 2.1.1), and a host of several networks that asks
	 * by its address of another. Learned is only who is of an own network.
	 */
	if (for_us && operation == ARP_REQUEST) {
		s->counters.arp_answers++;
		send_arp(s, target_ip, client->mac, ARP_REPLY, client->mac,
			 sender_ip);
	}
	return true;
}

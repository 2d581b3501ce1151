/* The station's making, what goes to which protocol, and its timers. */
#include "gateway/station_internal.h"

#include <stdlib.h>

#include "packet/csum.h"

/* Modified EUI-64 (RFC 4291 appendix A). */
static void make_link_local(uint8_t ip[16], uint64_t mac)
{
	memset(ip, 0, 16);
	store_be16(ip, 0xfe80);
	store_be32(ip + 8, (mac >> 16) ^ 0x02000000);
	ip[11] = 0xff;
	ip[12] = 0xfe;
	ip[13] = mac >> 16;
	store_be16(ip + 14, mac);
}

static void cache_ask(const struct ip_address *ip, uint64_t mac, void *arg)
{
	struct station *s = arg;

	if (ip->len == 4)
		station_arp_ask(s, ip_address_to_v4(ip), mac);
	else
		station_nd_ask(s, ip->bytes, mac);
}

static void cache_resolved(const struct ip_address *ip, uint64_t mac, void *arg)
{
	struct station *s = arg;

	if (s->ops.resolved)
		s->ops.resolved(ip, mac, s->ops_arg);
}

static bool cache_owner(const struct ip_address *ip, uint64_t *mac, void *arg)
{
	struct station *s = arg;

	return s->ops.owner && s->ops.owner(ip, mac, s->ops_arg);
}

static void cache_conflict(const struct ip_address *ip, uint64_t holder,
			   const struct gateway_client *claimant, void *arg)
{
	struct station *s = arg;

	if (s->ops.conflict)
		s->ops.conflict(ip, holder, claimant, s->ops_arg);
}

static void cache_changed(const struct ip_address *ip, uint64_t mac, void *arg)
{
	struct station *s = arg;

	if (s->ops.changed)
		s->ops.changed(ip, mac, s->ops_arg);
}

struct station *station_create(const struct station_config *config,
			       const struct hash_key *key,
			       const struct station_ops *ops, void *ops_arg,
			       uint64_t now_ms)
{
	static const struct neighbor_ops cache_ops = {
		.ask = cache_ask,
		.resolved = cache_resolved,
		.owner = cache_owner,
		.conflict = cache_conflict,
		.changed = cache_changed,
	};
	struct station *s = xcalloc(1, sizeof(*s));

	s->ops = *ops;
	s->ops_arg = ops_arg;
	s->neighbors =
		neighbor_cache_create(&config->limits, key, &cache_ops, s);
	station_configure(s, config, now_ms);
	return s;
}

void station_destroy(struct station *s)
{
	if (!s)
		return;
	neighbor_cache_destroy(s->neighbors);
	free(s);
}

void station_configure(struct station *s, const struct station_config *config,
		       uint64_t now_ms)
{
	s->config = *config;
	make_link_local(s->link_local, config->mac);
	station_ra_start(s, now_ms);
}

void station_withdraw(struct station *s)
{
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

	if (s->config.ip6 && s->config.ra.enabled)
		station_ra_send(s, all_nodes, 0x333300000001, true);
	s->config.ra.enabled = false;
	s->ra_due_ms = UINT64_MAX;
}

/* A header without options that the sum of its bytes vouches for. */
static bool receive_ip4(struct station *s, struct arrival *a, struct reader *r)
{
	const uint8_t *ip = reader_take(r, IP4_HEADER_LEN);
	unsigned header_len, total;

	if (!ip || !s->config.ip4)
		return false;
	header_len = (ip[0] & 15) * 4;
	total = load_be16(ip + 2);
	/* not ours, options, a fragment: no business of the station's */
	if (ip[0] != 0x45 || !station_has4(s, load_be32(ip + 16)) ||
	    ip[9] != PROTOCOL_ICMP || load_be16(ip + 6) & 0x3fff)
		return false;
	a->ip = ip;
	if (total < header_len ||
	    csum_fold(csum_add(0, ip, header_len)) != 0xffff) {
		s->counters.bad++;
		return true;
	}
	a->payload = reader_sub(r, total - header_len);
	return station_icmp4(s, a);
}

static bool receive_ip6(struct station *s, struct arrival *a, struct reader *r)
{
	const uint8_t *ip = reader_take(r, IP6_HEADER_LEN);

	if (!ip || !s->config.ip6 || ip[0] >> 4 != 6 || ip[6] != PROTOCOL_ICMP6)
		return false;
	a->ip = ip;
	a->payload = reader_sub(r, load_be16(ip + 4));
	return station_icmp6(s, a);
}

bool station_receive(struct station *s, const struct gateway_client *client,
		     const void *frame, size_t len, uint64_t now_ms)
{
	struct arrival a = { .client = client, .now_ms = now_ms };
	struct reader r;
	uint16_t type;

	reader_init(&r, frame, len);
	a.to_mac = reader_mac(&r);
	if (reader_mac(&r) != client->mac || mac_is_multicast(client->mac) ||
	    !client->mac || client->mac == s->config.mac)
		return false;
	type = reader_be16(&r);
	if (r.failed ||
	    (a.to_mac != s->config.mac && !mac_is_multicast(a.to_mac)))
		return false;
	if (type == ETHERTYPE_ARP)
		return station_arp(s, client, &r, now_ms);
	if (type == ETHERTYPE_IP4)
		return receive_ip4(s, &a, &r);
	return type == ETHERTYPE_IP6 && receive_ip6(s, &a, &r);
}

bool station_has4(const struct station *s, uint32_t ip)
{
	if (!s->config.ip4)
		return false;
	for (unsigned i = 0; i < s->config.n_further4; i++)
		if (s->config.further4[i].ip == ip)
			return true;
	return ip == s->config.ip4;
}

bool station_has(const struct station *s, const struct ip_address *ip)
{
	if (ip->len == 4)
		return station_has4(s, ip_address_to_v4(ip));
	return ip->len == 16 && station_has6(s, ip->bytes);
}

const uint8_t *station_link_local(const struct station *s)
{
	return s->link_local;
}

struct neighbor_cache *station_neighbors(struct station *s)
{
	return s->neighbors;
}

const struct station_counters *station_counters(const struct station *s)
{
	return &s->counters;
}

void station_run(struct station *s, uint64_t now_ms)
{
	neighbor_cache_run(s->neighbors, now_ms);
	if (now_ms >= s->ra_due_ms)
		station_ra_run(s, now_ms);
}

uint64_t station_next_ms(const struct station *s)
{
	return MIN(neighbor_cache_next_ms(s->neighbors), s->ra_due_ms);
}

/*
 * Router advertisements (RFC 4861 6.2), with the resolvers of RFC 8106.
 * Everybody is told at intervals that grow to the configured one, and when
 * asked, at most once in 3 seconds; who asks from an address is answered alone.
 */
#include "gateway/station_internal.h"

#define INITIAL_COUNT	   3 /* RFC 4861 10 */
#define INITIAL_EACH_MS	   16000
#define MIN_DELAY_MS	   3000
#define INTERVAL_DEFAULT_S 600
#define UNICAST_PER_S	   50 /* more is an attack, or in 3 s to all */
#define FLAG_OTHER_CONFIG  0x40
#define FLAG_ON_LINK	   0x80
#define FLAG_AUTONOMOUS	   0x40
#define ALL_NODES_MAC	   0x333300000001

static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

static uint32_t interval_s(const struct station_ra *ra)
{
	return ra->interval_s ? ra->interval_s : INTERVAL_DEFAULT_S;
}

static uint32_t lifetime_s(const struct station_ra *ra)
{
	if (!ra->default_router)
		return 0;
	return MIN(ra->router_lifetime_s ? ra->router_lifetime_s
					 : 3 * interval_s(ra),
		   9000u);
}

/* RFC 4861 4.6.2 */
static void write_prefix(struct writer *w, const struct station_ip6 *ip6,
			 const struct station_ra *ra)
{
	uint8_t prefix[16] = { 0 };
	unsigned whole = ip6->prefix_len / 8, rest = ip6->prefix_len % 8;

	memcpy(prefix, ip6->ip, whole);
	if (rest)
		prefix[whole] = ip6->ip[whole] & (0xff << (8 - rest));
	writer_u8(w, ND_PREFIX);
	writer_u8(w, 4);
	writer_u8(w, ip6->prefix_len);
	/* stations make addresses of 64 bits of prefix only (RFC 4862) */
	writer_u8(w,
		  FLAG_ON_LINK | (ip6->prefix_len == 64 ? FLAG_AUTONOMOUS : 0));
	writer_be32(w, ra->valid_s ? ra->valid_s : 86400);
	writer_be32(w, ra->preferred_s ? ra->preferred_s : 14400);
	writer_be32(w, 0);
	writer_bytes(w, prefix, 16);
}

static void write_rdnss(struct writer *w, const struct station_ra *ra,
			bool last)
{
	if (!ra->n_rdnss)
		return;
	writer_u8(w, ND_RDNSS);
	writer_u8(w, 1 + 2 * ra->n_rdnss);
	writer_be16(w, 0);
	writer_be32(w, last ? 0 : 3 * interval_s(ra)); /* RFC 8106 5.1 */
	for (unsigned i = 0; i < ra->n_rdnss; i++)
		writer_bytes(w, ra->rdnss[i], 16);
}

void station_ra_send(struct station *s, const uint8_t *to, uint64_t to_mac,
		     bool last)
{
	const struct station_ra *ra = &s->config.ra;
	uint8_t room[512];
	struct icmp6_frame f;

	icmp6_begin(&f, s, room, sizeof(room), to_mac, s->link_local, to);
	writer_u8(&f.w, ICMP6_RA);
	writer_zeros(&f.w, 3);
	writer_u8(&f.w, 64);
	writer_u8(&f.w, ra->other_config ? FLAG_OTHER_CONFIG : 0);
	writer_be16(&f.w, last ? 0 : lifetime_s(ra));
	writer_zeros(&f.w, 8);
	station_link_option(&f.w, ND_SOURCE_LINK_ADDRESS, s->config.mac);
	if (ra->mtu) {
		writer_u8(&f.w, ND_MTU);
		writer_u8(&f.w, 1);
		writer_be16(&f.w, 0);
		writer_be32(&f.w, ra->mtu);
	}
	for (unsigned i = 0; i < s->config.n_global; i++)
		write_prefix(&f.w, &s->config.global[i], ra);
	write_rdnss(&f.w, ra, last);
	s->counters.advertisements++;
	icmp6_end(&f, s);
}

void station_ra_start(struct station *s, uint64_t now_ms)
{
	bool on = s->config.ip6 && s->config.ra.enabled;

	s->initial_left = INITIAL_COUNT;
	s->ra_due_ms = on ? now_ms : UINT64_MAX;
	s->ra_sent_ms = 0;
}

void station_ra_run(struct station *s, uint64_t now_ms)
{
	uint64_t each_ms = interval_s(&s->config.ra) * 1000ull;

	if (s->initial_left) {
		s->initial_left--;
		each_ms = MIN(each_ms, (uint64_t)INITIAL_EACH_MS);
	}
	station_ra_send(s, all_nodes, ALL_NODES_MAC, false);
	s->ra_sent_ms = now_ms;
	s->ra_due_ms = now_ms + each_ms;
}

void station_ra_solicited(struct station *s, const uint8_t *from, uint64_t mac,
			  uint64_t now_ms)
{
	if (now_ms - s->unicast_ms >= 1000) {
		s->unicast_ms = now_ms;
		s->n_unicast = 0;
	}
	if (!ip6_is_unspecified(from) && s->n_unicast < UNICAST_PER_S) {
		s->n_unicast++;
		station_ra_send(s, from, mac, false);
		return;
	}
	s->ra_due_ms =
		MIN(s->ra_due_ms,
		    s->ra_sent_ms ? MAX(now_ms, s->ra_sent_ms + MIN_DELAY_MS)
				  : now_ms);
}

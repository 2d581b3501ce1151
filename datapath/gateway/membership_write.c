/* Messages of IGMP and MLD of our own. */
#include "gateway/membership_internal.h"
#include "packet/csum.h"

#define ETHERTYPE_IP4  0x0800
#define ETHERTYPE_IP6  0x86dd
#define PROTOCOL_IGMP  2
#define PROTOCOL_ICMP6 58
#define FRAME_MIN      60
#define IP4_LEN	       24 /* with Router Alert (RFC 2113) */
#define IP6_LEN	       48 /* likewise, in a hop-by-hop header */

static const struct ip_address all_igmpv3 = { 4, { 224, 0, 0, 22 } };
static const struct ip_address all_routers4 = { 4, { 224, 0, 0, 2 } };
static const struct ip_address all_mldv2 = { 16, { 0xff, 2, [15] = 0x16 } };
static const struct ip_address all_routers6 = { 16, { 0xff, 2, [15] = 2 } };

uint64_t membership_group_mac(const struct ip_address *group)
{
	if (group->len == 4)
		return 0x01005e000000 | (ip_address_to_v4(group) & 0x7fffff);
	return 0x333300000000 | load_be32(group->bytes + 12);
}

/* RFC 3376 4: TTL 1, DSCP CS6. Lengths and checksums follow in finish(). */
static void begin4(struct membership_report *r,
		   const struct membership_config *c,
		   const struct ip_address *to)
{
	writer_be16(&r->w, ETHERTYPE_IP4);
	r->ip = r->w.at;
	writer_be32(&r->w, 0x46c00000);
	writer_be32(&r->w, 0x00004000);
	writer_be32(&r->w, 0x01000000 | PROTOCOL_IGMP << 16);
	writer_be32(&r->w, c->ip4);
	writer_bytes(&r->w, to->bytes, 4);
	writer_be32(&r->w, 0x94040000);
}

static void begin6(struct membership_report *r,
		   const struct membership_config *c,
		   const struct ip_address *to)
{
	writer_be16(&r->w, ETHERTYPE_IP6);
	r->ip = r->w.at;
	writer_be32(&r->w, 0x60000000);
	writer_be32(&r->w, 0x00000001); /* length, hop-by-hop, hop limit */
	writer_bytes(&r->w, c->link_local, 16);
	writer_bytes(&r->w, to->bytes, 16);
	writer_be32(&r->w, (uint32_t)PROTOCOL_ICMP6 << 24 | 0x000502);
	writer_be32(&r->w, 0x00000100); /* alert: MLD; PadN */
}

static void begin(struct membership_report *r,
		  const struct membership_config *c,
		  const struct ip_address *to)
{
	r->v6 = to->len == 16;
	r->n = 0;
	writer_init(&r->w, r->room, sizeof(r->room));
	writer_mac(&r->w, membership_group_mac(to));
	writer_mac(&r->w, c->mac);
	if (r->v6)
		begin6(r, c, to);
	else
		begin4(r, c, to);
	r->icmp = r->w.at;
}

static size_t finish(struct membership_report *r)
{
	size_t len = r->w.at - r->icmp;
	uint64_t sum = csum_add(0, r->icmp, len);

	if (r->v6) {
		store_be16(r->ip + 4, IP6_LEN - 40 + len);
		sum = csum_combine(sum,
				   csum_pseudo6(r->ip, PROTOCOL_ICMP6, len));
	} else {
		store_be16(r->ip + 2, IP4_LEN + len);
		csum_ipv4_header(r->ip, IP4_LEN);
	}
	csum_store(r->icmp + 2, sum);
	if (writer_len(&r->w) < FRAME_MIN)
		writer_zeros(&r->w, FRAME_MIN - writer_len(&r->w));
	return writer_len(&r->w);
}

void membership_report_begin(struct membership_report *r,
			     const struct membership_config *c, bool v6)
{
	begin(r, c, v6 ? &all_mldv2 : &all_igmpv3);
	writer_be32(&r->w, v6 ? 143u << 24 : 0x22u << 24);
	writer_be32(&r->w, 0); /* the number of records */
}

void membership_report_add(struct membership_report *r, enum record_type type,
			   const struct ip_address *group)
{
	writer_be32(&r->w, (uint32_t)type << 24);
	writer_bytes(&r->w, group->bytes, group->len);
	r->n++;
}

size_t membership_report_end(struct membership_report *r)
{
	store_be16(r->icmp + 6, r->n);
	return finish(r);
}

size_t membership_old_message(struct membership_report *r,
			      const struct membership_config *c,
			      unsigned version, bool leave,
			      const struct ip_address *group)
{
	bool v6 = group->len == 16;

	/* RFC 2236 9, RFC 2710 5: to the group itself, or to all routers */
	begin(r, c, !leave ? group : v6 ? &all_routers6 : &all_routers4);
	if (v6) {
		writer_be32(&r->w, (leave ? 132u : 131u) << 24);
		writer_be32(&r->w, 0);
	} else {
		writer_be32(&r->w, leave	  ? 0x17u << 24
				   : version == 1 ? 0x12u << 24
						  : 0x16u << 24);
	}
	writer_bytes(&r->w, group->bytes, group->len);
	return finish(r);
}

/*
 * The frame that a trace is told of by fields: those that are missing are
 * chosen by those that are there; lengths and checksums are right.
 */
#include <errno.h>
#include <netinet/in.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "vswd/trace_fields.h"

#define FRAME_LEAST 60 /* IEEE 802.3 3.2.8, without FCS */

/* --- the frame -------------------------------------------------------------
 */

static void put(struct trace_frame *frame, const void *data, unsigned n)
{
	memcpy(frame->data + frame->len, data, n);
	frame->len += n;
}

static void put16(struct trace_frame *frame, uint16_t v)
{
	store_be16(frame->data + frame->len, v);
	frame->len += 2;
}

static void put32(struct trace_frame *frame, uint32_t v)
{
	store_be32(frame->data + frame->len, v);
	frame->len += 4;
}

static void put_mac(struct trace_frame *frame, uint64_t mac)
{
	put16(frame, mac >> 32);
	put32(frame, (uint32_t)mac);
}

static void put_zeros(struct trace_frame *frame, unsigned n)
{
	memset(frame->data + frame->len, 0, n);
	frame->len += n;
}

static void choose(struct trace_fields *f, enum field_id id, uint64_t *field,
		   uint64_t value)
{
	if (!trace_has(f, id))
		*field = value;
}

/* What the fields that are there say of those that are not. */
static int complete(struct trace_fields *f, char **errp)
{
	bool ports = trace_has(f, F_TP_SRC) || trace_has(f, F_TP_DST) ||
		     trace_has(f, F_TCP_FLAGS);
	bool icmp = trace_has(f, F_ICMP_TYPE) || trace_has(f, F_ICMP_CODE);
	bool arp = trace_has(f, F_ARP_OP) || trace_has(f, F_ARP_SHA) ||
		   trace_has(f, F_ARP_THA);
	bool ip = f->version || trace_has(f, F_NW_PROTO) || ports || icmp;

	choose(f, F_DL_SRC, &f->dl_src, 0x020000000001ull);
	choose(f, F_DL_DST, &f->dl_dst, MAC_BROADCAST);
	choose(f, F_DL_TYPE, &f->dl_type,
	       arp		 ? ETH_TYPE_ARP
	       : f->version == 6 ? ETH_TYPE_IPV6
	       : ip		 ? ETH_TYPE_IPV4
				 : 0x88b5); /* for local experiments */
	if (f->version && f->version != (f->dl_type == ETH_TYPE_IPV6 ? 6u : 4u))
		return set_error(errp, -EINVAL,
				 "an IPv%u address in a frame of ethertype "
				 "0x%04x",
				 f->version, (unsigned)f->dl_type);
	choose(f, F_NW_PROTO, &f->nw_proto,
	       trace_has(f, F_ND_TARGET) || icmp
		       ? (f->dl_type == ETH_TYPE_IPV6 ? IPPROTO_ICMPV6
						      : IPPROTO_ICMP)
	       : trace_has(f, F_TCP_FLAGS) ? IPPROTO_TCP
					   : IPPROTO_UDP);
	choose(f, F_NW_TTL, &f->nw_ttl, trace_has(f, F_ND_TARGET) ? 255 : 64);
	choose(f, F_TCP_FLAGS, &f->tcp_flags, 0x02); /* SYN */
	choose(f, F_ICMP_TYPE, &f->icmp_type,
	       trace_has(f, F_ND_TARGET)     ? 135
	       : f->dl_type == ETH_TYPE_IPV6 ? 128
					     : 8); /* echo request */
	choose(f, F_ARP_OP, &f->arp_op,
	       trace_has(f, F_NW_PROTO) ? f->nw_proto : 1);
	choose(f, F_ARP_SHA, &f->arp_sha, f->dl_src);
	return 0;
}

static void put_arp(struct trace_frame *frame, const struct trace_fields *f)
{
	put16(frame, 1); /* Ethernet */
	put16(frame, ETH_TYPE_IPV4);
	put16(frame, 6 << 8 | 4);
	put16(frame, f->arp_op);
	put_mac(frame, f->arp_sha);
	put(frame, f->nw_src, 4);
	put_mac(frame, f->arp_tha);
	put(frame, f->nw_dst, 4);
}

/* The payload of IP without its checksum; where that is goes to *csum. */
static void put_transport(struct trace_frame *frame,
			  const struct trace_fields *f, unsigned *csum)
{
	unsigned at = frame->len;

	switch (f->nw_proto) {
	case IPPROTO_TCP:
		put16(frame, f->tp_src);
		put16(frame, f->tp_dst);
		put32(frame, 1);
		put32(frame, 0);
		put16(frame, 5 << 12 | f->tcp_flags);
		put16(frame, 65535);
		put32(frame, 0);
		*csum = at + 16;
		break;
	case IPPROTO_UDP:
		put16(frame, f->tp_src);
		put16(frame, f->tp_dst);
		put32(frame, 0);
		*csum = at + 6;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put16(frame, f->icmp_type << 8 | f->icmp_code);
		put16(frame, 0);
		put32(frame, trace_has(f, F_ND_TARGET) ? 0 : 1 << 16 | 1);
		if (trace_has(f, F_ND_TARGET))
			put(frame, f->nd_target, 16);
		*csum = at + 2;
		break;
	default:
		put_zeros(frame, 8);
		*csum = 0;
	}
}

static void put_csum(struct trace_frame *frame, const struct trace_fields *f,
		     unsigned l3, unsigned l4, unsigned csum)
{
	uint32_t len = frame->len - l4;
	uint64_t sum = 0;

	if (!csum)
		return;
	if (f->nw_proto == IPPROTO_UDP)
		store_be16(frame->data + l4 + 4, len);
	if (f->dl_type == ETH_TYPE_IPV6)
		sum = csum_pseudo6(frame->data + l3, f->nw_proto, len);
	else if (f->nw_proto != IPPROTO_ICMP)
		sum = csum_pseudo4(frame->data + l3, f->nw_proto, len);
	sum = csum_combine(sum, csum_add(0, frame->data + l4, len));
	csum_store(frame->data + csum, sum);
}

static void pad(struct trace_frame *frame, const struct trace_fields *f)
{
	if (f->len > frame->len)
		put_zeros(frame, f->len - frame->len);
}

static void put_ip(struct trace_frame *frame, const struct trace_fields *f)
{
	unsigned l3 = frame->len, l4, csum;

	if (f->dl_type == ETH_TYPE_IPV4) {
		put16(frame, 0x4500 | f->nw_tos);
		put_zeros(frame, 6);
		put16(frame, f->nw_ttl << 8 | f->nw_proto);
		put16(frame, 0);
		put(frame, f->nw_src, 4);
		put(frame, f->nw_dst, 4);
	} else {
		put32(frame, 6u << 28 | (uint32_t)f->nw_tos << 20);
		put16(frame, 0);
		put16(frame, f->nw_proto << 8 | f->nw_ttl);
		put(frame, f->nw_src, 16);
		put(frame, f->nw_dst, 16);
	}
	l4 = frame->len;
	put_transport(frame, f, &csum);
	pad(frame, f);
	if (f->dl_type == ETH_TYPE_IPV4) {
		store_be16(frame->data + l3 + 2, frame->len - l3);
		csum_ipv4_header(frame->data + l3, 20);
	} else {
		store_be16(frame->data + l3 + 4, frame->len - l4);
	}
	put_csum(frame, f, l3, l4, csum);
}

int trace_build(struct trace_frame *frame, struct trace_fields *f, char **errp)
{
	int error = complete(f, errp);

	if (error)
		return error;
	frame->len = 0;
	put_mac(frame, f->dl_dst);
	put_mac(frame, f->dl_src);
	if (trace_has(f, F_DL_VLAN) || trace_has(f, F_DL_VLAN_PCP)) {
		put16(frame, 0x8100);
		put16(frame, f->dl_vlan_pcp << 13 | f->dl_vlan);
	}
	put16(frame, f->dl_type);
	if (f->dl_type == ETH_TYPE_ARP || f->dl_type == ETH_TYPE_RARP)
		put_arp(frame, f);
	else if (f->dl_type == ETH_TYPE_IPV4 || f->dl_type == ETH_TYPE_IPV6)
		put_ip(frame, f);
	pad(frame, f);
	if (frame->len < FRAME_LEAST)
		put_zeros(frame, FRAME_LEAST - frame->len);
	return 0;
}

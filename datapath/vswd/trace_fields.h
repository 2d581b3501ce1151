/* What trace_frame.c reads and trace_build.c makes a frame of. */
#ifndef VSWD_TRACE_FIELDS_H
#define VSWD_TRACE_FIELDS_H

#include "vswd/trace_frame.h"

#define TRACE_LEN_MAX 9216
#define ETH_TYPE_RARP 0x8035 /* RFC 903 */

enum field_id {
	F_DL_SRC,
	F_DL_DST,
	F_DL_TYPE,
	F_DL_VLAN,
	F_DL_VLAN_PCP,
	F_NW_SRC,
	F_NW_DST,
	F_NW_PROTO,
	F_NW_TOS,
	F_NW_TTL,
	F_TP_SRC,
	F_TP_DST,
	F_TCP_FLAGS,
	F_ICMP_TYPE,
	F_ICMP_CODE,
	F_ARP_OP,
	F_ARP_SHA,
	F_ARP_THA,
	F_ND_TARGET,
	F_LEN,
};

/* Fields as they were given; `given` has a bit each. */
struct trace_fields {
	uint64_t given;
	uint64_t dl_src, dl_dst, arp_sha, arp_tha;
	uint64_t dl_type, dl_vlan, dl_vlan_pcp;
	uint64_t nw_proto, nw_tos, nw_ttl, tp_src, tp_dst, tcp_flags;
	uint64_t icmp_type, icmp_code, arp_op, len;
	uint8_t nw_src[16], nw_dst[16], nd_target[16];
	/* 0: neither 4 nor 6 yet */
	unsigned version;
};

static inline bool trace_has(const struct trace_fields *f, enum field_id id)
{
	return f->given >> id & 1;
}

/* -EINVAL, with a message: fields that contradict each other. */
int trace_build(struct trace_frame *frame, struct trace_fields *fields,
		char **errp);

#endif

/*
 * What the NAT sees in a packet: where its headers are, and its flow.
 * Internal to nat/.
 */
#ifndef NAT_HEADERS_H
#define NAT_HEADERS_H

#include "nat/table.h"

enum nat_look {
	NAT_LOOK_FLOW,	/* ports, or an ICMP query's identifier */
	NAT_LOOK_ERROR, /* an ICMP error that quotes a packet */
	NAT_LOOK_LATER, /* a fragment but the first */
	NAT_LOOK_MALFORMED,
	NAT_LOOK_PROTOCOL, /* nothing that is translated */
	NAT_LOOK_OTHER,	   /* neighbour discovery and the like */
};

#define NAT_QUERY 1 /* an ICMP request */

struct nat_headers {
	union {
		struct {
			uint8_t look, version, code, proto;
			uint8_t tcp_flags, query;
			bool fragment; /* one, the first or a later one */
			bool more;
		};
		uint64_t all; /* the eight above, to set at once */
	};
	uint16_t l3, l4;       /* from the frame's first byte */
	uint16_t sport, dport; /* as they lie; ICMP: a request's identifier is
				  sport, a reply's dport */
	uint32_t fragment_offset; /* bytes */
	uint32_t fragment_id;
	uint32_t ip_end; /* where the IP packet ends, from the first byte */
};

/* Where the transport checksum is, from the transport header. */
static inline unsigned nat_csum_at(unsigned code)
{
	static const uint8_t at[] = { 16, 6, 2, 2 };

	return at[NAT_CODE_PROTOCOL(code)];
}

/* Fills h for the packet, pulling what it looks at. A worker. */
void nat_headers_parse(struct packet *p, struct nat_headers *h);

static inline const uint8_t *nat_src(const struct packet *p,
				     const struct nat_headers *h)
{
	return p->header + h->l3 + (h->version == 4 ? 12 : 8);
}

static inline const uint8_t *nat_dst(const struct packet *p,
				     const struct nat_headers *h)
{
	return p->header + h->l3 + (h->version == 4 ? 16 : 24);
}

/*
 * The same of a packet that an ICMP error quotes, which may be cut anywhere
 * behind the ports: at[0..n), h->l3 and l4 from `at`.
 */
void nat_headers_quoted(const uint8_t *at, size_t n, unsigned version,
			struct nat_headers *h);

#endif

/*
 * What the files about frames of hostnet share: headers, addresses and what is
 * kept of connections (hostnet_frame.h).
 */
#ifndef PORT_HOSTNET_HEADERS_H
#define PORT_HOSTNET_HEADERS_H

#include "port/hostnet_frame.h"

#define L3	     ETH_HEADER_LEN
#define IP4_LEN	     20
#define IP6_LEN	     40
#define TCP_LEN	     20
#define UDP_LEN	     8
#define TCP_CSUM     16 /* where the checksum is */
#define UDP_CSUM     6
#define TCP_SYN	     0x02
#define TCP_RST	     0x04
#define TCP_ACK	     0x10
#define MSS_DEFAULT4 536 /* RFC 9293 3.7.1 */
#define MSS_DEFAULT6 1220
#define PORT_DNS     53
#define PEER_SECONDS 300 /* that a datagram may be answered */

static inline unsigned address_len(unsigned version)
{
	return version == 4 ? 4 : 16;
}

/* --- hostnet_headers.c ---------------------------------------------------- */

/*
 * The IP header of a frame of len bytes: fills in version, l4, end and the
 * addresses. False: it is none, or not whole.
 */
bool hostnet_parse(const uint8_t *frame, uint32_t len, struct hostnet_packet *p,
		   uint8_t *proto, bool *fragment);
/* Kind and ports of what hostnet_parse() took; else *reason. */
bool hostnet_classify(const uint8_t *frame, uint8_t proto,
		      struct hostnet_packet *p, enum drop_reason *reason);

bool hostnet_inside4(const struct hostnet_net *net, uint32_t ip);
bool hostnet_inside6(const struct hostnet_net *net, const uint8_t *ip);
/* A machine's address: in the network, neither the gateway's nor for all. */
bool hostnet_is_machine4(const struct hostnet_net *net, uint32_t ip);
bool hostnet_is_machine6(const struct hostnet_net *net, const uint8_t *ip);
/* Stands for TCP port 53 of the gateway, which libslirp keeps to itself. */
uint32_t hostnet_dns_address(const struct hostnet_net *net);

/* Of a checksum over bytes whose sum was `before` and is `after` (RFC 1624). */
void hostnet_mend_csum(uint8_t *field, uint64_t before, uint64_t after);
/* An address of a packet, at `at`; csum: where the transport's checksum is. */
void hostnet_set_address(uint8_t *frame, const struct hostnet_packet *p,
			 unsigned at, const uint8_t *ip, unsigned csum);
/* The same of TCP by IPv4. */
void hostnet_set_address4(uint8_t *frame, const struct hostnet_packet *p,
			  unsigned at, uint32_t ip);

uint64_t hostnet_mix(uint64_t hash, uint64_t value);
/* n: a multiple of 4 */
uint64_t hostnet_mix_bytes(uint64_t hash, const uint8_t *bytes, unsigned n);
/* What a datagram from the gateway, or the answer to it, is known by. */
uint64_t hostnet_peer_tag(const struct hostnet_memory *memory, unsigned version,
			  const uint8_t *machine, uint16_t machine_port,
			  uint16_t gateway_port);

/* --- hostnet_mss.c -------------------------------------------------------- */

/* A SYN to libslirp offers the most; what it offered is remembered. */
void hostnet_offer_most(const struct hostnet_net *net,
			struct hostnet_memory *memory, uint8_t *frame,
			const struct hostnet_packet *p);
/* A SYN from libslirp offers what the MTU allows. */
void hostnet_offer_mtu(const struct hostnet_net *net, uint8_t *frame,
		       const struct hostnet_packet *p);
/* What the machine that p goes to takes in one segment, without options. */
uint16_t hostnet_segment_size(const struct hostnet_net *net,
			      const struct hostnet_memory *memory,
			      const struct hostnet_packet *p);

#endif

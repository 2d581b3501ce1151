/* What the decoders behind inspect.h share. Internal to policy/. */
#ifndef POLICY_INSPECT_INTERNAL_H
#define POLICY_INSPECT_INTERNAL_H

#include "packet/reader.h"
#include "policy/inspect.h"

#define ETH_TYPE_RARP 0x8035 /* RFC 903 */

#define PROTOCOL_ICMP  1
#define PROTOCOL_UDP   17
#define PROTOCOL_ICMP6 58

#define ICMP4_REDIRECT		   5
#define ICMP4_ROUTER_ADVERTISEMENT 9 /* RFC 1256 */

#define ICMP6_ROUTER_SOLICITATION    133
#define ICMP6_ROUTER_ADVERTISEMENT   134
#define ICMP6_NEIGHBOR_SOLICITATION  135
#define ICMP6_NEIGHBOR_ADVERTISEMENT 136
#define ICMP6_REDIRECT		     137

/* What an IP packet carries, as far as its private bytes tell. */
enum upper_state {
	UPPER_NONE,   /* nothing that a receiver would look at */
	UPPER_HIDDEN, /* out of sight: it may be anything */
	UPPER_THERE,
};

struct inspect_upper {
	enum upper_state state;
	uint8_t protocol;
	bool is_fragment;   /* and a first one, or one with all of it */
	bool cut;	    /* it goes on behind its private bytes */
	struct reader data; /* from its header on */
};

/* upper.c; ip: the private bytes from the IP header on; frame_len: all. */
struct inspect_upper inspect_upper4(const uint8_t *ip, size_t n,
				    size_t frame_len);
struct inspect_upper inspect_upper6(const uint8_t *ip, size_t n,
				    size_t frame_len);

/* Whether the frame's sender may say that it has the MAC. */
static inline bool is_own_mac(const struct allowed *a, uint64_t src_mac,
			      uint64_t mac)
{
	return a->guards_macs ? allowed_mac(a, mac) : mac == src_mac;
}

/* Each: -1, or why the packet is to be dropped. src_mac: the frame's. */

/* arp_inspect.c; arp: the bytes behind the type, of which rarp says ARP's. */
int arp_inspect(const struct allowed *a, uint64_t src_mac, const uint8_t *arp,
		size_t n, bool rarp);
/* nd_inspect.c; an ICMPv6 message and the IPv6 source address it came from. */
int nd_inspect(const struct allowed *a, uint64_t src_mac,
	       const uint8_t source[16], const struct inspect_upper *icmp);
/* dhcp_guard.c; a UDP datagram. */
int dhcp_guard4(struct reader udp);
int dhcp_guard6(struct reader udp);
/* ra_guard.c; an ICMP message. */
int ra_guard4(struct reader icmp);
int ra_guard6(struct reader icmp);

#endif

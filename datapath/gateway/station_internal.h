/* What the files of the station share. */
#ifndef GATEWAY_STATION_INTERNAL_H
#define GATEWAY_STATION_INTERNAL_H

#include "gateway/station.h"
#include "gateway/writer.h"
#include "packet/reader.h"

#define DEFEND_EACH_MS 10000 /* RFC 5227 1.1 DEFEND_INTERVAL */

#define ETHERTYPE_IP4	0x0800
#define ETHERTYPE_ARP	0x0806
#define ETHERTYPE_IP6	0x86dd
#define FRAME_MIN	60
#define IP4_HEADER_LEN	20
#define IP6_HEADER_LEN	40
#define PROTOCOL_ICMP	1
#define PROTOCOL_ICMP6	58
#define SMALL_FRAME_MAX 256 /* all but answers to pings */

enum icmp6_type {
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_RS = 133,
	ICMP6_RA = 134,
	ICMP6_NS = 135,
	ICMP6_NA = 136,
};

enum nd_option {
	ND_SOURCE_LINK_ADDRESS = 1,
	ND_TARGET_LINK_ADDRESS = 2,
	ND_PREFIX = 3,
	ND_MTU = 5,
	ND_RDNSS = 25,
};

struct station {
	struct station_config config;
	struct station_ops ops;
	void *ops_arg;
	uint8_t link_local[16];
	struct neighbor_cache *neighbors;
	struct station_counters counters;
	uint64_t defended_ms; /* RFC 5227 2.4: not twice in 10 s */
	bool defended;
	/* router advertisements */
	uint64_t ra_due_ms, ra_sent_ms;
	uint64_t unicast_ms; /* a second in which n_unicast were sent */
	unsigned initial_left, n_unicast;
	uint8_t out[PACKET_LEN_MAX];
};

/* A frame from a client, its Ethernet and IP header read. */
struct arrival {
	const struct gateway_client *client;
	const uint8_t *ip; /* the IP header */
	struct reader payload;
	uint64_t to_mac;
	uint64_t now_ms;
};

/* station.c */
bool station_has4(const struct station *s, uint32_t ip);

/* station_arp.c */
bool station_arp(struct station *s, const struct gateway_client *client,
		 struct reader *r, uint64_t now_ms);
void station_arp_ask(struct station *s, uint32_t ip, uint64_t mac);

/* station_icmp4.c */
bool station_icmp4(struct station *s, struct arrival *a);

/* station_icmp6.c: ICMPv6 of all kinds */
bool station_icmp6(struct station *s, struct arrival *a);
void station_nd_ask(struct station *s, const uint8_t ip[16], uint64_t mac);
bool station_has6(const struct station *s, const uint8_t *ip);
/*
 * Begins a frame in room, up to the ICMPv6 message; the end fills in lengths
 * and the checksum and sends it.
 */
struct icmp6_frame {
	struct writer w;
	uint8_t *ip;
};
void icmp6_begin(struct icmp6_frame *f, const struct station *s, void *room,
		 size_t size, uint64_t to_mac, const uint8_t *from,
		 const uint8_t *to);
void icmp6_end(struct icmp6_frame *f, struct station *s);
bool ip6_is_unspecified(const uint8_t *ip);
void station_link_option(struct writer *w, uint8_t type, uint64_t mac);

/* station_ra.c */
void station_ra_start(struct station *s, uint64_t now_ms);
void station_ra_solicited(struct station *s, const uint8_t *from, uint64_t mac,
			  uint64_t now_ms);
void station_ra_run(struct station *s, uint64_t now_ms);
void station_ra_send(struct station *s, const uint8_t *to, uint64_t to_mac,
		     bool last);

#endif

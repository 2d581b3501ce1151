/*
 * A NAT with virtual time, and packets for it: built and checked by a model
 * that shares no code with it.
 */
#ifndef TESTS_NAT_FIXTURE_H
#define TESTS_NAT_FIXTURE_H

#include "nat/nat.h"

#define IN_A	 "10.0.0.5"
#define IN_B	 "10.0.0.6"
#define OUT_1	 "198.51.100.1"
#define OUT_2	 "198.51.100.2"
#define REMOTE	 "203.0.113.9"
#define REMOTE_2 "203.0.113.10"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

struct lab {
	struct nat *nat;
	struct nat_config config;
	struct nat_options options;
	uint64_t now_ms;
};

struct pkt {
	uint8_t data[4096];
	uint32_t len;
	struct packet_offload offload;
	struct nat_result r;
	/* of the last build or translation */
	int version, proto;
	uint32_t l4;
	char src[48], dst[48];
	uint16_t sport, dport; /* ICMP query: both its identifier */
	/* fragments that were let go with it */
	unsigned n_released;
	struct {
		uint8_t data[2048];
		uint32_t len;
		struct nat_result r;
	} released[8];
};

struct nat_addr addr(const char *text);

/* Creates l->nat by l->config and l->options, with those outside addresses. */
void lab_init(struct lab *l);
void lab_start(struct lab *l, const char *const outside[], unsigned n);
/* The defaults, one outside address of each version: OUT_1, 2001:db8::1. */
void lab_default(struct lab *l);
void lab_stop(struct lab *l);
/* Time passes, and the control thread looks. */
void lab_wait(struct lab *l, uint32_t seconds);
void lab_options(struct lab *l);

void pkt_udp(struct pkt *k, const char *src, uint16_t sport, const char *dst,
	     uint16_t dport);
void pkt_tcp(struct pkt *k, const char *src, uint16_t sport, const char *dst,
	     uint16_t dport, uint8_t flags);
void pkt_echo(struct pkt *k, const char *src, const char *dst, uint16_t id,
	      bool reply);
/* An ICMP error from src to dst that quotes n bytes of the other's IP packet.
 */
void pkt_error(struct pkt *k, const char *src, const char *dst, uint8_t type,
	       uint8_t code, const struct pkt *quoted, uint32_t n);
/* UDP with that payload length. */
void pkt_udp_len(struct pkt *k, const char *src, uint16_t sport,
		 const char *dst, uint16_t dport, uint32_t len);
/* Bytes [from, to) of the IPv4 packet's payload, as a fragment. */
void pkt_fragment(struct pkt *k, const struct pkt *whole, uint32_t from,
		  uint32_t to, bool more, uint16_t id);

/* One packet through it, alone in a burst; its verdict. */
enum nat_verdict out(struct lab *l, struct pkt *k);
enum nat_verdict in(struct lab *l, struct pkt *k);

/* IP header and transport checksums, and those of a quoted IPv4 header. */
bool checksums_right(const struct pkt *k);
/* Reads the headers again. */
void pkt_parse(struct pkt *k);
void assert_flow(const struct pkt *k, const char *src, int sport,
		 const char *dst, int dport);

/* The same flow outbound, expecting it to pass; the outside port. */
uint16_t udp_out(struct lab *l, const char *src, uint16_t sport,
		 const char *dst, uint16_t dport);
enum nat_verdict udp_in(struct lab *l, const char *src, uint16_t sport,
			const char *dst, uint16_t dport);
enum nat_verdict tcp_out(struct lab *l, struct pkt *k, const char *src,
			 uint16_t sport, const char *dst, uint16_t dport,
			 uint8_t flags);
enum nat_verdict tcp_in(struct lab *l, struct pkt *k, const char *src,
			uint16_t sport, const char *dst, uint16_t dport,
			uint8_t flags);
/* A TCP connection of IN_A:1025 to REMOTE:80; its outside port. */
uint16_t tcp_open(struct lab *l);

uint32_t n_sessions(struct lab *l);

#endif

/*
 * IP fragments: what machines send in pieces is put together before libslirp
 * sees it, which does this without limits and for IPv4 only; and answers to
 * pings that are longer than the MTU are cut. A port's own thread.
 */
#ifndef PORT_HOSTNET_FRAGMENT_H
#define PORT_HOSTNET_FRAGMENT_H

#include "port/hostnet_frame.h"

#define HOSTNET_DATAGRAMS	 32 /* that wait for their rest */
#define HOSTNET_CLIENT_DATAGRAMS 8  /* of one machine */
#define HOSTNET_DATAGRAM_LIFE_S	 10

struct hostnet_fragments;

struct hostnet_fragments *hostnet_fragments_create(void);
void hostnet_fragments_destroy(struct hostnet_fragments *f); /* or NULL */

/*
 * A frame that hostnet_frame_in() refused as a fragment, with *p as it filled
 * it in. Returns the whole frame, which lives until the next call, and *len,
 * when this was what it lacked; else NULL.
 */
uint8_t *hostnet_fragments_add(struct hostnet_fragments *f,
			       const uint8_t *frame,
			       const struct hostnet_packet *p, uint64_t now_s,
			       uint32_t *len);
/* Datagrams that were given up: too many, too old, or overlapping. */
uint64_t hostnet_fragments_lost(const struct hostnet_fragments *f);

/*
 * The piece of a packet, of len bytes with its Ethernet header, that begins at
 * *at of its payload (at first 0), not longer than the MTU: its length, written
 * to piece, which has room for MTU and Ethernet header. 0: that was all.
 */
uint32_t hostnet_fragment_cut(const struct hostnet_net *net,
			      const uint8_t *frame, uint32_t len, uint32_t id,
			      uint32_t *at, uint8_t *piece);

#endif

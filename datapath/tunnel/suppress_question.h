/*
 * Questions for a station's MAC, from frames, and their answers, to frames: ARP
 * (RFC 826) and neighbor discovery (RFC 4861). Internal to suppress.c.
 */
#ifndef TUNNEL_SUPPRESS_QUESTION_H
#define TUNNEL_SUPPRESS_QUESTION_H

#include "packet/packet.h"

struct suppress_question {
	unsigned ip_len;    /* 4: ARP; 16: neighbor discovery */
	uint64_t mac;	    /* who asks */
	uint8_t sender[16]; /* and by which address */
	uint8_t target[16]; /* which is asked for */
};

/*
 * Of a frame with one tag at most; false: it asks nobody else's address, or
 * cannot be believed.
 */
bool suppress_parse(const struct packet *p, struct suppress_question *question);
/* The answer of a station `mac`, untagged; its length. */
unsigned suppress_write(const struct suppress_question *question, uint64_t mac,
			bool router, uint8_t *room);

#endif

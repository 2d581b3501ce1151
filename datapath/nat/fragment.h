/*
 * Fragments (RFC 4787 REQ-14): only the first of a datagram has ports, so what
 * it was translated to is kept for the others, and others that come before it
 * are held, within limits. Internal to nat/.
 */
#ifndef NAT_FRAGMENT_H
#define NAT_FRAGMENT_H

#include "nat/headers.h"

#define NAT_HELD_LEN 2048 /* a longer frame is not held */

/* What names a datagram, and the way it goes. */
struct nat_datagram_key {
	uint8_t src[16], dst[16];
	uint32_t id;
	uint8_t version, proto, outbound, spare;
};

struct nat_held_packet {
	struct packet packet;
	struct nat_result result;
	bool outbound;
	uint32_t buffer;
};

int nat_fragments_create(struct nat *nat);
void nat_fragments_destroy(struct nat *nat);

void nat_datagram_key(struct nat_datagram_key *key, const struct packet *p,
		      const struct nat_headers *h, bool outbound);
/* A fragment but the first. */
void nat_fragment_later(struct nat *nat, struct nat_thread *t, struct packet *p,
			const struct nat_headers *h, bool outbound,
			struct nat_result *result);
/* A first fragment came to that end; key: as it was before. */
void nat_fragment_first(struct nat *nat, struct nat_thread *t,
			const struct packet *p, const struct nat_headers *h,
			const struct nat_datagram_key *key,
			const struct nat_result *result);
/* Takes back what nat_take_released() lent. */
void nat_fragments_give_back(struct nat *nat, struct nat_thread *t);
/* Forgets datagrams that are too old; control thread. */
void nat_fragments_age(struct nat *nat, uint32_t now_s);
void nat_fragments_stats(const struct nat *nat, struct nat_stats *stats);

#endif

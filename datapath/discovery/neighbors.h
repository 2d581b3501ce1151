/*
 * Who is at the other end: what each port has heard and not forgotten
 * (the remote systems MIB of IEEE 802.1AB 9.2.5).
 *
 * Of each neighbour the PDU is kept as it came; it is decoded again for those
 * who want to see it. So a neighbour costs what it has sent, at most an
 * Ethernet frame. A port keeps NEIGHBORS_PER_PORT of them and all together
 * NEIGHBORS_MAX; one more is not taken, counted, and remembered for as long as
 * it would have lived (9.2.7.7.5).
 *
 * Control thread. Times are milliseconds of a clock that never goes back.
 */
#ifndef DISCOVERY_NEIGHBORS_H
#define DISCOVERY_NEIGHBORS_H

#include "discovery/info.h"

#define NEIGHBORS_PER_PORT 16
#define NEIGHBORS_MAX	   4096

struct neighbor_entry {
	struct neighbor_entry *next;
	enum discovery_protocol protocol;
	uint64_t source;	    /* the frame's, as load_mac() */
	uint64_t first_ms, last_ms; /* first heard, and last */
	uint64_t expires_ms;
	uint16_t ttl_s;
	uint16_t key_len, pdu_len;
	uint8_t *key; /* behind the entry, as is the PDU */
	uint8_t *pdu; /* what the decoder of the protocol takes */
};

/* Of all ports. */
struct neighbor_pool {
	unsigned n;
};

/* Of one port. */
struct neighbor_table {
	struct neighbor_pool *pool;
	struct neighbor_entry *list; /* in the order that they were met */
	unsigned n;
	uint64_t too_many_until_ms; /* tooManyNeighborsTimer */
	/* statsRemTables of the MIB */
	uint64_t inserts, deletes, drops, ageouts;
};

enum neighbor_change {
	NEIGHBOR_SAME, /* heard again, with nothing new */
	NEIGHBOR_NEW,
	NEIGHBOR_CHANGED, /* says something else than before */
	NEIGHBOR_GONE,	  /* it said that it goes */
	NEIGHBOR_UNKNOWN, /* goes, but was not there */
	NEIGHBOR_TOO_MANY,
};

void neighbor_table_init(struct neighbor_table *table,
			 struct neighbor_pool *pool);
/* Takes over what `info` says, decoded of this PDU. */
enum neighbor_change neighbor_heard(struct neighbor_table *table,
				    const struct discovery_info *info,
				    uint64_t source, const void *pdu,
				    size_t len, uint64_t now_ms);
/*
 * Forgets those whose time is over; calls gone() for each before (may be NULL).
 */
void neighbor_table_age(struct neighbor_table *table, uint64_t now_ms,
			void (*gone)(const struct neighbor_entry *entry,
				     void *arg),
			void *arg);
/* When the next one's time is over; UINT64_MAX: never. */
uint64_t neighbor_table_next_ms(const struct neighbor_table *table);
/* Forgets all, or those of one protocol. How many. */
unsigned neighbor_table_clear(struct neighbor_table *table);
unsigned neighbor_table_clear_protocol(struct neighbor_table *table,
				       enum discovery_protocol protocol);

/* What it said. It was decoded before, so it can be again. */
void neighbor_decode(const struct neighbor_entry *entry,
		     struct discovery_info *info);

#endif

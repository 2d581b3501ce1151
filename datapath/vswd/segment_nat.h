/* What the files of a segment's NAT share; see segment.h. */
#ifndef VSWD_SEGMENT_NAT_H
#define VSWD_SEGMENT_NAT_H

#include "vswd/segment.h"

/* A forward that is wanted; of the configuration, or the gateway's own. */
struct nat_forward_row {
	struct nat_forward forward;
	const struct cfg_forward *row; /* NULL: the gateway's own */
	bool in_force;
	char *error; /* why it is not; NULL: it is */
};

struct segment_nat {
	struct segment *seg;
	struct nat *engine;	     /* NULL: there is no memory for one */
	struct nat *former;	     /* that the snapshot in force has */
	struct nat_config made_with; /* engine */
	struct nat_addr outside[NAT_ADDRESSES_MAX];
	unsigned n_outside;
	struct nat_forward_row *forwards;
	size_t n_forwards;
	bool some_refused; /* of them */
	char *error;	   /* in one line; NULL: nothing is wrong */
	uint64_t next_ms;
	bool had_work;	     /* for nat_age() */
	uint64_t noted_full; /* event_sources.c's: refused until then */
	bool was_full;
	/* What a former run has left, until outside addresses are there. */
	uint8_t *saved;
	size_t saved_len;
	uint64_t saved_age_ms, saved_until_ms; /* 0: not yet said */
};

/* --- segment_nat_forwards.c ----------------------------------------------- */

/* Makes the engine's forwards those of the configuration, one by one. */
void segment_nat_apply_forwards(struct segment_nat *nat);
/* Those that were refused may be possible by now. */
void segment_nat_retry_forwards(struct segment_nat *nat);
/* The engine is another, which has none yet. */
void segment_nat_reset_forwards(struct segment_nat *nat);
void segment_nat_free_forwards(struct segment_nat *nat);

/* --- segment_nat_saved.c -------------------------------------------------- */

/* Of the clean stop: to the segment's file. */
void segment_nat_save(const struct segment_nat *nat, uint64_t now_ms);
/* Reads that file, which is gone then. */
void segment_nat_read_saved(struct segment_nat *nat);
/* There are other addresses: takes up what was saved of them. */
void segment_nat_take_up(struct segment_nat *nat, uint64_t now_ms);
/* Once a second: it is kept for late addresses, but not for long. */
void segment_nat_age_saved(struct segment_nat *nat, uint64_t now_ms);
/* Sessions of one engine for the other, in memory. */
void segment_nat_carry_over(struct segment_nat *nat, struct nat *from,
			    struct nat *to, uint64_t now_ms);

#endif

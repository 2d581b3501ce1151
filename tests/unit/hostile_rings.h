/* Ways to break the rules of a virtqueue, one a case. */
#ifndef TESTS_HOSTILE_RINGS_H
#define TESTS_HOSTILE_RINGS_H

#include "virtqueue_fixture.h"

#define HOSTILE_SIZE  16 /* of the rings */
#define HOSTILE_CASES 64 /* at most */

struct hostile_case {
	const char *name;
	void (*spoil)(struct driver_queue *q);
	uint64_t features;
	enum { ANY, SPLIT_ONLY, PACKED_ONLY } kinds;
	bool from_chain; /* an indirect table is not used to begin with */
	/* The device need not look at what is wrong, as long as it is safe. */
	bool may_work;
	bool may_work_packed_tx; /* only there */
};

extern const struct hostile_case hostile_cases[];
extern const unsigned n_hostile_cases;

#endif

/*
 * So many a second and no more, but a burst at once (a token bucket, as the
 * generic cell rate algorithm has it: one word says when the next is due if
 * they came evenly).
 */
#ifndef VSWD_TOKEN_BUCKET_H
#define VSWD_TOKEN_BUCKET_H

#include "base/util.h"

struct token_bucket {
	uint64_t due_us; /* begins as 0 */
};

/* May one more go now? burst: that may go at once, at least 1. */
static inline bool token_bucket_take(struct token_bucket *bucket, unsigned rate,
				     unsigned burst, uint64_t now_ms)
{
	uint64_t interval = 1000000 / rate, now = now_ms * 1000;
	uint64_t from = MAX(bucket->due_us, now);

	if (from - now > interval * (burst - 1))
		return false;
	bucket->due_us = from + interval;
	return true;
}

#endif

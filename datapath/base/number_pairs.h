/* Settings of the form "0:2,1:3": what belongs to what, both as numbers. */
#ifndef BASE_NUMBER_PAIRS_H
#define BASE_NUMBER_PAIRS_H

#include "base/util.h"

struct number_pair {
	unsigned key, value;
};

struct number_pairs {
	size_t n;
	struct number_pair *pairs; /* in the order written; NULL when n is 0 */
};

/*
 * Parses pairs separated by commas, with white space anywhere but in a number;
 * an empty text has none. False when it is something else, has a key twice, or
 * a number above the maximum; then *pairs is empty. Free with
 * number_pairs_fini().
 */
bool number_pairs_parse(const char *text, unsigned key_max, unsigned value_max,
			struct number_pairs *pairs);
void number_pairs_clone(struct number_pairs *to,
			const struct number_pairs *from);
void number_pairs_fini(struct number_pairs *pairs);

/* The value that belongs to the key, or -1. */
int number_pairs_get(const struct number_pairs *pairs, unsigned key);
/* The same pairs in the same order? */
bool number_pairs_equal(const struct number_pairs *a,
			const struct number_pairs *b);

#endif

/* "Did you mean": the name out of a list that is nearest to a typing error. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *word; /* what was typed */
	const char *best; /* the nearest yet, or NULL; borrowed */
	unsigned int distance;
};

/* word must live as long as the suggestion. */
void suggestion_init(struct suggestion *s, const char *word);
/* Names that differ in '-' and '_' only are one edit apart. */
void suggestion_offer(struct suggestion *s, const char *candidate);
/*
 * A phrase to append to a message: "; did you mean \"x\"?", or "" when nothing
 * is near enough. Lives in buf, and is returned.
 */
const char *suggestion_phrase(const struct suggestion *s, char *buf,
			      size_t size);

/* Edits (insert, remove, replace, swap neighbours) from a to b; case counts. */
unsigned int edit_distance(const char *a, const char *b);

#endif

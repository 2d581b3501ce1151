/*
 * The nearest name: the edit distance of Damerau and Levenshtein (optimal
 * string alignment), one row at a time. Names are short; longer ones than
 * MAX_NAME are not compared.
 */
#include "base/suggest.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

#define MAX_NAME 64

unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][MAX_NAME + 1];
	unsigned int *before = rows[0], *last = rows[1], *now = rows[2];
	size_t n = strlen(a), m = strlen(b);

	if (n > MAX_NAME || m > MAX_NAME)
		return UINT_MAX;
	for (size_t j = 0; j <= m; j++)
		last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		unsigned int *swap = before;

		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			unsigned int d = last[j - 1] + (a[i - 1] != b[j - 1]);

			d = MIN(d, MIN(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d = MIN(d, before[j - 2] + 1);
			now[j] = d;
		}
		before = last;
		last = now;
		now = swap;
	}
	return last[m];
}

/* The same but for '-' and '_'. */
static bool names_equal(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
			return false;
	return *a == *b;
}

void suggestion_init(struct suggestion *s, const char *word)
{
	s->word = word;
	s->best = NULL;
	s->distance = UINT_MAX;
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
	unsigned int d = edit_distance(s->word, candidate);

	/* A mistake of its own kind, however often it is made in a name. */
	if (d && names_equal(s->word, candidate))
		d = 1;

	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
	}
}

const char *suggestion_phrase(const struct suggestion *s, char *buf,
			      size_t size)
{
	size_t len = strlen(s->word);

	/* One edit for each three letters: more would be guessing. */
	if (s->best && s->distance <= MAX(len / 3, 1u) && s->distance < len)
		snprintf(buf, size, "; did you mean \"%s\"?", s->best);
	else
		buf[0] = '\0';
	return buf;
}

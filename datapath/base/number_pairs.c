#include "base/number_pairs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at)
{
	while (isspace((unsigned char)*at))
		at++;
	return at;
}

/* A number up to max, and the space about it; NULL: there is none. */
static const char *parse_number(const char *at, unsigned max, unsigned *number)
{
	uint64_t n = 0;

	at = skip_space(at);
	if (!isdigit((unsigned char)*at))
		return NULL;
	for (; isdigit((unsigned char)*at); at++) {
		n = n * 10 + (*at - '0');
		if (n > max)
			return NULL;
	}
	*number = n;
	return skip_space(at);
}

static bool add(struct number_pairs *pairs, struct number_pair pair)
{
	if (number_pairs_get(pairs, pair.key) >= 0)
		return false;
	pairs->pairs = xrealloc(pairs->pairs, (pairs->n + 1) * sizeof(pair));
	pairs->pairs[pairs->n++] = pair;
	return true;
}

static bool parse(const char *at, unsigned key_max, unsigned value_max,
		  struct number_pairs *pairs)
{
	struct number_pair pair;

	if (!*skip_space(at))
		return true;
	for (;; at++) {
		at = parse_number(at, key_max, &pair.key);
		if (!at || *at != ':')
			return false;
		at = parse_number(at + 1, value_max, &pair.value);
		if (!at || !add(pairs, pair))
			return false;
		if (!*at)
			return true;
		if (*at != ',')
			return false;
	}
}

bool number_pairs_parse(const char *text, unsigned key_max, unsigned value_max,
			struct number_pairs *pairs)
{
	*pairs = (struct number_pairs){ 0 };
	if (parse(text, key_max, value_max, pairs))
		return true;
	number_pairs_fini(pairs);
	return false;
}

void number_pairs_clone(struct number_pairs *to,
			const struct number_pairs *from)
{
	*to = (struct number_pairs){ .n = from->n };
	if (!from->n)
		return;
	to->pairs = xmalloc(from->n * sizeof(*to->pairs));
	memcpy(to->pairs, from->pairs, from->n * sizeof(*to->pairs));
}

void number_pairs_fini(struct number_pairs *pairs)
{
	free(pairs->pairs);
	*pairs = (struct number_pairs){ 0 };
}

int number_pairs_get(const struct number_pairs *pairs, unsigned key)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (pairs->pairs[i].key == key)
			return pairs->pairs[i].value;
	return -1;
}

bool number_pairs_equal(const struct number_pairs *a,
			const struct number_pairs *b)
{
	return a->n == b->n &&
	       (!a->n || !memcmp(a->pairs, b->pairs, a->n * sizeof(*a->pairs)));
}

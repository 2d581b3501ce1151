/*
 * UUIDs (RFC 4122): the names of rows. Kept as two words in host order, so
 * that comparing them orders as comparing their texts does.
 *
 * All functions may be called from any thread.
 */
#ifndef OVSDB_LITE_UUID_H
#define OVSDB_LITE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_LEN 36 /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */

struct uuid {
	uint64_t hi, lo;
};

/* A new random UUID (version 4). */
void uuid_generate(struct uuid *uuid);

/*
 * Parses the text form, in either case and with nothing after it. Returns
 * false, leaving *uuid zero, when text is anything else.
 */
bool uuid_from_string(struct uuid *uuid, const char *text);

/* Writes the text form in lower case, with a NUL. Returns buf. */
char *uuid_format(const struct uuid *uuid, char buf[UUID_LEN + 1]);

static inline bool uuid_is_zero(const struct uuid *u)
{
	return !(u->hi | u->lo);
}

static inline bool uuid_equals(const struct uuid *a, const struct uuid *b)
{
	return a->hi == b->hi && a->lo == b->lo;
}

/* Negative, 0 or positive, as strcmp of the texts. */
static inline int uuid_compare(const struct uuid *a, const struct uuid *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return 0;
}

/* Seeded, since clients may choose UUIDs: another value in each process. */
uint32_t uuid_hash(const struct uuid *uuid);

#endif

/*
 * Reading a JSON object's members one by one; what is missing, of a wrong kind
 * or not asked for is an error. The first error is kept and returned at the
 * end, so that a caller reads all its members and checks once.
 */
#ifndef OVSDB_LITE_PARSE_H
#define OVSDB_LITE_PARSE_H

#include "ovsdb-lite/error.h"

/* What a member may be: an or of these. */
enum {
	PARSE_NULL = 1 << 0,
	PARSE_BOOLEAN = 1 << 1,
	PARSE_INTEGER = 1 << 2,
	PARSE_NUMBER = 1 << 3, /* integer or real */
	PARSE_STRING = 1 << 4,
	PARSE_ID = 1 << 5, /* a string that is an <id> */
	PARSE_ARRAY = 1 << 6,
	PARSE_OBJECT = 1 << 7,
	PARSE_ANY = (1 << 8) - 1,
	PARSE_OPTIONAL = 1 << 8,
};

struct parser {
	const json_t *object;
	const char *what;
	const char *seen[16];
	unsigned int n_seen;
	json_t *error;
};

/* `what` names the object in messages, and must live as long. */
void parser_init(struct parser *parser, const json_t *object, const char *what);

/* A borrowed reference; NULL when missing or wrong. At most 16 members. */
json_t *parser_member(struct parser *parser, const char *name, int kinds);

/* The error, if any; with check_all also for a member not asked for. */
json_t *parser_finish(struct parser *parser, bool check_all) MUST_CHECK;

#endif

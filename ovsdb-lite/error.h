/*
 * Errors as RFC 7047 section 3.1 has them: <error> objects with the members
 * "error" (a fixed tag that clients compare), "details" (for a person) and
 * "syntax" (the JSON text that was wrong). NULL means success.
 *
 * A function that fails returns a new reference that its caller owns.
 */
#ifndef OVSDB_LITE_ERROR_H
#define OVSDB_LITE_ERROR_H

#include <jansson.h>

#include "base/util.h"

/* {"error": tag, "details": text}; fmt may be NULL: no details. */
json_t *ovsdb_error(const char *tag, const char *fmt, ...)
	PRINTF_LIKE(2, 3) MUST_CHECK;

/*
 * The same with "syntax", the text of `json` (which may be NULL: none). tag
 * NULL is "syntax error".
 */
json_t *ovsdb_syntax_error(const json_t *json, const char *tag, const char *fmt,
			   ...) PRINTF_LIKE(3, 4) MUST_CHECK;

/* The whole error as one line for a person; drops the reference. */
char *ovsdb_error_to_string(json_t *error);

#endif

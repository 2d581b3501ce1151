/* RFC 7047 <error> objects. */
#include "ovsdb-lite/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much of a wrong JSON text an error shows. */
#define MAX_SYNTAX 512

/*
 * A details text may quote a client's bytes cut in the middle of a character,
 * which is no JSON string: such bytes are replaced.
 */
static json_t *string_of(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string)
		return string;
	copy = xstrdup(text);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

static json_t *make_error(const char *tag, const char *fmt, va_list args)
{
	json_t *error = json_object();
	char *details;

	if (!error)
		abort(); /* out of memory; NULL would say success */
	json_object_set_new(error, "error", json_string(tag));
	if (fmt && vasprintf(&details, fmt, args) >= 0) {
		json_object_set_new(error, "details", string_of(details));
		free(details);
	}
	return error;
}

json_t *ovsdb_error(const char *tag, const char *fmt, ...)
{
	json_t *error;
	va_list args;

	va_start(args, fmt);
	error = make_error(tag, fmt, args);
	va_end(args);
	return error;
}

json_t *ovsdb_syntax_error(const json_t *json, const char *tag, const char *fmt,
			   ...)
{
	json_t *error;
	va_list args;
	char *text;

	va_start(args, fmt);
	error = make_error(tag ? tag : "syntax error", fmt, args);
	va_end(args);
	if (!json)
		return error;
	text = json_dumps(json,
			  JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
	if (text) {
		if (strlen(text) > MAX_SYNTAX)
			memcpy(text + MAX_SYNTAX - 3, "...", sizeof("..."));
		json_object_set_new(error, "syntax", string_of(text));
		free(text);
	}
	return error;
}

char *ovsdb_error_to_string(json_t *error)
{
	const char *tag = json_string_value(json_object_get(error, "error"));
	const char *details =
		json_string_value(json_object_get(error, "details"));
	const char *syntax =
		json_string_value(json_object_get(error, "syntax"));
	char *text;

	text = xasprintf("%s%s%s%s%s%s", syntax ? "in " : "",
			 syntax ? syntax : "", syntax ? ": " : "",
			 tag ? tag : "error", details ? ": " : "",
			 details ? details : "");
	json_decref(error);
	return text;
}

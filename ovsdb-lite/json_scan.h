/*
 * Finds where one JSON object ends in a byte stream that arrives in pieces,
 * without building anything: each byte is looked at once, whatever the pieces
 * are. What it lets through is bounded in size, depth and count of values, so
 * that the real parser, which it knows nothing of, can be given the bytes.
 *
 * It checks only as much as finding the end needs: that the stream is a
 * sequence of objects with white space between, and that strings are closed.
 */
#ifndef OVSDB_LITE_JSON_SCAN_H
#define OVSDB_LITE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

enum json_scan_status {
	JSON_SCAN_MORE,	    /* the object goes on after the given bytes */
	JSON_SCAN_COMPLETE, /* it ended; call again with the bytes that follow
			     */
	JSON_SCAN_NO_OBJECT,
	JSON_SCAN_TOO_LARGE,
	JSON_SCAN_TOO_DEEP,
	JSON_SCAN_TOO_MANY, /* values: memory that the bytes would turn into */
};

/* The caps of one object. */
struct json_scan_limits {
	size_t bytes;
	unsigned int depth;
	size_t values;
};

/* All zero is the state before an object. */
struct json_scan {
	size_t bytes; /* of the object so far, leading white space left out */
	size_t values;
	unsigned int depth;
	bool in_string;
	bool escaped;
};

/*
 * Takes the next n bytes. *start is where the object's bytes begin in them (n
 * when there is only white space) and *end where they end. After
 * JSON_SCAN_COMPLETE the state is ready for the next object; after an error it
 * is of no use any more.
 */
enum json_scan_status json_scan(struct json_scan *scan,
				const struct json_scan_limits *limits,
				const char *data, size_t n, size_t *start,
				size_t *end);

/* The status as a phrase for a person. */
const char *json_scan_strerror(enum json_scan_status status);

#endif

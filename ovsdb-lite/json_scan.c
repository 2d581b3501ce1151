/* The end of a JSON object in a stream: see json_scan.h. */
#include "ovsdb-lite/json_scan.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Passes over the bytes of a string; returns where it was left. */
static size_t scan_string(struct json_scan *scan, const char *data, size_t i,
			  size_t n)
{
	for (; i < n; i++) {
		if (scan->escaped) {
			scan->escaped = false;
		} else if (data[i] == '\\') {
			scan->escaped = true;
		} else if (data[i] == '"') {
			scan->in_string = false;
			return i + 1;
		}
	}
	return i;
}

/* Passes over the bytes outside strings up to the object's end, if there. */
static enum json_scan_status scan_structure(struct json_scan *scan,
					    const struct json_scan_limits *lim,
					    const char *data, size_t *pos,
					    size_t n)
{
	size_t i = *pos;

	for (; i < n; i++) {
		switch (data[i]) {
		case '"':
			scan->in_string = true;
			*pos = i + 1;
			return JSON_SCAN_MORE;
		case '{':
		case '[':
			if (++scan->depth > lim->depth)
				return JSON_SCAN_TOO_DEEP;
			/* fall through */
		case ',':
			if (++scan->values > lim->values)
				return JSON_SCAN_TOO_MANY;
			break;
		case '}':
		case ']':
			if (--scan->depth == 0) {
				*pos = i + 1;
				return JSON_SCAN_COMPLETE;
			}
			break;
		}
	}
	*pos = n;
	return JSON_SCAN_MORE;
}

enum json_scan_status json_scan(struct json_scan *scan,
				const struct json_scan_limits *limits,
				const char *data, size_t n, size_t *start,
				size_t *end)
{
	enum json_scan_status status = JSON_SCAN_MORE;
	size_t i = 0;

	if (!scan->bytes) {
		while (i < n && is_space(data[i]))
			i++;
		if (i < n && data[i] != '{')
			status = JSON_SCAN_NO_OBJECT;
	}
	*start = i;
	while (i < n && status == JSON_SCAN_MORE) {
		if (scan->in_string)
			i = scan_string(scan, data, i, n);
		else
			status = scan_structure(scan, limits, data, &i, n);
	}
	*end = i;
	scan->bytes += i - *start;
	if (scan->bytes > limits->bytes)
		return JSON_SCAN_TOO_LARGE;
	if (status == JSON_SCAN_COMPLETE)
		*scan = (struct json_scan){ 0 };
	return status;
}

const char *json_scan_strerror(enum json_scan_status status)
{
	switch (status) {
	case JSON_SCAN_MORE:
		return "the message is not complete";
	case JSON_SCAN_COMPLETE:
		return "the message is complete";
	case JSON_SCAN_NO_OBJECT:
		return "a message must be a JSON object";
	case JSON_SCAN_TOO_LARGE:
		return "the message is too large";
	case JSON_SCAN_TOO_DEEP:
		return "the message is nested too deeply";
	case JSON_SCAN_TOO_MANY:
		return "the message has too many values";
	}
	return "unknown";
}

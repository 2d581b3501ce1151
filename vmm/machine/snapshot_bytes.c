/* Bytes in JSON: base64 with padding (RFC 4648 section 4). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/machine/snapshot.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t text_length(size_t length)
{
	return DIV_ROUND_UP(length, 3) * 4;
}

json_t *snapshot_bytes(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	char *text = xmalloc(text_length(length) + 1), *to = text;
	json_t *json;

	for (size_t i = 0; i < length; i += 3) {
		size_t n = MIN(length - i, 3u);
		uint32_t group = bytes[i] << 16;

		if (n > 1)
			group |= bytes[i + 1] << 8;
		if (n > 2)
			group |= bytes[i + 2];
		*to++ = digits[group >> 18];
		*to++ = digits[group >> 12 & 63];
		*to++ = n > 1 ? digits[group >> 6 & 63] : '=';
		*to++ = n > 2 ? digits[group & 63] : '=';
	}
	json = json_stringn(text, to - text);
	free(text);
	return json;
}

/* 0 to 63, or -1. */
static int value_of(char digit)
{
	const char *at = digit ? strchr(digits, digit) : NULL;

	return at ? at - digits : -1;
}

int snapshot_from_bytes(const json_t *json, void *data, size_t length)
{
	const char *text = json_string_value(json);
	uint8_t *bytes = data;

	if (!text || json_string_length(json) != text_length(length))
		return -EINVAL;
	for (size_t i = 0; i < length; i += 3, text += 4) {
		size_t n = MIN(length - i, 3u);
		uint32_t group = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k <= n ? value_of(text[k]) : 0;

			if (value < 0 || (k > n && text[k] != '='))
				return -EINVAL;
			group = group << 6 | value;
		}
		for (size_t k = 0; k < n; k++)
			bytes[i + k] = group >> (16 - 8 * k);
		if (n < 3 && group & ((1u << (24 - 8 * n)) - 1))
			return -EINVAL;
	}
	return 0;
}

/* Bytes in JSON: hexadecimal. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/machine/snapshot.h"

static const char digits[] = "0123456789abcdef";

json_t *snapshot_bytes(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	char *text = xmalloc(2 * length + 1);
	json_t *json;

	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	json = json_stringn(text, 2 * length);
	free(text);
	return json;
}

int snapshot_from_bytes(const json_t *json, void *data, size_t length)
{
	const char *text = json_string_value(json);
	uint8_t *bytes = data;

	if (!text || json_string_length(json) != 2 * length)
		return -EINVAL;
	for (size_t i = 0; i < 2 * length; i++) {
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return -EINVAL;
		bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (digit - digits));
	}
	return 0;
}

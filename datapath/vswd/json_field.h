/* Fields of a JSON object that a text is made of; missing ones are empty. */
#ifndef VSWD_JSON_FIELD_H
#define VSWD_JSON_FIELD_H

#include <jansson.h>
#include <stdbool.h>

static inline const char *field_text(const json_t *json, const char *key)
{
	const char *s = json_string_value(json_object_get(json, key));

	return s ? s : "";
}

static inline unsigned long long field_number(const json_t *json,
					      const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static inline bool field_is_true(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

#endif

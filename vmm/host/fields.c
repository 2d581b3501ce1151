/* Members of a structure by name: see fields.h. */
#include "vmm/host/fields.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"

static const char *option_name(const struct vm_field *field)
{
	return field->option ? field->option : field->key;
}

static bool same_name(const char *a, const char *b)
{
	for (; *a && (*a == *b || (*a == '-' && *b == '_')); a++, b++)
		;
	return *a == *b;
}

const struct vm_field *vm_fields_find(const struct vm_field *fields,
				      const char *option, char **errp)
{
	struct suggestion near;
	char phrase[128];

	suggestion_init(&near, option);
	for (const struct vm_field *f = fields; f->key; f++) {
		if (!f->help)
			continue;
		if (same_name(option, option_name(f)))
			return f;
		suggestion_offer(&near, option_name(f));
	}
	set_error(errp, -EINVAL, "\"%s\" is not known%s", option,
		  suggestion_phrase(&near, phrase, sizeof(phrase)));
	return NULL;
}

/* Numbers are of any size; the first bytes are the low ones (x86). */
static int64_t number_get(const struct vm_field *field, const void *member)
{
	int64_t n = 0;

	memcpy(&n, member, field->size);
	return n;
}

static int number_set(const struct vm_field *field, void *member, int64_t n,
		      char **errp)
{
	if (n < field->min || n > field->max)
		return set_error(errp, -EINVAL,
				 "%" PRId64 " is not from %" PRId64
				 " to %" PRId64,
				 n, field->min, field->max);
	memcpy(member, &n, field->size);
	return 0;
}

static json_t *number_of_text(const struct vm_field *field, const char *text,
			      char **errp)
{
	const char *unit = field->units;
	int64_t factor = 1;
	long long n;
	char *end;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (*end && unit && !end[1])
		for (; *unit && toupper(*unit) != toupper(*end); unit++)
			factor *= field->factor;
	if (end != text && !errno && (!*end || (unit && *unit && !end[1])) &&
	    !__builtin_mul_overflow(n, factor, &n))
		return json_integer(n);
	set_error(errp, -EINVAL, "\"%s\" is no number%s%s", text,
		  field->units ? " with a unit of " : "",
		  field->units ? field->units : "");
	return NULL;
}

static int mac_from_text(uint8_t mac[6], const char *text, char **errp)
{
	uint8_t m[6];
	int n = 0;

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1],
		   &m[2], &m[3], &m[4], &m[5], &n) != 6 ||
	    n != 17 || text[n])
		return set_error(errp, -EINVAL,
				 "\"%s\" is no address such as "
				 "08:00:27:12:34:56",
				 text);
	if (m[0] & 1 || !memcmp(m, "\0\0\0\0\0", 6))
		return set_error(errp, -EINVAL,
				 "%s is not a card's own address", text);
	memcpy(mac, m, 6);
	return 0;
}

/* Its index, or -EINVAL. */
static int word_find(const struct vm_field *field, const char *text,
		     char **errp)
{
	char list[160] = "";
	size_t n = 0;

	for (int i = 0; field->words[i]; i++) {
		if (!strcmp(field->words[i], text))
			return i;
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
				      i ? ", " : "", field->words[i]);
	}
	return set_error(errp, -EINVAL, "\"%s\" is none of %s", text, list);
}

static json_t *path_of_text(const char *path)
{
	char cwd[PATH_MAX];

	if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
		return json_string(path);
	return json_sprintf("%s/%s", cwd, path);
}

static json_t *value_of_text(const struct vm_field *field, const char *text,
			     char **errp)
{
	json_t *value = NULL;
	bool on = !text || !strcmp(text, "on");

	if (field->type == VM_FIELD_FLAG) {
		if (on || !strcmp(text, "off"))
			return json_boolean(on);
		set_error(errp, -EINVAL, "\"%s\" is neither on nor off", text);
	} else if (!text || (!*text && !field->empty)) {
		set_error(errp, -EINVAL, "a value is missing");
	} else if (field->type == VM_FIELD_NUMBER) {
		value = number_of_text(field, text, errp);
	} else {
		value = field->type == VM_FIELD_PATH ? path_of_text(text)
						     : json_string(text);
		if (!value)
			set_error(errp, -EINVAL, "not UTF-8");
	}
	return value;
}

/* Puts the name before what is wrong with the value. */
static int name_error(const char *name, char *why, char **errp)
{
	set_error(errp, -EINVAL, "%s: %s", name, why);
	free(why);
	return -EINVAL;
}

int vm_field_from_text(const struct vm_field *field, const char *text,
		       json_t *json, char **errp)
{
	char *why = NULL;
	json_t *value = value_of_text(field, text, &why), *list;

	if (!value)
		return name_error(option_name(field), why, errp);
	if (field->type != VM_FIELD_LIST)
		return json_object_set_new(json, field->key, value);
	list = json_object_get(json, field->key);
	if (!list)
		json_object_set_new(json, field->key, list = json_array());
	return json_array_append_new(list, value);
}

/*
 * "FIRST[,KEY[=VALUE]...]". What begins with a digit and has no '=' belongs to
 * the value before: trunks=10,20. NULL with a message.
 */
static json_t *object_of_text(const struct vm_field *fields, const char *text,
			      char **errp)
{
	char *copy = xstrdup(text), *next = copy, *item = strsep(&next, ","),
	     *value;
	const struct vm_field *field;
	json_t *json = json_object();
	int error = 0;

	if (*item)
		error = vm_field_from_text(fields, item, json, errp);
	while (!error && next) {
		item = next;
		next += strcspn(next, ",");
		while (*next && isdigit((uint8_t)next[1]))
			next += 1 + strcspn(next + 1, ",");
		if (*next)
			*next++ = '\0';
		else
			next = NULL;
		value = strchr(item, '=');
		if (value)
			*value++ = '\0';
		field = vm_fields_find(fields, item, errp);
		error = field ? vm_field_from_text(field, value, json, errp)
			      : -EINVAL;
		if (!error && field->type == VM_FIELD_MAC)
			json_object_set_new(json, "mac_given", json_true());
	}
	free(copy);
	if (!error)
		return json;
	json_decref(json);
	return NULL;
}

static int string_set(const struct vm_field *field, void *member,
		      const char *text, char **errp)
{
	char **string = member;
	int word = field->words ? word_find(field, text, errp) : 0;

	if (word < 0)
		return word;
	switch (field->type) {
	case VM_FIELD_MAC:
		return mac_from_text(member, text, errp);
	case VM_FIELD_NAME:
		if (strlen(text) >= field->size)
			return set_error(errp, -EINVAL,
					 "longer than %zu characters",
					 field->size - 1);
		strcpy(member, text);
		return 0;
	case VM_FIELD_CHOICE:
		*(int *)member = word;
		return 0;
	default:
		free(*string);
		*string = xstrdup(text);
		return 0;
	}
}

static int list_from_json(const struct vm_field *field, void *object,
			  const json_t *list, char **errp)
{
	unsigned int *n = (unsigned int *)((char *)object + field->count);
	char *element = (char *)object + field->offset, *why = NULL;
	const json_t *json;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > (size_t)field->max)
		return set_error(errp, -EINVAL,
				 "%s: not a list of at most %" PRId64,
				 field->key, field->max);
	json_array_foreach(list, i, json) {
		memcpy(element, field->defaults, field->size);
		*n = (unsigned int)i + 1;
		if (vm_fields_from_json(field->fields, element, json, &why) ||
		    field->check(element, &why)) {
			set_error(errp, -EINVAL, "%s %zu: %s", field->key, i,
				  why);
			free(why);
			return -EINVAL;
		}
		element += field->size;
	}
	return 0;
}

static int from_json(const struct vm_field *field, void *object,
		     const json_t *value, char **errp)
{
	void *member = (char *)object + field->offset;

	if (field->type == VM_FIELD_FLAG && json_is_boolean(value)) {
		*(bool *)member = json_is_true(value);
		return 0;
	}
	if (field->type == VM_FIELD_NUMBER && json_is_integer(value))
		return number_set(field, member, json_integer_value(value),
				  errp);
	if (field->type != VM_FIELD_FLAG && field->type != VM_FIELD_NUMBER &&
	    json_is_string(value))
		return string_set(field, member, json_string_value(value),
				  errp);
	return set_error(errp, -EINVAL, "a value of the wrong type");
}

static int object_from_json(const struct vm_field *fields, void *object,
			    const json_t *json, char **errp)
{
	const struct vm_field *field;
	const char *key;
	json_t *value;
	char *why = NULL;

	if (!json_is_object(json))
		return set_error(errp, -EINVAL, "not an object");
	json_object_foreach((json_t *)json, key, value) {
		for (field = fields; field->key; field++)
			if (!strcmp(field->key, key))
				break;
		if (!field->key)
			return set_error(errp, -EINVAL,
					 "\"%.64s\" is not known", key);
		if (field->type == VM_FIELD_LIST) {
			if (list_from_json(field, object, value, errp))
				return -EINVAL;
		} else if (from_json(field, object, value, &why)) {
			return name_error(key, why, errp);
		}
	}
	return 0;
}

int vm_fields_from_json(const struct vm_field *fields, void *object,
			const json_t *json, char **errp)
{
	json_t *parsed = NULL;
	int error;

	if (json_is_string(json)) {
		json = parsed =
			object_of_text(fields, json_string_value(json), errp);
		if (!json)
			return -EINVAL;
	}
	error = object_from_json(fields, object, json, errp);
	json_decref(parsed);
	return error;
}

static json_t *field_to_json(const struct vm_field *field, const void *member)
{
	const uint8_t *m = member;
	const char *text;

	switch (field->type) {
	case VM_FIELD_FLAG:
		return json_boolean(*(const bool *)member);
	case VM_FIELD_NUMBER:
		return json_integer(number_get(field, member));
	case VM_FIELD_CHOICE:
		return json_string(field->words[*(const int *)member]);
	case VM_FIELD_NAME:
		return json_string(member);
	case VM_FIELD_MAC:
		return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
				    m[2], m[3], m[4], m[5]);
	default:
		text = *(char *const *)member;
		return text ? json_string(text) : NULL;
	}
}

static unsigned int list_size(const struct vm_field *field, const void *object)
{
	return *(const unsigned int *)((const char *)object + field->count);
}

json_t *vm_fields_to_json(const struct vm_field *fields, const void *object,
			  const void *defaults)
{
	json_t *json = json_object(), *list;

	for (const struct vm_field *f = fields; f->key; f++) {
		const char *member = (const char *)object + f->offset;

		if (f->type == VM_FIELD_LIST) {
			json_object_set_new(json, f->key, list = json_array());
			for (unsigned int i = 0; i < list_size(f, object); i++)
				json_array_append_new(
					list,
					vm_fields_to_json(f->fields,
							  member + i * f->size,
							  f->defaults));
		} else if (memcmp(member, (const char *)defaults + f->offset,
				  f->size)) {
			json_object_set_new(json, f->key,
					    field_to_json(f, member));
		}
	}
	return json;
}

void vm_fields_free(const struct vm_field *fields, void *object)
{
	for (const struct vm_field *f = fields; f->key; f++) {
		char **member = (char **)((char *)object + f->offset);

		if (f->type == VM_FIELD_TEXT || f->type == VM_FIELD_PATH) {
			free(*member);
			*member = NULL;
		}
		if (f->type == VM_FIELD_LIST)
			for (unsigned int i = 0; i < list_size(f, object); i++)
				vm_fields_free(f->fields,
					       (char *)member + i * f->size);
	}
}

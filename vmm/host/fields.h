/*
 * Members of a structure by name: one table says how a member is written in
 * vm.json and on the command line, what it may be, and what help says of it.
 */
#ifndef VMM_HOST_FIELDS_H
#define VMM_HOST_FIELDS_H

#include <jansson.h>

#include "base/util.h"

enum vm_field_type {
	VM_FIELD_TEXT,	 /* char *; one of `words` if there are any */
	VM_FIELD_PATH,	 /* the same; made absolute from the command line */
	VM_FIELD_NAME,	 /* char[size] */
	VM_FIELD_CHOICE, /* an enum: the index in `words` */
	VM_FIELD_NUMBER, /* of `size` bytes */
	VM_FIELD_FLAG,	 /* bool */
	VM_FIELD_MAC,	 /* uint8_t[6], a station's */
	VM_FIELD_LIST,	 /* structures of `size` bytes, `max` at most */
};

/* A table ends with a field without a key. */
struct vm_field {
	const char *key;
	const char *help; /* "ARG\twhat it is"; NULL: only in vm.json */
	enum vm_field_type type;
	size_t offset, size;
	int64_t min, max;
	const char *const *words; /* ends with NULL */
	const char *option;	  /* on the command line; NULL: the key */
	const char *units;	  /* of a number: 'k', 'M' and so on, from 1 */
	unsigned int factor;	  /* between units */
	bool empty;		  /* a text that may be "" */
	/* Of a list: its elements, and where (unsigned int) their number is. */
	const struct vm_field *fields;
	const void *defaults;
	size_t count;
	int (*check)(const void *element, char **errp); /* the whole of one */
};

/*
 * Each returns 0, or -EINVAL with a message that begins with the field's name.
 * '-' in names on the command line is '_' of the key.
 */
const struct vm_field *vm_fields_find(const struct vm_field *fields,
				      const char *option, char **errp);
/* Puts what was typed into an object for vm_fields_from_json(), at the end of a
 * list. NULL: no value was given. */
int vm_field_from_text(const struct vm_field *field, const char *text,
		       json_t *json, char **errp);
/* From an object, or "FIRST[,KEY[=VALUE]...]", whose first is that of the
 * fields. Keys that are in no table are refused. */
int vm_fields_from_json(const struct vm_field *fields, void *object,
			const json_t *json, char **errp);
/* Of lists, and what is not as in `defaults`. */
json_t *vm_fields_to_json(const struct vm_field *fields, const void *object,
			  const void *defaults);
/* Frees texts. */
void vm_fields_free(const struct vm_field *fields, void *object);

#endif

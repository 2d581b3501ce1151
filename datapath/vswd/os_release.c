#include "vswd/os_release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The value of a line KEY=value or KEY="value"; NULL for another key. */
static char *value_of(char *line, const char *key)
{
	size_t n = strlen(key);
	char *value;

	if (strncmp(line, key, n) || line[n] != '=')
		return NULL;
	value = line + n + 1;
	value[strcspn(value, "\n")] = '\0';
	if (value[0] == '"') {
		value++;
		value[strcspn(value, "\"")] = '\0';
	}
	return xstrdup(value);
}

void os_release(char **id, char **version)
{
	FILE *f = fopen("/etc/os-release", "re");
	char line[512], *value;

	*id = *version = NULL;
	while (f && fgets(line, sizeof(line), f)) {
		if ((value = value_of(line, "ID"))) {
			free(*id);
			*id = value;
		} else if ((value = value_of(line, "VERSION_ID"))) {
			free(*version);
			*version = value;
		}
	}
	if (f)
		fclose(f);
	if (!*id)
		*id = xstrdup("unknown");
	if (!*version)
		*version = xstrdup("unknown");
}

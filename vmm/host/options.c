/* The command line of `vsw-vmm run`: see options.h. */
#include "vmm/host/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 34
#define HELP_WIDTH  80

void help_entry(const char *before, const char *name, const char *sep,
		const char *help)
{
	int n_args = (int)strcspn(help, "\t"), n;
	const char *text = help + n_args + 1;
	int at = printf("  %s%s%s%.*s", before, name, n_args ? sep : "", n_args,
			help);

	if (at >= HELP_COLUMN)
		at = printf("\n") - 1;
	at += printf("%*s", HELP_COLUMN - at, "");
	for (; *text; text += n + (int)strspn(text + n, " ")) {
		n = (int)strcspn(text, " ");
		if (at + 1 + n > HELP_WIDTH)
			at = printf("\n%*s", HELP_COLUMN, "") - 1;
		at += printf("%s%.*s", at > HELP_COLUMN ? " " : "", n, text);
	}
	putchar('\n');
}

/* One option of the words from *word on; its value may be the next. */
static int parse_option(char ***word, json_t *json, char **errp)
{
	char *name = **word + 2, *value = strchr(name, '=');
	const struct vm_field *field;

	if (strncmp(**word, "--", 2))
		return set_error(errp, -EINVAL,
				 "\"%s\" is no option; \"vsw-vmm help run\" "
				 "lists them",
				 **word);
	name = xasprintf("%.*s", (int)strcspn(name, "="), name);
	field = vm_fields_find(vm_config_fields, name, errp);
	free(name);
	if (!field)
		return -EINVAL;
	if (value)
		value++;
	else if (field->type != VM_FIELD_FLAG && (*word)[1])
		value = *++*word;
	return vm_field_from_text(field, value, json, errp);
}

int vm_options_parse(struct vm_options *options, char **words, char **errp)
{
	json_t *json = json_object();
	int error = 0;

	for (; !error && *words; words++) {
		if (!strcmp(*words, "--detach"))
			options->detach = true;
		else
			error = parse_option(&words, json, errp);
	}
	if (!error)
		error = vm_config_from_json(&options->config, json, errp);
	json_decref(json);
	return error;
}

static void print_fields(const char *dashes, const char *sep,
			 const struct vm_field *fields)
{
	for (const struct vm_field *f = fields; f->key; f++) {
		if (f->help)
			help_entry(dashes, f->option ? f->option : f->key, sep,
				   f->help);
		if (f->type == VM_FIELD_LIST)
			print_fields("    ", "=", f->fields);
	}
}

void vm_net_options_help(void)
{
	for (const struct vm_field *f = vm_config_fields; f->key; f++)
		if (!strcmp(f->key, "nets"))
			print_fields("    ", "=", f->fields);
}

void vm_options_help(void)
{
	print_fields("--", " ", vm_config_fields);
	help_entry("--", "detach", "",
		   "\treturn when the guest runs; the serial port goes to a "
		   "socket");
}

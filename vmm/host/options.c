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

/* --net and --disk: one more of a list. */
static int add_device(struct vm_config *config, bool net, const char *text,
		      char **errp)
{
	unsigned int *n = net ? &config->n_nets : &config->n_disks,
		     max = net ? VM_MAX_NETS : VM_MAX_DISKS;
	char *why = NULL;
	int error;

	if (*n == max)
		why = xasprintf("more than %u", max);
	else if (net)
		vm_net_parse(&config->nets[*n], text, &why);
	else
		vm_disk_parse(&config->disks[*n], text, &why);
	if (!why) {
		++*n;
		return 0;
	}
	error = set_error(errp, -EINVAL, "--%s: %s", net ? "net" : "disk", why);
	free(why);
	return error;
}

static int parse_one(struct vm_options *options, const char *name,
		     const char *value, char **errp)
{
	const struct vm_field *field;
	bool net = !strcmp(name, "net");

	if (value && (net || !strcmp(name, "disk")))
		return add_device(&options->config, net, value, errp);
	field = vm_fields_find(vm_config_fields, name, errp);
	if (!field)
		return -EINVAL;
	return vm_field_from_text(field, &options->config, value, errp);
}

/* Flags stand alone; all else has a value, perhaps in the next word. */
static bool takes_value(const char *name)
{
	const struct vm_field *field;

	if (!strcmp(name, "net") || !strcmp(name, "disk"))
		return true;
	field = vm_fields_find(vm_config_fields, name, NULL);
	return field && field->type != VM_FIELD_FLAG;
}

int vm_options_parse(struct vm_options *options, char **words, char **errp)
{
	char *name, *value;
	int error = 0;

	for (int i = 0; !error && words[i]; i++) {
		if (!strcmp(words[i], "--detach")) {
			options->detach = true;
			continue;
		}
		if (strncmp(words[i], "--", 2))
			return set_error(errp, -EINVAL,
					 "\"%s\" is no option; \"vsw-vmm help "
					 "run\" lists them",
					 words[i]);
		name = xstrdup(words[i] + 2);
		value = strchr(name, '=');
		if (value)
			*value++ = '\0';
		else if (words[i + 1] && takes_value(name))
			value = words[++i];
		error = parse_one(options, name, value, errp);
		free(name);
	}
	return error ? error : vm_config_finish(&options->config, errp);
}

static void print_fields(const char *dashes, const char *sep,
			 const struct vm_field *fields)
{
	for (const struct vm_field *f = fields; f->key; f++)
		if (f->help)
			help_entry(dashes, f->option ? f->option : f->key, sep,
				   f->help);
}

void vm_options_help(void)
{
	print_fields("--", " ", vm_config_fields);
	help_entry("--", "net", " ",
		   "BRIDGE[,KEY=VALUE...]\ta network card on vswd's bridge or "
		   "segment; again for more");
	print_fields("    ", "=", vm_net_fields);
	help_entry("--", "disk", " ",
		   "FILE,format=FORMAT[,KEY=VALUE...]\ta disk; again for more");
	print_fields("    ", "=", vm_disk_fields);
	help_entry("--", "detach", "",
		   "\treturn when the guest runs; the serial port goes to a "
		   "socket");
}

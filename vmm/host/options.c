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
	int at = printf("  %s", before);

	for (; *name; name++, at++)
		putchar(*name == '_' && *before == '-' ? '-' : *name);
	at += printf("%s%.*s", n_args ? sep : "", n_args, help);

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

/* Says of which option the message is. */
static int in_option(const char *option, char *why, char **errp)
{
	set_error(errp, -EINVAL, "--%s: %s", option, why);
	free(why);
	return -EINVAL;
}

static int add_net(struct vm_config *config, const char *text, char **errp)
{
	char *why = NULL;

	if (config->n_nets == VM_MAX_NETS)
		return set_error(errp, -EINVAL, "--net: more than %d cards",
				 VM_MAX_NETS);
	if (vm_net_parse(&config->nets[config->n_nets], text, &why))
		return in_option("net", why, errp);
	config->n_nets++;
	return 0;
}

static int add_disk(struct vm_config *config, const char *text, char **errp)
{
	char *why = NULL;

	if (config->n_disks == VM_MAX_DISKS)
		return set_error(errp, -EINVAL, "--disk: more than %d disks",
				 VM_MAX_DISKS);
	if (vm_disk_parse(&config->disks[config->n_disks], text, &why))
		return in_option("disk", why, errp);
	config->n_disks++;
	return 0;
}

static int parse_one(struct vm_options *options, const char *name,
		     const char *value, char **errp)
{
	const struct vm_field *field;

	if (!strcmp(name, "net") && value)
		return add_net(&options->config, value, errp);
	if (!strcmp(name, "disk") && value)
		return add_disk(&options->config, value, errp);
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

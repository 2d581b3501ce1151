/* Help: an overview, one command's usage, and lists for completion. */
#include "ctl/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/settings.h"
#include "ctl/tables.h"

#define HELP_COLUMN 36
#define HELP_WIDTH  80

/* Prints words, from column `at` on, in the space between the two above. */
static void print_wrapped(int at, const char *text)
{
	printf("%*s", HELP_COLUMN - at, "");
	for (at = HELP_COLUMN; *text;) {
		int n = (int)strcspn(text, " ");

		if (at > HELP_COLUMN && at + 1 + n > HELP_WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		}
		at += printf("%s%.*s", at > HELP_COLUMN ? " " : "", n, text);
		text += n;
		text += strspn(text, " ");
	}
	putchar('\n');
}

/* "  add-port BRIDGE PORT      text", the text below when there is no room. */
static void print_entry(const char *name, const char *args, const char *text)
{
	int n = printf("  %s%s%s", name, *args ? " " : "", args);

	if (n >= HELP_COLUMN) {
		putchar('\n');
		n = 0;
	}
	if (*text)
		print_wrapped(n, text);
	else
		putchar('\n');
}

static void print_options(void)
{
	fputs("\nOptions, before the commands:\n", stdout);
	print_entry("--run-dir=DIR", "",
		    "where vswd runs (default /run/vsw, or $VSW_RUNDIR)");
	print_entry("--db=REMOTE", "",
		    "the database: unix:FILE (default unix:DIR/db.sock), "
		    "tcp:HOST:PORT or ssl:HOST:PORT");
	print_entry("-t, --timeout=SECS", "", "give up after so many seconds");
	print_entry("--no-wait", "", "do not wait until vswd has the change");
	print_entry("--dry-run", "", "change nothing");
	print_entry("--retry", "", "try to connect until it works");
	print_entry("-f, --format=table|list|json|csv|html", "",
		    "how to print; json works for all that reads");
	print_entry("-d, --data=string|bare|json", "",
		    "how to print values of list and find");
	print_entry("--no-headings, --bare, --pretty", "",
		    "no names of columns; values only; indent JSON");
	print_entry("--oneline", "", "one line of output for each command");
	print_entry("-p, --private-key=FILE", "", "our key for ssl:");
	print_entry("-c, --certificate=FILE", "", "our certificate for ssl:");
	print_entry("-C, --ca-cert=FILE", "", "who signed the server's");
	print_entry("-v, --verbose[=SPEC]", "", "log levels");
	print_entry("-h, --help; -V, --version", "", "");
}

static void print_overview(void)
{
	const struct ctl_command_group *groups;
	size_t n;

	fputs("vsw-ctl: shows and changes the configuration of vswd\n"
	      "usage: vsw-ctl [OPTION]... [--] COMMAND [ARG]... [-- COMMAND "
	      "[ARG]...]...\n"
	      "Commands joined by \"--\" are one transaction: all or nothing. "
	      "A command's own\n"
	      "options stand before its name, e.g. \"-- --may-exist add-br "
	      "br0\"; \"vsw-ctl help\n"
	      "COMMAND\" lists them.\n",
	      stdout);
	groups = ctl_command_groups(&n);
	for (size_t g = 0; g < n; g++) {
		printf("\n%s:\n", groups[g].title);
		for (size_t i = 0; i < groups[g].n; i++)
			print_entry(groups[g].classes[i].name,
				    groups[g].classes[i].args,
				    groups[g].classes[i].help);
	}
	fputs("\nQuestions to the running vswd (and any other command of its "
	      "control socket):\n",
	      stdout);
	for (size_t i = 0; i < n_daemon_commands; i++)
		print_entry(daemon_commands[i].name, daemon_commands[i].args,
			    daemon_commands[i].help);
	print_options();
}

static int print_command(const char *name)
{
	const struct ctl_command_class *class = ctl_find_command(name);

	if (class) {
		printf("usage: vsw-ctl [OPTION]... --%s%s",
		       *class->options ? " [" : "", class->options);
		printf("%s %s %s\n%s\n", *class->options ? "]" : "",
		       class->name, class->args, class->help);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < n_daemon_commands; i++) {
		if (strcmp(daemon_commands[i].name, name))
			continue;
		printf("usage: vsw-ctl [OPTION]... %s %s\n%s\n", name,
		       daemon_commands[i].args, daemon_commands[i].help);
		return EXIT_SUCCESS;
	}
	ctl_warn("no help on '%s': there is no such command (\"vsw-ctl help\" "
		 "lists them)",
		 name);
	return EXIT_FAILURE;
}

int help(const char *command)
{
	if (command)
		return print_command(command);
	print_overview();
	return EXIT_SUCCESS;
}

void help_list_schema(struct tables *tables)
{
	for (size_t i = 0; i < tables_count(tables); i++) {
		const struct ovsdb_table_schema *table;
		char *error = NULL;

		table = tables_get(tables, i, &error);
		if (!table)
			ctl_fatal_error(error);
		printf("%s:", table->name);
		for (size_t j = 0; j < table->n_columns; j++)
			printf(" %s", table->columns[j].name);
		putchar('\n');
	}
}

void help_list_settings(void)
{
	for (size_t i = 0; i < settings_count(); i++) {
		struct setting_info s;

		settings_get(i, &s);
		printf("%s %s%s%s\n", s.table, s.key, s.words ? " " : "",
		       s.words ? s.words : "");
	}
}

void help_list_commands(void)
{
	const struct ctl_command_group *groups;
	size_t n;

	groups = ctl_command_groups(&n);
	for (size_t g = 0; g < n; g++)
		for (size_t i = 0; i < groups[g].n; i++)
			printf("%s,%s,%s\n", groups[g].classes[i].options,
			       groups[g].classes[i].name,
			       groups[g].classes[i].args);
	for (size_t i = 0; i < n_daemon_commands; i++)
		printf(",%s,%s\n", daemon_commands[i].name,
		       daemon_commands[i].args);
}

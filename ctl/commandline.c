/*
 * The grammar of the command line, apart from the global options: commands
 * joined by "--", each with its own options before its name.
 */
#include "ctl/commandline.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "ctl/daemon.h"

enum option_kind { NO_SUCH_OPTION, FLAG, WITH_VALUE };

/* Looks for the option in a class's list, e.g. "--may-exist --id=". */
static enum option_kind option_kind(const char *list, const char *word)
{
	size_t len = strcspn(word, "=");

	while (list && *list) {
		size_t n = strcspn(list, " ");
		bool value = n && list[n - 1] == '=';

		if (n - value == len && !strncmp(list, word, len))
			return value ? WITH_VALUE : FLAG;
		list += n;
		list += strspn(list, " ");
	}
	return NO_SUCH_OPTION;
}

int commandline_option_words(const char *word)
{
	const struct ctl_command_group *groups;
	size_t n;

	groups = ctl_command_groups(&n);
	for (size_t g = 0; g < n; g++) {
		for (size_t i = 0; i < groups[g].n; i++) {
			switch (option_kind(groups[g].classes[i].options,
					    word)) {
			case FLAG:
				return 1;
			case WITH_VALUE:
				return strchr(word, '=') ? 1 : 2;
			case NO_SUCH_OPTION:
				break;
			}
		}
	}
	return 0;
}

static int unknown_command(const char *name, char **errp)
{
	const struct ctl_command_group *groups;
	struct suggestion s;
	char hint[128];
	size_t n;

	suggestion_init(&s, name);
	groups = ctl_command_groups(&n);
	for (size_t g = 0; g < n; g++)
		for (size_t i = 0; i < groups[g].n; i++)
			suggestion_offer(&s, groups[g].classes[i].name);
	for (size_t i = 0; i < n_daemon_commands; i++)
		suggestion_offer(&s, daemon_commands[i].name);
	return set_error(errp, -EINVAL,
			 "unknown command '%s'%s (\"vsw-ctl help\" lists the "
			 "commands)",
			 name, suggestion_phrase(&s, hint, sizeof(hint)));
}

static int add_option(struct ctl_command *cmd, char **argv, int argc, int *i,
		      char **errp)
{
	char *word = argv[*i];
	enum option_kind kind = option_kind(cmd->class->options, word);
	char *value = strchr(word, '=');

	(*i)++;
	if (kind == NO_SUCH_OPTION)
		return set_error(errp, -EINVAL,
				 "'%s' command has no option '%s'%s%s",
				 cmd->class->name, word,
				 *cmd->class->options ? "; it has " : "",
				 cmd->class->options);
	if (kind == FLAG && value)
		return set_error(errp, -EINVAL,
				 "option '%s' of '%s' takes no argument", word,
				 cmd->class->name);
	if (kind == WITH_VALUE && !value) {
		if (*i >= argc)
			return set_error(errp, -EINVAL,
					 "option '%s' needs an argument", word);
		value = argv[(*i)++];
	} else if (value) {
		*value++ = '\0';
	}
	cmd->options[cmd->n_options++] = (struct ctl_option){ word, value };
	return 0;
}

static int check_arguments(const struct ctl_command *cmd, char **errp)
{
	const struct ctl_command_class *class = cmd->class;
	int n = cmd->argc - 1;

	if (n < class->min_args)
		return set_error(errp, -EINVAL,
				 "'%s' command requires at least %d argument%s:"
				 " %s %s",
				 class->name, class->min_args,
				 class->min_args == 1 ? "" : "s", class->name,
				 class->args);
	if (n > class->max_args)
		return set_error(
			errp, -EINVAL,
			"'%s' command takes at most %d argument%s%s%s",
			class->name, class->max_args,
			class->max_args == 1 ? "" : "s",
			class->max_args ? ": " : "",
			cmd->argv[cmd->argc - 1][0] == '-'
				? " (options stand before the command's name)"
				: class->args);
	return 0;
}

/* Skips the options to find the command's name: argc when there is none. */
static int find_name(int argc, char **argv)
{
	int i = 0;

	while (i < argc && argv[i][0] == '-' && argv[i][1]) {
		int words = commandline_option_words(argv[i]);

		i += MAX(words, 1);
	}
	return MIN(i, argc);
}

static int parse_one(struct ctl_command *cmd, int argc, char **argv,
		     char **errp)
{
	int name = find_name(argc, argv), error = 0;

	if (name == argc)
		return set_error(errp, -EINVAL,
				 "missing command name%s%s (\"vsw-ctl help\" "
				 "lists the commands)",
				 argc ? " after " : "", argc ? argv[0] : "");
	cmd->class = ctl_find_command(argv[name]);
	if (!cmd->class)
		return unknown_command(argv[name], errp);
	cmd->options = xcalloc(name + 1, sizeof(*cmd->options));
	for (int i = 0; !error && i < name;)
		error = add_option(cmd, argv, name, &i, errp);
	cmd->argc = argc - name;
	cmd->argv = argv + name;
	return error ? error : check_arguments(cmd, errp);
}

void commandline_free(struct ctl_command *commands, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(commands[i].options);
	free(commands);
}

int commandline_parse(int argc, char **argv, struct ctl_command **commands,
		      size_t *n, char **errp)
{
	struct ctl_command *list = xcalloc(argc + 1, sizeof(*list));
	int error = 0;

	*n = 0;
	for (int i = 0; !error && i <= argc;) {
		int end = i;

		while (end < argc && strcmp(argv[end], "--"))
			end++;
		/* "-- add-br b" and "add-br b --" have an empty part. */
		if (end > i)
			error = parse_one(&list[(*n)++], end - i, argv + i,
					  errp);
		i = end + 1;
	}
	if (!error && !*n)
		error = set_error(errp, -EINVAL,
				  "missing command name (\"vsw-ctl help\" "
				  "lists the commands)");
	if (error) {
		commandline_free(list, *n);
		list = NULL;
		*n = 0;
	}
	*commands = list;
	return error;
}

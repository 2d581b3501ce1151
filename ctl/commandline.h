/* The commands of a command line: "[OPTION...] COMMAND [ARG...] [-- ...]". */
#ifndef CTL_COMMANDLINE_H
#define CTL_COMMANDLINE_H

#include "ctl/ctl.h"

/*
 * Splits argv at each "--" and finds each command's class, checking its options
 * and the number of its arguments. The commands borrow argv's strings. Returns
 * 0, or -EINVAL with a message (nothing to free then).
 */
int commandline_parse(int argc, char **argv, struct ctl_command **commands,
		      size_t *n, char **errp);
void commandline_free(struct ctl_command *commands, size_t n);

/*
 * How many words an option of any command takes: 1 ("--may-exist", "--id=@x"),
 * 2 ("--id @x"), or 0 when no command has such an option.
 */
int commandline_option_words(const char *word);

#endif

/* Commands that the running vswd answers at its control socket. */
#ifndef CTL_DAEMON_H
#define CTL_DAEMON_H

#include "ctl/options.h"

struct daemon_command {
	const char *name, *args, *help;
};

/* Those that the help shows; vswd may know more. */
extern const struct daemon_command daemon_commands[];
extern const size_t n_daemon_commands;

/* Whether a word is a command for vswd: one of these, or it has a '/'. */
bool daemon_has_command(const char *name);
/* Runs it and prints the answer. Returns the exit status. */
int daemon_run(const struct ctl_options *options, int argc, char **argv);

/*
 * control_call() on vswd's socket; a failure is reported. Returns its status,
 * with the reply in *text when that is 0.
 */
int daemon_call(const struct ctl_options *options, int argc,
		const char *const argv[], char **text, int *fd, size_t *n_more);

#endif

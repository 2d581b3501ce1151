/* The global options of vsw-ctl's command line. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "base/util.h"
#include "ctl/table.h"

/* What to do instead of running commands. */
enum ctl_action {
	CTL_RUN,
	CTL_HELP,
	CTL_VERSION,
	CTL_LIST_COMMANDS, /* for the shell's completion */
	CTL_LIST_OPTIONS,
	CTL_LIST_SCHEMA,
	CTL_LIST_SETTINGS
};

struct ctl_options {
	enum ctl_action action;
	char *run_dir; /* ends in no slash */
	char *db;      /* "unix:RUN_DIR/db.sock" unless given */
	bool db_given;
	bool no_wait;
	bool dry_run;
	bool oneline;
	bool retry;
	unsigned int timeout_s; /* 0: none given */
	/* TLS files for ssl: remotes; borrowed from argv. */
	const char *private_key, *certificate, *ca_cert, *peer_ca_cert;
	bool bootstrap; /* ca_cert may be taken from the peer */
	bool format_given;
	struct table_style style;
};

/*
 * Takes the global options from the front of argv. *next becomes the index of
 * the first word that is none: a command, "--", or an option of the first
 * command. A word that looks like an option but is neither a global option nor
 * an option of a command is an error: command_option() tells how many words
 * it takes, 0 when no command has it. Returns 0, or -EINVAL with a
 * message. Options of the first command that stand among the global ones are
 * moved to the front of what is left (argv is permuted).
 */
int ctl_options_parse(struct ctl_options *options, int argc, char **argv,
		      int (*command_option)(const char *word), int *next,
		      char **errp);
void ctl_options_destroy(struct ctl_options *options);

/* Prints all global options, one a line ("--db=ARG"), for completion. */
void ctl_options_list(void);

#endif

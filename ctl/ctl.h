/*
 * vsw-ctl as a whole: one invocation, its options, its commands and the
 * database as they see it.
 *
 * The way of an invocation: options.c takes the global options, commandline.c
 * splits the rest into commands, run.c runs them one after the other on a view
 * of the database (view.c) which fetches what they ask for and collects what
 * they change, transact.c makes one transaction of that, and reload.c waits
 * until vswd has carried it out. Everything runs in one thread.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <jansson.h>
#include <stdio.h>

#include "base/util.h"
#include "ctl/options.h"
#include "ovsdb-lite/datum.h"
#include "ovsdb-lite/schema.h"

struct rpc;
struct tables;
struct view;
struct view_row;

/* An option of a command: "--may-exist", or "--id=@x". */
struct ctl_option {
	const char *name;  /* with the dashes, without '=' */
	const char *value; /* NULL: it takes none */
};

/* One command of the command line. */
struct ctl_command {
	const struct ctl_command_class *class;
	struct ctl *ctl;
	int argc;
	char **argv; /* argv[0] is the command's name */
	struct ctl_option *options;
	size_t n_options;

	/* What the last run of it has to print: text, or a table, or (with
	 * --format=json) a JSON value. */
	FILE *out;
	char *text;
	size_t text_len;
	struct table *table;
	bool as_table; /* aligned columns, unless --format says otherwise */
	json_t *json;
	struct view_row *row; /* create: the new one */
};

/* What a command is. */
struct ctl_command_class {
	const char *name;
	const char *args; /* "BRIDGE PORT [COLUMN[:KEY]=VALUE]..." */
	int min_args;
	int max_args;	     /* INT_MAX: any number */
	const char *options; /* "--may-exist --id=" */
	const char *help;    /* one line */
	/* Queues what run() will ask the database for; may be NULL. */
	void (*prefetch)(struct ctl_command *);
	void (*run)(struct ctl_command *);
	/* After a successful commit, before the output is printed. */
	void (*committed)(struct ctl_command *);
};

/* An Interface that add-port and its like have made, to be looked at later. */
struct ctl_new_iface {
	struct view_row *row;
	const char *bridge, *port; /* as on the command line */
};

/* A row whose column "error" is looked at when vswd has carried it out. */
struct ctl_watched {
	struct view_row *row;
	char *what; /* "segment lab"; not said when the error begins with it */
	char *undo; /* the command that takes it away: "del-segment lab" */
};

/* A heading of the help and the commands under it. */
struct ctl_command_group {
	const char *title;
	const struct ctl_command_class *classes;
	size_t n;
};

struct ctl {
	struct ctl_options options;
	struct ctl_command *commands;
	size_t n_commands;
	struct rpc *rpc;
	struct view *view;
	struct tables *tables; /* NULL until ctl_tables() */
	struct ovsdb_symbols *symbols;
	struct ctl_new_iface *new_ifaces;
	size_t n_new_ifaces;
	struct ctl_watched *watched;
	size_t n_watched;
	char **warnings; /* ctl_warn_later() */
	size_t n_warnings;
	const char *waiting_for; /* a wait-until's table, or NULL */
	/* what the command line was, for the database's log */
	const char *comment;
	int exit_status;
};

/*
 * Ends the program with a message "vsw-ctl: ..." and status 1. Commands may
 * call it at any point before the commit: nothing has changed by then.
 */
void ctl_fatal(const char *fmt, ...) __attribute__((noreturn))
PRINTF_LIKE(1, 2);
/* The same for a message that a callee made. */
void ctl_fatal_error(char *error) __attribute__((noreturn));
void ctl_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * A warning for when the commands have worked: they may run again before that.
 * Takes over the text; one that is there already is not kept twice.
 */
void ctl_warn_later(struct ctl *ctl, char *text);

/* The tables of the Open_vSwitch schema that the program carries. */
struct tables *ctl_tables(struct ctl *ctl);

/* Whether a command's option is there, and its value (NULL: not there). */
bool ctl_has_option(const struct ctl_command *cmd, const char *name);
const char *ctl_option(const struct ctl_command *cmd, const char *name);

/* Remembers an Interface whose ofport and error are looked at in the end. */
void ctl_expect_iface(struct ctl *ctl, struct view_row *row, const char *bridge,
		      const char *port);

/* Remembers a row to be looked at in the end; takes over the texts. */
void ctl_expect_row(struct ctl *ctl, struct view_row *row, char *what,
		    char *undo);

/*
 * Runs all commands of ctl, commits, prints and waits for vswd. Sets
 * ctl->exit_status.
 */
void ctl_run(struct ctl *ctl);

/* All commands; n gets the number of groups. */
const struct ctl_command_group *ctl_command_groups(size_t *n);
const struct ctl_command_class *ctl_find_command(const char *name);

#endif

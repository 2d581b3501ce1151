/*
 * Runs the commands of one invocation: again from the start whenever somebody
 * else changed what they had read, or when wait-until has to wait. Output is
 * kept until the commit has worked.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/acl_check.h"
#include "ctl/bond_check.h"
#include "ctl/group_check.h"
#include "ctl/ctl.h"
#include "ctl/mirror_check.h"
#include "ctl/shape_check.h"
#include "ctl/overlay_check.h"
#include "ctl/record.h"
#include "ctl/reload.h"
#include "ctl/rpc.h"
#include "ctl/security_check.h"
#include "ctl/segment_check.h"
#include "ctl/table.h"
#include "ctl/tables.h"
#include "ctl/transact.h"
#include "ctl/view.h"

/* Lost races in a row before giving up. */
#define MAX_TRIES 100

static void message(const char *fmt, va_list args)
{
	char *text;

	if (vasprintf(&text, fmt, args) < 0)
		abort();
	fflush(stdout);
	fprintf(stderr, "vsw-ctl: %s\n", text);
	free(text);
}

void ctl_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
}

void ctl_warn_later(struct ctl *ctl, char *text)
{
	for (size_t i = 0; i < ctl->n_warnings; i++) {
		if (strcmp(ctl->warnings[i], text))
			continue;
		free(text);
		return;
	}
	ctl->warnings = xrealloc(ctl->warnings, (ctl->n_warnings + 1) *
							sizeof(*ctl->warnings));
	ctl->warnings[ctl->n_warnings++] = text;
}

/* Those of a run that did not count are not printed. */
static void drop_warnings(struct ctl *ctl, bool print)
{
	for (size_t i = 0; i < ctl->n_warnings; i++) {
		if (print)
			ctl_warn("warning: %s", ctl->warnings[i]);
		free(ctl->warnings[i]);
	}
	ctl->n_warnings = 0;
}

void ctl_fatal(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	message(fmt, args);
	va_end(args);
	/* Not exit(): what is still allocated is nobody's business now. */
	_exit(EXIT_FAILURE);
}

void ctl_fatal_error(char *error)
{
	ctl_fatal("%s", error ? error : "unknown error");
}

struct tables *ctl_tables(struct ctl *ctl)
{
	char *error = NULL;
	const char *text;
	size_t len;

	if (!ctl->tables) {
		text = ovsdb_vswitch_schema(&len);
		ctl->tables = tables_create(text, len, &error);
		if (!ctl->tables)
			ctl_fatal_error(error);
	}
	return ctl->tables;
}

bool ctl_has_option(const struct ctl_command *cmd, const char *name)
{
	for (size_t i = 0; i < cmd->n_options; i++)
		if (!strcmp(cmd->options[i].name, name))
			return true;
	return false;
}

const char *ctl_option(const struct ctl_command *cmd, const char *name)
{
	for (size_t i = 0; i < cmd->n_options; i++)
		if (!strcmp(cmd->options[i].name, name))
			return cmd->options[i].value;
	return NULL;
}

void ctl_expect_iface(struct ctl *ctl, struct view_row *row, const char *bridge,
		      const char *port)
{
	ctl->new_ifaces =
		xrealloc(ctl->new_ifaces,
			 (ctl->n_new_ifaces + 1) * sizeof(*ctl->new_ifaces));
	ctl->new_ifaces[ctl->n_new_ifaces++] =
		(struct ctl_new_iface){ row, bridge, port };
}

void ctl_expect_row(struct ctl *ctl, struct view_row *row, char *what,
		    char *undo)
{
	ctl->watched = xrealloc(ctl->watched,
				(ctl->n_watched + 1) * sizeof(*ctl->watched));
	ctl->watched[ctl->n_watched++] =
		(struct ctl_watched){ row, what, undo };
}

static void drop_watched(struct ctl *ctl)
{
	for (size_t i = 0; i < ctl->n_watched; i++) {
		free(ctl->watched[i].what);
		free(ctl->watched[i].undo);
	}
	ctl->n_watched = 0;
}

static void drop_output(struct ctl_command *cmd)
{
	if (cmd->out)
		fclose(cmd->out);
	free(cmd->text);
	table_destroy(cmd->table);
	json_decref(cmd->json);
	cmd->out = NULL;
	cmd->text = NULL;
	cmd->table = NULL;
	cmd->json = NULL;
	cmd->row = NULL;
}

/* Runs all commands once. Returns false when wait-until must wait. */
static bool try_commands(struct ctl *ctl)
{
	view_reset(ctl->view);
	ovsdb_symbols_destroy(ctl->symbols);
	ctl->symbols = ovsdb_symbols_create();
	ctl->n_new_ifaces = 0;
	drop_watched(ctl);
	drop_warnings(ctl, false);
	ctl->exit_status = EXIT_SUCCESS;
	for (size_t i = 0; i < ctl->n_commands; i++)
		if (ctl->commands[i].class->prefetch)
			ctl->commands[i].class->prefetch(&ctl->commands[i]);
	/* The database is set up by any command. */
	view_root(ctl->view);
	for (size_t i = 0; i < ctl->n_commands; i++) {
		struct ctl_command *cmd = &ctl->commands[i];

		drop_output(cmd);
		cmd->out = open_memstream(&cmd->text, &cmd->text_len);
		ctl->waiting_for = NULL;
		cmd->class->run(cmd);
		if (ctl->waiting_for)
			return false;
	}
	record_check_symbols(ctl);
	acl_check(ctl);
	bond_check(ctl);
	group_check(ctl);
	shape_check(ctl);
	segment_check(ctl);
	overlay_check(ctl);
	mirror_check(ctl);
	security_check(ctl);
	return true;
}

/* Blocks until the table that wait-until looks at has changed. */
static void wait_for_change(struct ctl *ctl, json_t *monitored)
{
	const char *table = ctl->waiting_for;
	char *error = NULL, *name;
	json_t *reply;

	if (json_object_get(monitored, table)) {
		json_decref(rpc_wait_update(ctl->rpc, -1));
		return;
	}
	/* Look again once more now: it may have changed meanwhile. */
	name = xasprintf("vsw-ctl %s", table);
	reply = rpc_call(ctl->rpc, "monitor",
			 json_pack("[s, s, {s:{s:{s:b}}}]", "Open_vSwitch",
				   name, table, "select", "initial", false),
			 &error);
	free(name);
	if (!reply)
		ctl_fatal_error(error);
	json_decref(reply);
	json_object_set_new(monitored, table, json_true());
}

static void print_oneline(const char *text)
{
	size_t len = strlen(text);

	/* The last newline is the line's own. */
	if (len && text[len - 1] == '\n')
		len--;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			fputs("\\n", stdout);
		else if (text[i] == '\\')
			fputs("\\\\", stdout);
		else
			putchar(text[i]);
	}
	putchar('\n');
}

static void print_output(struct ctl *ctl)
{
	bool first = true;

	for (size_t i = 0; i < ctl->n_commands; i++) {
		struct ctl_command *cmd = &ctl->commands[i];
		struct table_style style = ctl->options.style;

		if (cmd->class->committed)
			cmd->class->committed(cmd);
		fflush(cmd->out);
		if (cmd->as_table && !ctl->options.format_given)
			style.format = TABLE_TABLE;
		if (cmd->table)
			table_print(cmd->table, &style, &first, stdout);
		else if (cmd->json)
			json_print(cmd->json, style.pretty, stdout);
		else if (ctl->options.oneline)
			print_oneline(cmd->text);
		else
			fputs(cmd->text, stdout);
	}
	fflush(stdout);
}

static enum commit_status commit(struct ctl *ctl, struct reload *reload)
{
	json_t *ops;

	if (!ctl->options.dry_run)
		return transact_commit(ctl,
				       ctl->options.no_wait ? NULL : reload);
	ops = transact_operations(ctl);
	json_decref(ops);
	return COMMIT_UNCHANGED;
}

void ctl_run(struct ctl *ctl)
{
	struct reload reload = { .monitored = false };
	json_t *monitored = json_object();
	enum commit_status status;
	int tries = 0;

	for (size_t i = 0; i < ctl->n_commands; i++)
		ctl->commands[i].ctl = ctl;
	do {
		while (!try_commands(ctl))
			wait_for_change(ctl, monitored);
		status = commit(ctl, &reload);
		if (status == COMMIT_AGAIN && ++tries == MAX_TRIES)
			ctl_fatal("nothing was changed: others change the "
				  "database all the time; try again");
	} while (status == COMMIT_AGAIN);
	json_decref(monitored);
	print_output(ctl);
	drop_warnings(ctl, true);
	if (status == COMMIT_DONE && !ctl->options.no_wait)
		reload_wait(ctl, &reload);
	for (size_t i = 0; i < ctl->n_commands; i++)
		drop_output(&ctl->commands[i]);
	drop_watched(ctl);
	free(ctl->warnings);
	free(ctl->new_ifaces);
	free(ctl->watched);
}

/*
 * After the commit: waits for cur_cfg. With a --timeout that is all there is to
 * do; without one, a daemon that is not there must not make us wait for ever,
 * so its control socket is tried now and then.
 */
#include "ctl/reload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/rpc.h"
#include "ctl/value.h"
#include "ctl/view.h"
#include "ovsdb-lite/stream.h"

/* How long vswd may take before it is looked for. */
#define PROBE_MS 500

static void note_update(struct reload *reload, const json_t *params)
{
	const json_t *table =
		json_object_get(json_array_get(params, 1), "Open_vSwitch");
	const json_t *row;
	const char *uuid;

	json_object_foreach((json_t *)table, uuid, row) {
		const json_t *cfg =
			json_object_get(json_object_get(row, "new"), "cur_cfg");

		if (json_is_integer(cfg))
			reload->cur_cfg = json_integer_value(cfg);
	}
}

/* Whether a daemon listens at its control socket; ends the program if not. */
static void look_for_daemon(const struct ctl *ctl)
{
	char *path = xasprintf("%s/vswd.ctl", ctl->options.run_dir);
	char *error = NULL;
	int fd = stream_connect_unix(path, &error);

	if (fd < 0) {
		const char *why = strrchr(error, ':');

		ctl_fatal("the change is stored, but no vswd carries it out: "
			  "nothing listens at %s (%s); start vswd, or give "
			  "--no-wait",
			  path, why ? why + 2 : error);
	}
	close(fd);
	free(path);
}

/* An Interface that vswd could not make. */
static bool is_missing(const json_t *row)
{
	const json_t *ofport = json_object_get(row, "ofport");

	return json_is_integer(ofport) && json_integer_value(ofport) == -1;
}

static void check_iface(struct ctl *ctl, const struct ctl_new_iface *iface,
			const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "name"));
	const json_t *error = json_object_get(row, "error");
	char *member = NULL;

	if (!name || !is_missing(row))
		return;
	ctl->exit_status = EXIT_FAILURE;
	if (!strcmp(iface->port, iface->bridge)) {
		ctl_warn("bridge %s is there, but without its own port: %s "
			 "(\"vsw-ctl del-br %s\" removes it)",
			 iface->bridge,
			 json_is_string(error) ? json_string_value(error)
					       : "vswd gave no reason",
			 iface->bridge);
		return;
	}
	if (strcmp(name, iface->port))
		member = xasprintf("interface %s of ", name);
	ctl_warn("could not add %sport %s to %s: %s (it stays configured; "
		 "\"vsw-ctl del-port %s %s\" removes it)",
		 member ? member : "", iface->port, iface->bridge,
		 json_is_string(error) ? json_string_value(error)
				       : "vswd gave no reason",
		 iface->bridge, iface->port);
	free(member);
}

static void check_watched(struct ctl *ctl, const struct ctl_watched *w,
			  const json_t *row)
{
	const char *error = json_string_value(json_object_get(row, "error"));
	bool named = error && !strncmp(error, w->what, strlen(w->what));

	if (!error)
		return;
	ctl->exit_status = EXIT_FAILURE;
	ctl_warn("%s%s%s (it stays configured; \"vsw-ctl %s\" removes it)",
		 named ? "" : w->what, named ? "" : ": ", error, w->undo);
}

/* Takes over columns. */
static void add_select(json_t *params, const struct view_row *row,
		       json_t *columns)
{
	json_array_append_new(
		params,
		json_pack("{s:s, s:s, s:o, s:o}", "op", "select", "table",
			  row->table, "where",
			  view_where("_uuid", "==", value_uuid(row->uuid)),
			  "columns", columns));
}

static const json_t *first_row(const json_t *result, size_t i)
{
	const json_t *r = json_array_get(result, i);

	return json_array_get(json_object_get(r, "rows"), 0);
}

/* What check_iface() has said is not said twice. */
static bool is_told(const struct ctl *ctl, const json_t *result,
		    const struct ctl_watched *w)
{
	for (size_t i = 0; i < ctl->n_new_ifaces; i++)
		if (ctl->new_ifaces[i].row == w->row &&
		    is_missing(first_row(result, i)))
			return true;
	return false;
}

static void check_rows(struct ctl *ctl)
{
	json_t *params = json_pack("[s]", "Open_vSwitch"), *result;
	char *error = NULL;

	for (size_t i = 0; i < ctl->n_new_ifaces; i++)
		add_select(params, ctl->new_ifaces[i].row,
			   json_pack("[s, s, s]", "name", "ofport", "error"));
	for (size_t i = 0; i < ctl->n_watched; i++)
		add_select(params, ctl->watched[i].row,
			   json_pack("[s]", "error"));
	result = rpc_call(ctl->rpc, "transact", params, &error);
	if (!result)
		ctl_fatal_error(error);
	for (size_t i = 0; i < ctl->n_new_ifaces; i++)
		check_iface(ctl, &ctl->new_ifaces[i], first_row(result, i));
	for (size_t i = 0; i < ctl->n_watched; i++)
		if (!is_told(ctl, result, &ctl->watched[i]))
			check_watched(ctl, &ctl->watched[i],
				      first_row(result, ctl->n_new_ifaces + i));
	json_decref(result);
}

void reload_wait(struct ctl *ctl, struct reload *reload)
{
	bool probe = !ctl->options.timeout_s &&
		     !strncmp(ctl->options.db, "unix:", 5);

	while (reload->cur_cfg < reload->next_cfg) {
		json_t *update =
			rpc_wait_update(ctl->rpc, probe ? PROBE_MS : -1);

		if (update)
			note_update(reload, update);
		else
			look_for_daemon(ctl);
		json_decref(update);
	}
	if (ctl->n_new_ifaces || ctl->n_watched)
		check_rows(ctl);
}

/* Commands on controllers, managers, fail-mode and SSL files. */
#include "ctl/cmd.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/bridge.h"
#include "ctl/value.h"

static void want_bridge(struct ctl_command *cmd)
{
	bridge_want(cmd->ctl, cmd->argv[1]);
}

/* Prints the target of each row that a column of `row` refers to. */
static void print_targets(struct ctl_command *cmd, struct view_row *row,
			  const char *column, const char *table)
{
	json_t *uuids = view_get_set(row, column), *u;
	const char **names = xcalloc(json_array_size(uuids), sizeof(*names));
	size_t i, n = 0;

	json_array_foreach(uuids, i, u) {
		struct view_row *target =
			view_by_uuid(cmd->ctl->view, table,
				     json_string_value(json_array_get(u, 1)),
				     (const char *const[]){ "target", NULL });

		if (target)
			names[n++] = view_get_string(target, "target");
	}
	output_names(cmd, names, n);
	free(names);
	json_decref(uuids);
}

static void delete_targets(struct ctl *ctl, struct view_row *row,
			   const char *column, const char *table)
{
	json_t *uuids = view_get_set(row, column), *u;
	size_t i;

	if (json_array_size(uuids)) {
		view_verify(row, column);
		json_array_foreach(uuids, i, u) {
			view_delete_uuid(
				ctl->view, table,
				json_string_value(json_array_get(u, 1)));
		}
		view_set(row, column, value_set());
	}
	json_decref(uuids);
}

static void check_target(const char *target, bool controller)
{
	static const char *const kinds[] = { "tcp:",  "ssl:",  "unix:",
					     "ptcp:", "pssl:", "punix:" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strncmp(target, kinds[i], strlen(kinds[i])))
			return;
	ctl_warn("target type \"%s\" is possibly erroneous: a %s is tcp:, "
		 "ssl:, unix:, ptcp:, pssl: or punix:",
		 target, controller ? "controller" : "manager");
}

/* Replaces the targets of a column by those on the command line from `from`. */
static void set_targets(struct ctl_command *cmd, struct view_row *row,
			const char *column, const char *table, int from)
{
	const char *probe = ctl_option(cmd, "--inactivity-probe");
	char *end;

	delete_targets(cmd->ctl, row, column, table);
	for (int i = from; i < cmd->argc; i++) {
		struct view_row *target = view_insert(cmd->ctl->view, table);

		check_target(cmd->argv[i], !strcmp(table, "Controller"));
		view_set_string(target, "target", cmd->argv[i]);
		if (probe) {
			long ms = strtol(probe, &end, 10);

			if (end == probe || *end || ms < 0)
				ctl_fatal("--inactivity-probe takes "
					  "milliseconds, not \"%s\"",
					  probe);
			view_set(target, "inactivity_probe", json_integer(ms));
		}
		view_mutate_uuid(row, column, "insert", target->uuid);
	}
}

static void get_controller(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);

	print_targets(cmd, bridge.row, "controller", "Controller");
}

static void del_controller(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);

	delete_targets(cmd->ctl, bridge.row, "controller", "Controller");
}

static void set_controller(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);

	set_targets(cmd, bridge.row, "controller", "Controller", 2);
}

static void get_manager(struct ctl_command *cmd)
{
	print_targets(cmd, view_root(cmd->ctl->view), "manager_options",
		      "Manager");
}

static void del_manager(struct ctl_command *cmd)
{
	delete_targets(cmd->ctl, view_root(cmd->ctl->view), "manager_options",
		       "Manager");
}

static void set_manager(struct ctl_command *cmd)
{
	set_targets(cmd, view_root(cmd->ctl->view), "manager_options",
		    "Manager", 1);
}

static void get_fail_mode(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get(cmd->ctl, cmd->argv[1]);
	json_t *mode = view_get_set(bridge.row, "fail_mode");
	const char *text = json_string_value(json_array_get(mode, 0));

	if (text || cmd->ctl->options.style.format == TABLE_JSON)
		output_string(cmd, text ? text : "");
	json_decref(mode);
}

static void del_fail_mode(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);

	view_set(bridge.row, "fail_mode", value_set());
}

static void set_fail_mode(struct ctl_command *cmd)
{
	struct bridge bridge = bridge_get_real(cmd->ctl, cmd->argv[1]);
	const char *mode = cmd->argv[2];

	if (strcmp(mode, "standalone") && strcmp(mode, "secure"))
		ctl_fatal("fail-mode must be \"standalone\" or \"secure\", not "
			  "\"%s\"",
			  mode);
	view_set_string(bridge.row, "fail_mode", mode);
}

static struct view_row *get_ssl_row(struct ctl *ctl)
{
	json_t *uuids = view_get_set(view_root(ctl->view), "ssl");
	const char *uuid =
		json_string_value(json_array_get(json_array_get(uuids, 0), 1));
	struct view_row *row =
		uuid ? view_by_uuid(ctl->view, "SSL", uuid, NULL) : NULL;

	json_decref(uuids);
	return row;
}

static void get_ssl(struct ctl_command *cmd)
{
	struct view_row *ssl = get_ssl_row(cmd->ctl);

	if (cmd->ctl->options.style.format == TABLE_JSON) {
		cmd->json = json_object();
		if (ssl)
			json_object_update_new(
				cmd->json,
				json_pack("{s:s, s:s, s:s, s:b}", "private_key",
					  view_get_string(ssl, "private_key"),
					  "certificate",
					  view_get_string(ssl, "certificate"),
					  "ca_cert",
					  view_get_string(ssl, "ca_cert"),
					  "bootstrap_ca_cert",
					  view_get_bool(ssl,
							"bootstrap_ca_cert")));
		return;
	}
	if (ssl)
		fprintf(cmd->out,
			"Private key: %s\nCertificate: %s\nCA Certificate: %s\n"
			"Bootstrap: %s\n",
			view_get_string(ssl, "private_key"),
			view_get_string(ssl, "certificate"),
			view_get_string(ssl, "ca_cert"),
			view_get_bool(ssl, "bootstrap_ca_cert") ? "true"
								: "false");
}

static void del_ssl(struct ctl_command *cmd)
{
	struct view_row *ssl = get_ssl_row(cmd->ctl);

	if (!ssl)
		return;
	view_verify(view_root(cmd->ctl->view), "ssl");
	view_set(view_root(cmd->ctl->view), "ssl", value_set());
	view_delete(ssl, false);
}

static void set_ssl(struct ctl_command *cmd)
{
	struct view_row *ssl;

	del_ssl(cmd);
	ssl = view_insert(cmd->ctl->view, "SSL");
	view_set_string(ssl, "private_key", cmd->argv[1]);
	view_set_string(ssl, "certificate", cmd->argv[2]);
	view_set_string(ssl, "ca_cert", cmd->argv[3]);
	if (ctl_has_option(cmd, "--bootstrap"))
		view_set(ssl, "bootstrap_ca_cert", json_true());
	view_set(view_root(cmd->ctl->view), "ssl", value_uuid(ssl->uuid));
}

const struct ctl_command_class remote_commands[] = {
	{ "get-controller", "BRIDGE", 1, 1, "", "print a bridge's controllers",
	  want_bridge, get_controller, NULL },
	{ "del-controller", "BRIDGE", 1, 1, "", "delete a bridge's controllers",
	  want_bridge, del_controller, NULL },
	{ "set-controller", "BRIDGE TARGET...", 1, INT_MAX,
	  "--inactivity-probe=", "set a bridge's controllers", want_bridge,
	  set_controller, NULL },
	{ "get-fail-mode", "BRIDGE", 1, 1, "", "print a bridge's fail-mode",
	  want_bridge, get_fail_mode, NULL },
	{ "del-fail-mode", "BRIDGE", 1, 1, "", "delete a bridge's fail-mode",
	  want_bridge, del_fail_mode, NULL },
	{ "set-fail-mode", "BRIDGE standalone|secure", 2, 2, "",
	  "set a bridge's fail-mode", want_bridge, set_fail_mode, NULL },
	{ "get-manager", "", 0, 0, "", "print the managers", NULL, get_manager,
	  NULL },
	{ "del-manager", "", 0, 0, "", "delete the managers", NULL, del_manager,
	  NULL },
	{ "set-manager", "TARGET...", 1, INT_MAX, "--inactivity-probe=",
	  "set the managers (OVSDB remotes)", NULL, set_manager, NULL },
	{ "get-ssl", "", 0, 0, "", "print the SSL files", NULL, get_ssl, NULL },
	{ "del-ssl", "", 0, 0, "", "delete the SSL files", NULL, del_ssl,
	  NULL },
	{ "set-ssl", "PRIVATE-KEY CERTIFICATE CA-CERT", 3, 3, "--bootstrap",
	  "set the SSL files", NULL, set_ssl, NULL },
};
const size_t n_remote_commands = ARRAY_SIZE(remote_commands);

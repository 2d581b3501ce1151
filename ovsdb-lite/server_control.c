/* The server's control commands: see server_control.h. */
#include "ovsdb-lite/server_control.h"

#include <stdlib.h>

/* Lives as long as the process: commands refer to it. */
struct exit_command {
	void (*fn)(void *aux);
	void *aux;
};

static void reply_result(struct control_request *request, int error,
			 char *message)
{
	if (error)
		control_reply_error(request, message ? message : "failed");
	else
		control_reply(request, "");
	free(message);
}

static void cmd_exit(struct control_request *request, int argc,
		     const char *const argv[], void *aux)
{
	struct exit_command *exit_command = aux;

	control_reply(request, "");
	exit_command->fn(exit_command->aux);
}

static void cmd_compact(struct control_request *request, int argc,
			const char *const argv[], void *aux)
{
	char *why = NULL;
	int error = ovsdb_server_compact(aux, argv[1], &why);

	reply_result(request, error, why);
}

static void cmd_reconnect(struct control_request *request, int argc,
			  const char *const argv[], void *aux)
{
	ovsdb_server_reconnect(aux);
	control_reply(request, "");
}

static void cmd_add_remote(struct control_request *request, int argc,
			   const char *const argv[], void *aux)
{
	char *why = NULL;
	int error = ovsdb_server_add_remote(aux, argv[1], &why);

	reply_result(request, error, why);
}

static void cmd_remove_remote(struct control_request *request, int argc,
			      const char *const argv[], void *aux)
{
	char *why = NULL;
	int error = ovsdb_server_remove_remote(aux, argv[1], &why);

	reply_result(request, error, why);
}

static void cmd_list_remotes(struct control_request *request, int argc,
			     const char *const argv[], void *aux)
{
	char *text = ovsdb_server_list_remotes(aux);

	control_reply(request, text);
	free(text);
}

static void cmd_add_db(struct control_request *request, int argc,
		       const char *const argv[], void *aux)
{
	char *why = NULL;
	int error = ovsdb_server_open(aux, argv[1], &why);

	reply_result(request, error, why);
}

static void cmd_remove_db(struct control_request *request, int argc,
			  const char *const argv[], void *aux)
{
	char *why = NULL;
	int error = ovsdb_server_remove_db(aux, argv[1], &why);

	reply_result(request, error, why);
}

static void cmd_list_dbs(struct control_request *request, int argc,
			 const char *const argv[], void *aux)
{
	char *text = xstrdup(""), *longer;
	const char *name;

	for (size_t i = 0; (name = ovsdb_server_db_name(aux, i)); i++) {
		longer = xasprintf("%s%s\n", text, name);
		free(text);
		text = longer;
	}
	control_reply(request, text);
	free(text);
}

static void cmd_storage_status(struct control_request *request, int argc,
			       const char *const argv[], void *aux)
{
	/* One whose file failed would have refused its transactions. */
	if (ovsdb_server_db(aux, argv[1]))
		control_reply(request, "status: ok");
	else
		control_reply_error(request, "Failed to find the database.");
}

static void cmd_memory(struct control_request *request, int argc,
		       const char *const argv[], void *aux)
{
	char *text = ovsdb_server_memory(aux);

	control_reply(request, text);
	free(text);
}

static void cmd_coverage(struct control_request *request, int argc,
			 const char *const argv[], void *aux)
{
	char *text = xasprintf("sessions %zu\n", ovsdb_server_n_sessions(aux));

	control_reply(request, text);
	free(text);
}

static void cmd_sync_status(struct control_request *request, int argc,
			    const char *const argv[], void *aux)
{
	control_reply(request, "state: active\n");
}

static const struct {
	const char *name, *usage;
	int min, max;
	control_command *fn;
} commands[] = {
	{ "ovsdb-server/compact", "[DB]", 0, 1, cmd_compact },
	{ "ovsdb-server/reconnect", "", 0, 0, cmd_reconnect },
	{ "ovsdb-server/add-remote", "REMOTE", 1, 1, cmd_add_remote },
	{ "ovsdb-server/remove-remote", "REMOTE", 1, 1, cmd_remove_remote },
	{ "ovsdb-server/list-remotes", "", 0, 0, cmd_list_remotes },
	{ "ovsdb-server/add-db", "FILE", 1, 1, cmd_add_db },
	{ "ovsdb-server/remove-db", "DB", 1, 1, cmd_remove_db },
	{ "ovsdb-server/list-dbs", "", 0, 0, cmd_list_dbs },
	{ "ovsdb-server/get-db-storage-status", "DB", 1, 1,
	  cmd_storage_status },
	{ "ovsdb-server/sync-status", "", 0, 0, cmd_sync_status },
	{ "memory/show", "", 0, 0, cmd_memory },
	{ "coverage/show", "", 0, 0, cmd_coverage },
};

void server_control_register(struct control_server *control,
			     struct ovsdb_server *server,
			     void (*exit_fn)(void *aux), void *aux)
{
	static struct exit_command exit_command;

	exit_command = (struct exit_command){ exit_fn, aux };
	control_register(control, "exit", "", 0, 0, cmd_exit, &exit_command);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		control_register(control, commands[i].name, commands[i].usage,
				 commands[i].min, commands[i].max,
				 commands[i].fn, server);
}

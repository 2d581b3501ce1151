/*
 * The control socket: what `ovs-appctl -t SOCKET COMMAND ARG...` and vsw-ctl
 * talk to. A request is {"id":N,"method":"fdb/show","params":["br0"]}; the
 * reply's result is a text, or its error is a text that ends in a newline.
 *
 * A server belongs to the thread that runs its event_base; commands run there.
 */
#ifndef OVSDB_LITE_CONTROL_H
#define OVSDB_LITE_CONTROL_H

#include <event2/event.h>

#include "base/util.h"

struct control_server;
struct control_request; /* one command that awaits its reply */

/*
 * Carries out one command. argv[0] is the command's name; argv[argc] is NULL;
 * all strings live until the reply. It replies exactly once, now or later, by
 * one of the two below. "--format=json" anywhere in the arguments is taken out
 * beforehand and asked for with control_wants_json().
 */
typedef void control_command(struct control_request *request, int argc,
			     const char *const argv[], void *aux);

/*
 * Listens at path (mode 0660), replacing a socket file that nobody listens on.
 * list-commands, version, vlog/set, vlog/list (also as log/list), vlog/reopen
 * and set-options are there from the start. NULL with a message on failure.
 */
struct control_server *control_server_create(struct event_base *base,
					     const char *path, char **errp);
void control_server_destroy(struct control_server *server);

/*
 * usage is shown by list-commands, e.g. "BRIDGE [PORT]". The count of arguments
 * is checked against min and max (-1: any number) before fn is called.
 */
void control_register(struct control_server *server, const char *name,
		      const char *usage, int min_args, int max_args,
		      control_command *fn, void *aux);

bool control_wants_json(const struct control_request *request);
void control_reply(struct control_request *request, const char *text);
/* text without a trailing newline. */
void control_reply_error(struct control_request *request, const char *text);

/*
 * A command that streams (capture): takes the connected socket out of the
 * server after a reply of `text` was sent in full; the caller owns and closes
 * the descriptor, which is non-blocking. The request is done with this call.
 */
int control_reply_and_take_socket(struct control_request *request,
				  const char *text);

#endif

/*
 * The commands of a server's control socket, as ovs-appctl users know them:
 * exit, ovsdb-server/compact and so on. Control and database thread are one.
 */
#ifndef OVSDB_LITE_SERVER_CONTROL_H
#define OVSDB_LITE_SERVER_CONTROL_H

#include "ovsdb-lite/control.h"
#include "ovsdb-lite/server.h"

/*
 * Registers them all. `exit_fn` is called by "exit", after its reply was
 * queued; it should end the event loop when that had time to leave.
 */
void server_control_register(struct control_server *control,
			     struct ovsdb_server *server,
			     void (*exit_fn)(void *aux), void *aux);

#endif

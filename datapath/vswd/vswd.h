/*
 * The daemon: the control thread and all that it holds together. Configuration
 * changes come from the database client, changes of devices from netlink,
 * commands from the control socket; all of them end in one piece of work that
 * reconciles, publishes, and tells the database in one transaction.
 */
#ifndef VSWD_VSWD_H
#define VSWD_VSWD_H

#include <event2/event.h>

#include "base/util.h"

struct vswd_options;
struct vswd;

/*
 * Sets everything up, with the embedded database server if there is to be one.
 * NULL with a message on failure. The options must outlive it.
 */
struct vswd *vswd_start(const struct vswd_options *options, char **errp);
/* Until SIGTERM, SIGINT, SIGUSR1 or the command "exit". */
void vswd_run(struct vswd *vswd);
/*
 * Closes everything and removes what was made; after SIGUSR1 and "exit --keep"
 * not what forwards in the kernel. Accepts NULL.
 */
void vswd_stop(struct vswd *vswd);

/* For tests that bring their own loop: the base, and whether all is told. */
struct event_base *vswd_base(const struct vswd *vswd);
struct vswitch *vswd_switch(const struct vswd *vswd);

#endif

/*
 * What makes a program a daemon, with the options that scripts of ovsdb-server
 * and ovs-vswitchd use: --detach, --no-chdir, --pidfile[=FILE],
 * --overwrite-pidfile, --monitor.
 *
 * The main thread only, before other threads are started.
 */
#ifndef BASE_DAEMON_H
#define BASE_DAEMON_H

#include "base/util.h"

struct daemon_options {
	bool detach;
	bool no_chdir;	     /* do not go to "/" when detaching */
	bool overwrite;	     /* take the pid file from a process that lives */
	const char *pidfile; /* absolute path, or NULL: none */
};

/*
 * With detach, goes on in a child process; the parent stays until the child
 * calls daemon_ready(), then exits with 0, or exits as the child does before.
 * The pid file is written by the one that goes on, and locked as long as it
 * lives. Returns 0, or -errno with a message: -EEXIST when another process has
 * the pid file.
 */
int daemon_start(const struct daemon_options *options, char **errp);

/*
 * The program serves now: lets the parent exit and, when detached, goes to "/"
 * and lets the terminal go.
 */
void daemon_ready(void);

/* Removes the pid file; call before exiting. */
void daemon_end(void);

#endif

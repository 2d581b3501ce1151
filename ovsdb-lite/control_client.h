/*
 * The other end of the control socket (control.h): one command, one reply, for
 * vsw-ctl and for tests. Blocking; any thread; no event loop.
 */
#ifndef OVSDB_LITE_CONTROL_CLIENT_H
#define OVSDB_LITE_CONTROL_CLIENT_H

#include "base/util.h"

/*
 * Sends argv[0] with argv[1..argc-1] to the control socket at path and waits up
 * to timeout_ms (0: for ever) for the reply. Returns
 *
 *	0	 and the reply's text in *text;
 *	-EREMOTEIO  the command failed: its error, without the newline, in
 **text; -errno	 with a message in *errp: not connected, no reply in time...
 *
 * The caller frees *text. With fd not NULL, the connected socket is kept and
 * given in *fd on success: what the command streams follows on it, except what
 * came with the reply, which is put at the end of *text after its '\0', n_more
 * bytes of it.
 */
int control_call(const char *path, int argc, const char *const argv[],
		 int timeout_ms, char **text, int *fd, size_t *n_more,
		 char **errp);

/*
 * The path of a program's control socket, from its name or pid file as
 * ovs-appctl finds it: target is a path that begins with '/', or a program
 * NAME, meaning run_dir/NAME.PID.ctl with the pid of run_dir/NAME.pid, or, when
 * that is not there, run_dir/NAME.ctl. NULL with a message when there is none.
 */
char *control_find(const char *run_dir, const char *target, char **errp);

#endif

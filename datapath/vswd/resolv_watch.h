/*
 * The host's /etc/resolv.conf, or a file like it, as it is now: others replace
 * it by rename, or it is a symbolic link into a directory that comes and goes
 * with the service that writes there. Control thread.
 */
#ifndef VSWD_RESOLV_WATCH_H
#define VSWD_RESOLV_WATCH_H

#include <event2/event.h>

#include "gateway/resolv_conf.h"

struct resolv_watch;

/* There are other servers than before, or others are first. */
typedef void resolv_changed(const struct resolver *servers, unsigned n,
			    void *arg);

/*
 * Reads the file, which need not be there, and watches it. No call before
 * create() has returned: see resolv_watch_servers().
 */
struct resolv_watch *resolv_watch_create(struct event_base *base,
					 const char *path,
					 resolv_changed *changed, void *arg);
void resolv_watch_destroy(struct resolv_watch *watch); /* accepts NULL */
/* How many, and in *serversp the list; until the next call of changed(). */
unsigned resolv_watch_servers(const struct resolv_watch *watch,
			      const struct resolver **serversp);
const char *resolv_watch_path(const struct resolv_watch *watch);

#endif

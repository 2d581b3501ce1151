#include "vswd/vswd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/daemon.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "ovsdb-lite/control.h"
#include "ovsdb-lite/embed.h"
#include "ovsdb-lite/stream.h"
#include "port/link_monitor.h"
#include "vswd/capture_session.h"
#include "vswd/commands.h"
#include "vswd/db_link.h"
#include "vswd/fastpath.h"
#include "vswd/options.h"
#include "vswd/switch.h"

LOG_MODULE(vswd);

struct vswd {
	const struct vswd_options *options;
	struct event_base *base;
	struct vswitch *vs;
	struct vfastpath *fastpath;
	struct ovsdb_embed *embed;
	struct tls *tls; /* NULL: none */
	struct db_link *db;
	struct link_monitor *links;
	struct control_server *control;
	struct event *sigterm, *sigint, *sigusr1, *sighup, *tick, *link_event;
	bool ready;
};

struct event_base *vswd_base(const struct vswd *d)
{
	return d->base;
}

struct vswitch *vswd_switch(const struct vswd *d)
{
	return d->vs;
}

/* --- events ----------------------------------------------------------------
 */

static void signal_cb(evutil_socket_t signal, short what, void *aux)
{
	struct vswd *d = aux;

	log_info("ending on signal %d", (int)signal);
	event_base_loopbreak(d->base);
}

/* Another vswd is about to take over. */
static void keep_cb(evutil_socket_t signal, short what, void *aux)
{
	struct vswd *d = aux;

	vfastpath_keep(d->vs);
	signal_cb(signal, what, aux);
}

static void reopen_log_cb(evutil_socket_t signal, short what, void *aux)
{
	char *why = NULL;

	if (log_set_file(NULL, &why))
		log_warn("cannot reopen the log: %s", why);
	free(why);
}

static uint32_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static void tick_cb(evutil_socket_t fd, short what, void *aux)
{
	struct vswd *d = aux;

	if (vswitch_tick(d->vs, now_s()))
		db_link_schedule(d->db);
}

/*
 * Bridges have addresses to age; without one there is nothing to wake for. What
 * is heard before the first tick is heard now, not when the last one was.
 */
static void arm_tick(struct vswd *d)
{
	const struct timeval second = { .tv_sec = 1 };

	if (!d->vs->bridges) {
		event_del(d->tick);
	} else if (!event_pending(d->tick, EV_TIMEOUT, NULL)) {
		d->vs->now_s = now_s();
		event_add(d->tick, &second);
	}
}

static void worked_cb(struct db_link *db, void *aux)
{
	struct vswd *d = aux;

	arm_tick(d);
	if (d->ready)
		return;
	d->ready = true;
	daemon_ready();
}

static void link_changed(enum link_event event, const struct netdev_info *info,
			 void *aux)
{
	struct vswd *d = aux;

	vswitch_link_changed(d->vs, info->name, event != LINK_DELETED);
	db_link_schedule(d->db);
}

static void wake_cb(void *aux)
{
	struct vswd *d = aux;

	db_link_schedule(d->db);
}

static void links_readable_cb(evutil_socket_t fd, short what, void *aux)
{
	struct vswd *d = aux;

	link_monitor_run(d->links);
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* --- life ------------------------------------------------------------------
 */

static struct event *on_signal(struct vswd *d, int number, event_callback_fn fn)
{
	struct event *event = evsignal_new(d->base, number, fn, d);

	event_add(event, NULL);
	return event;
}

static int start_log(const struct vswd_options *o, char **errp)
{
	if (!o->log_file)
		return 0;
	return log_set_file(o->log_file, errp);
}

static int start_database(struct vswd *d, char **errp)
{
	const struct vswd_options *o = d->options;
	struct ovsdb_embed_options embed = {
		.path = o->db_file,
		.socket = o->db_socket,
		.remotes = (const char *const *)o->remotes,
	};
	char *own = NULL;

	if (o->tls.private_key) {
		tls_use(&tls_openssl);
		d->tls = tls_create(&o->tls, errp);
		if (!d->tls)
			return -EINVAL;
		tls_set_default(d->tls);
		embed.tls = d->tls;
	}
	if (!o->db_remote) {
		d->embed = ovsdb_embed_start(&embed, errp);
		if (!d->embed)
			return -EIO;
		own = xasprintf("unix:%s", o->db_socket);
	}
	d->db = db_link_create(d->base, d->vs, own ? own : o->db_remote,
			       d->embed != NULL, worked_cb, d);
	d->vs->wake = wake_cb;
	d->vs->wake_arg = d;
	free(own);
	return 0;
}

static int start_control(struct vswd *d, char **errp)
{
	stream_wait_unix(d->options->control_socket);
	d->control = control_server_create(d->base, d->options->control_socket,
					   errp);
	if (!d->control)
		return -EIO;
	commands_register(d->control, d->vs);
	return 0;
}

static int start_links(struct vswd *d, char **errp)
{
	int error = link_monitor_create(link_changed, d, &d->links, errp);

	if (error)
		return error;
	d->link_event = event_new(d->base, link_monitor_fd(d->links),
				  EV_READ | EV_PERSIST, links_readable_cb, d);
	return event_add(d->link_event, NULL);
}

struct vswd *vswd_start(const struct vswd_options *options, char **errp)
{
	struct vswd *d = xcalloc(1, sizeof(*d));
	int error;

	d->options = options;
	d->base = event_base_new();
	d->vs = vswitch_create(d->base);
	d->vs->run_dir = options->run_dir;
	d->tick = event_new(d->base, -1, EV_PERSIST, tick_cb, d);
	signal(SIGPIPE, SIG_IGN);
	d->sigterm = on_signal(d, SIGTERM, signal_cb);
	d->sigint = on_signal(d, SIGINT, signal_cb);
	d->sigusr1 = on_signal(d, SIGUSR1, keep_cb);
	d->sighup = on_signal(d, SIGHUP, reopen_log_cb);
	error = start_log(options, errp);
	if (!error)
		log_info("vswd %s, run directory %s", VSW_VERSION,
			 options->run_dir);
	if (!error)
		d->vs->fastpath = d->fastpath =
			vfastpath_create(options->run_dir);
	if (!error && options->sandbox) {
		sandbox_drop_capabilities(
			options->db_remote ? NULL : options->db_file);
		sandbox_enable_filters();
	}
	if (!error)
		error = start_control(d, errp);
	if (!error)
		error = start_database(d, errp);
	if (!error)
		error = start_links(d, errp);
	if (error) {
		vswd_stop(d);
		return NULL;
	}
	return d;
}

void vswd_run(struct vswd *d)
{
	event_base_dispatch(d->base);
}

void vswd_stop(struct vswd *d)
{
	if (!d)
		return;
	capture_sessions_stop(d->vs);
	control_server_destroy(d->control);
	free_event(d->link_event);
	if (d->links)
		link_monitor_destroy(d->links);
	d->vs->wake = NULL;
	db_link_destroy(d->db);
	tls_set_default(NULL);
	tls_destroy(d->tls);
	vswitch_destroy(d->vs);
	vfastpath_destroy(d->fastpath);
	ovsdb_embed_stop(d->embed);
	free_event(d->tick);
	free_event(d->sigterm);
	free_event(d->sigint);
	free_event(d->sigusr1);
	free_event(d->sighup);
	event_base_free(d->base);
	free(d);
}

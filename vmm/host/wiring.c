/*
 * The order of things: one job after the other. Each is tried when there is a
 * connection, and again when somebody else changed the database meanwhile; an
 * added port then waits until vswd has carried it out. What is to be removed
 * waits for a database that went away, what is to be added does not.
 */
#include "vmm/host/wiring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host/wiring_private.h"

enum { PATIENCE_S = 10 };

struct wiring_job {
	struct wiring_job *next;
	struct vm_net *net; /* NULL: a removal */
	char *socket;
	int *taps;
	bool has_taps;
	char *port;   /* to remove; NULL: all */
	bool sent;    /* its transaction is under way */
	int64_t wait; /* added: for this number of the configuration; else 0 */
	wiring_done *done;
	void *aux;
};

static void push(struct wiring *w, struct wiring_job *job, bool first)
{
	struct wiring_job **at = &w->first;

	while (*at && !first)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	event_active(w->work, 0, 0);
}

static void close_taps(struct wiring_job *job)
{
	for (unsigned int i = 0; job->has_taps && i < job->net->queues; i++) {
		close(job->taps[i]);
		job->taps[i] = -1;
	}
	job->has_taps = false;
}

static void free_job(struct wiring_job *job)
{
	free(job->socket);
	free(job->port);
	free(job);
}

static void fail_tidily(struct wiring *w, const struct wiring_job *job);

/* The first job is over. */
static void finish(struct wiring *w, int error, const char *why)
{
	struct wiring_job *job = w->first;

	w->first = job->next;
	event_del(w->timeout);
	event_active(w->work, 0, 0);
	if (why) {
		if (!job->done) {
			w->error = error;
			set_error(&w->message, error, "%s", why);
		}
		close_taps(job);
		if (job->wait)
			fail_tidily(w, job);
	}
	if (job->done)
		job->done(job->aux, why);
	free_job(job);
}

/* What was added already goes again, before anything else is done. */
static void fail_tidily(struct wiring *w, const struct wiring_job *failed)
{
	struct wiring_job *job = xcalloc(1, sizeof(*job));

	job->port = xstrdup(failed->net->port);
	push(w, job, true);
}

static void fail(struct wiring *w, int error, const char *what, const char *why)
{
	struct wiring_job *job = w->first;
	char *message = xasprintf("%s: %s%s",
				  job->net    ? job->net->bridge
				  : job->port ? job->port
					      : w->vm_name,
				  what, why);

	finish(w, error, message);
	free(message);
}

/* Somebody else was faster, or nobody knows what became of it. */
static bool may_try_again(const char *error)
{
	return !strncmp(error, "timed out", 9) ||
	       !strncmp(error, "the connection", 14);
}

static void answered_cb(struct ovsdb_client *client, json_t *result,
			const char *error, void *aux)
{
	struct wiring *w = aux;
	struct wiring_job *job = w->first;

	if (!job)
		return; /* being destroyed */
	job->sent = false;
	if (!error && !job->net)
		finish(w, 0, NULL);
	else if (!error)
		job->wait = wiring_rows_number(result);
	else if (may_try_again(error))
		close_taps(job); /* from the beginning */
	else
		fail(w, -EPROTO, "the database refuses: ", error);
	event_active(w->work, 0, 0);
}

/* The transaction of the first job, or it is over already. */
static void try_first(struct wiring *w)
{
	struct wiring_job *job = w->first;
	struct vm_net *net = job->net;
	char *why = NULL;
	json_t *ops = net ? wiring_rows_add(w, net, job->socket, &why)
			  : wiring_rows_remove(w, job->port);

	if (ops && net && net->kind == VM_NET_TAP)
		job->has_taps =
			!tap_create(net->port, net->queues, job->taps, &why);
	if (why) {
		json_decref(ops);
		finish(w, -EINVAL, why);
	} else if (!ops) {
		finish(w, 0, NULL); /* there is nothing to remove */
	} else {
		job->sent =
			!ovsdb_client_transact(w->client, ops, answered_cb, w);
	}
	free(why);
}

static void check_added(struct wiring *w, const struct wiring_job *job)
{
	const char *why = wiring_rows_error(w, job->net->port);

	if (!wiring_rows_reached(w, job->wait))
		return;
	if (why)
		fail(w, -EIO, "vswd cannot make the port: ", why);
	else
		finish(w, 0, NULL);
}

static void work_cb(evutil_socket_t fd, short what, void *aux)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct wiring *w = aux;
	struct wiring_job *job = w->first;

	if (!job || job->sent)
		return;
	if (job->net && !event_pending(w->timeout, EV_TIMEOUT, NULL))
		event_add(w->timeout, &patience);
	if (w->up && job->net && job->wait)
		check_added(w, job);
	else if (w->up)
		try_first(w);
	else if (w->down && (job->net ? !job->wait : !w->was_up))
		fail(w, -ENOTCONN, "vswd is not running? ", w->down);
}

static void timeout_cb(evutil_socket_t fd, short what, void *aux)
{
	struct wiring *w = aux;
	struct wiring_job *job = w->first;

	if (job && job->net && !job->sent)
		fail(w, -ETIMEDOUT,
		     job->wait ? "vswd does not carry out what the database "
				 "says; is it running?"
			       : "no answer from the database ",
		     job->wait ? "" : w->db);
}

static void changed_cb(struct ovsdb_client *client, void *aux)
{
	struct wiring *w = aux;

	event_active(w->work, 0, 0);
}

static void connection_cb(struct ovsdb_client *client, bool up, const char *why,
			  void *aux)
{
	struct wiring *w = aux;

	w->up = up;
	w->was_up |= up;
	free(w->down);
	w->down = up ? NULL : xasprintf("no database at %s: %s", w->db, why);
	event_active(w->work, 0, 0);
}

struct wiring *wiring_create(struct event_base *loop, const char *db,
			     const char *vm_name, const char *vm_uuid)
{
	static const struct ovsdb_client_ops ops = {
		.changed = changed_cb,
		.connection = connection_cb,
	};
	struct wiring *w = xcalloc(1, sizeof(*w));

	w->loop = loop;
	w->db = xstrdup(db);
	w->vm_name = xstrdup(vm_name);
	w->vm_uuid = xstrdup(vm_uuid);
	w->work = event_new(loop, -1, 0, work_cb, w);
	w->timeout = event_new(loop, -1, 0, timeout_cb, w);
	w->client = ovsdb_client_create(loop, db, "Open_vSwitch", &ops, w);
	wiring_rows_monitor(w->client);
	return w;
}

void wiring_destroy(struct wiring *w)
{
	struct wiring_job *job;

	if (!w)
		return;
	while ((job = w->first)) {
		w->first = job->next;
		close_taps(job);
		free_job(job);
	}
	ovsdb_client_destroy(w->client);
	event_free(w->work);
	event_free(w->timeout);
	free(w->db);
	free(w->vm_name);
	free(w->vm_uuid);
	free(w->down);
	free(w->message);
	free(w);
}

void wiring_add(struct wiring *w, struct vm_net *net, const char *socket,
		int *taps, wiring_done *done, void *aux)
{
	struct wiring_job *job = xcalloc(1, sizeof(*job));

	job->net = net;
	job->socket = xstrdup(socket ? socket : "");
	job->taps = taps;
	job->done = done;
	job->aux = aux;
	push(w, job, false);
}

void wiring_remove(struct wiring *w, const char *port, wiring_done *done,
		   void *aux)
{
	struct wiring_job *job = xcalloc(1, sizeof(*job));

	job->port = port ? xstrdup(port) : NULL;
	job->done = done;
	job->aux = aux;
	push(w, job, false);
}

static void over_cb(evutil_socket_t fd, short what, void *aux)
{
	*(bool *)aux = true;
}

int wiring_run(struct wiring *w, unsigned int timeout_ms, char **errp)
{
	const struct timeval tv = { timeout_ms / 1000,
				    timeout_ms % 1000 * 1000 };
	bool over = false;
	struct event *timer = event_new(w->loop, -1, 0, over_cb, &over);
	int error;

	event_add(timer, &tv);
	w->error = 0;
	while (w->first && !over)
		event_base_loop(w->loop, EVLOOP_ONCE);
	event_free(timer);
	error = w->error;
	if (error)
		set_error(errp, error, "%s", w->message);
	else if (w->first)
		error = set_error(errp, -ETIMEDOUT, "no answer from vswd: %s",
				  w->down ? w->down : w->db);
	return error;
}

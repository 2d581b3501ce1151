/*
 * A change of the VM's ports: tried when there is a connection, and again when
 * somebody else changed the database meanwhile; an added port then waits until
 * vswd has carried it out. What is to be removed waits for a database that is
 * away, what is to be added does not.
 */
#include "vmm/host/wiring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host/wiring_private.h"

enum { PATIENCE_MS = 10000 };

static void over_cb(evutil_socket_t fd, short what, void *aux)
{
	((struct wiring *)aux)->over = true;
}

static void connection_cb(struct ovsdb_client *client, bool up, const char *why,
			  void *aux)
{
	struct wiring *w = aux;

	w->up = up;
	free(w->down);
	w->down = up ? NULL : xasprintf("no database at %s: %s", w->db, why);
}

static void changed_cb(struct ovsdb_client *client, void *aux)
{
}

struct wiring *wiring_create(struct event_base *loop, const char *db,
			     const char *vm_name, const char *vm_uuid)
{
	static const struct ovsdb_client_ops ops = {
		.changed = changed_cb,
		.connection = connection_cb,
	};
	struct wiring *w = xcalloc(1, sizeof(*w));

	w->own_loop = loop ? NULL : event_base_new();
	w->loop = loop ? loop : w->own_loop;
	w->db = xstrdup(db);
	w->vm_name = xstrdup(vm_name);
	w->vm_uuid = xstrdup(vm_uuid);
	w->timer = evtimer_new(w->loop, over_cb, w);
	w->client = ovsdb_client_create(w->loop, db, "Open_vSwitch", &ops, w);
	wiring_rows_monitor(w->client);
	return w;
}

void wiring_destroy(struct wiring *w)
{
	if (!w)
		return;
	ovsdb_client_destroy(w->client);
	event_free(w->timer);
	if (w->own_loop)
		event_base_free(w->own_loop);
	free(w->db);
	free(w->vm_name);
	free(w->vm_uuid);
	free(w->down);
	free(w->refused);
	free(w);
}

static void set_timer(struct wiring *w, unsigned int ms)
{
	const struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	w->over = false;
	evtimer_add(w->timer, &time);
}

static int await_connection(struct wiring *w, bool retry, char **errp)
{
	while (!w->up && !w->over && (retry || !w->down))
		event_base_loop(w->loop, EVLOOP_ONCE);
	if (w->up)
		return 0;
	return set_error(errp, w->down && !retry ? -ENOTCONN : -ETIMEDOUT,
			 "%s%s",
			 w->down && strstr(w->down, strerror(EACCES))
				 ? ""
				 : "vswd is not running? ",
			 w->down ? w->down : w->db);
}

int wiring_wait(struct wiring *w, unsigned int timeout_ms, char **errp)
{
	set_timer(w, timeout_ms);
	return await_connection(w, false, errp);
}

static void answered_cb(struct ovsdb_client *client, json_t *result,
			const char *error, void *aux)
{
	struct wiring *w = aux;

	w->answered = true;
	free(w->refused);
	w->refused = error ? xstrdup(error) : NULL;
}

/* -EAGAIN: somebody else was faster, or nobody knows what became of it. */
static int transact(struct wiring *w, json_t *ops, char **errp)
{
	w->answered = false;
	w->up = !ovsdb_client_transact(w->client, ops, answered_cb, w);
	while (w->up && !w->answered && !w->over)
		event_base_loop(w->loop, EVLOOP_ONCE);
	if (!w->up || (w->refused && !strncmp(w->refused, "timed out", 9)))
		return -EAGAIN;
	if (!w->answered)
		return set_error(errp, -ETIMEDOUT, "no answer from %s", w->db);
	if (w->refused)
		return set_error(errp, -EPROTO, "the database refuses: %s",
				 w->refused);
	return 0;
}

static void close_taps(const struct vm_net *net, int *taps)
{
	for (unsigned int i = 0; net->kind == VM_NET_TAP && i < net->queues;
	     i++) {
		close(taps[i]);
		taps[i] = -1;
	}
}

static int try_add(struct wiring *w, struct vm_net *net, const char *socket,
		   int *taps, char **errp)
{
	json_t *ops = wiring_rows_add(w, net, socket, errp);
	int error = ops ? 0 : -EINVAL;

	if (!error && net->kind == VM_NET_TAP)
		error = tap_create(net->port, net->queues, taps, errp);
	if (error) {
		json_decref(ops);
		return error;
	}
	error = transact(w, ops, errp);
	if (error)
		close_taps(net, taps);
	return error;
}

/* Waits until vswd has made what was added. */
static int carried_out(struct wiring *w, const struct vm_net *net, char **errp)
{
	const char *why;

	while (!wiring_rows_reached(w) && !w->over)
		event_base_loop(w->loop, EVLOOP_ONCE);
	if (!wiring_rows_reached(w))
		return set_error(errp, -ETIMEDOUT,
				 "%s: vswd does not carry out what the "
				 "database says; is it running?",
				 net->bridge);
	why = wiring_rows_error(w, net->port);
	return why ? set_error(errp, -EIO, "%s: vswd cannot make the port: %s",
			       net->bridge, why)
		   : 0;
}

int wiring_add(struct wiring *w, struct vm_net *net, const char *socket,
	       int *taps, char **errp)
{
	int error;

	set_timer(w, PATIENCE_MS);
	do {
		error = await_connection(w, false, errp);
		if (!error)
			error = try_add(w, net, socket, taps, errp);
	} while (error == -EAGAIN);
	if (error)
		return error;
	error = carried_out(w, net, errp);
	if (error) {
		close_taps(net, taps);
		wiring_remove(w, net->port, PATIENCE_MS, NULL);
	}
	return error;
}

int wiring_remove(struct wiring *w, const char *port, unsigned int timeout_ms,
		  char **errp)
{
	json_t *ops;
	int error;

	set_timer(w, timeout_ms);
	do {
		error = await_connection(w, true, errp);
		ops = error ? NULL : wiring_rows_remove(w, port);
		if (ops)
			error = transact(w, ops, errp);
	} while (error == -EAGAIN);
	return error;
}

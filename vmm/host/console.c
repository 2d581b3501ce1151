/* A console of the VM shown in several places: see console.h. */
#include "vmm/host/console.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ovsdb-lite/stream.h"
#include "vmm/host/last_words.h"
#include "vmm/host/terminal.h"

enum {
	MAX_VIEWERS = 8,
	MAX_BACKLOG = 256 * 1024, /* of a viewer */
	MAX_INPUT = 64 * 1024,	  /* typed, and not yet read by the guest */
	RECENT = 16 * 1024,
	MAX_LOG = 8 * 1024 * 1024,
};

struct viewer {
	struct console *console;
	struct bufferevent *bev;
	struct viewer *next;
};

struct console {
	struct event_base *base;
	struct bufferevent *machine, *terminal_in, *terminal_out;
	struct stream_listener *listener;
	struct viewer *viewers;
	unsigned int n_viewers;
	struct evbuffer *recent;
	int log;	   /* -1: none */
	bool plain_output; /* standard output is a file, or it does not block */
	struct terminal_escape escape;
	void (*quit)(void *aux);
	void *aux;
};

static void viewer_destroy(struct console *console, struct viewer *viewer)
{
	struct viewer **p;

	for (p = &console->viewers; *p != viewer; p = &(*p)->next)
		;
	*p = viewer->next;
	console->n_viewers--;
	last_words(viewer->bev);
	free(viewer);
}

static void write_log(struct console *console, const char *data, size_t n)
{
	if (console->log < 0)
		return;
	if (lseek(console->log, 0, SEEK_END) > MAX_LOG &&
	    ftruncate(console->log, 0))
		return;
	if (write(console->log, data, n) < 0)
		return; /* a full disk is no reason to stop */
}

static bool has_room(struct bufferevent *bev)
{
	return evbuffer_get_length(bufferevent_get_output(bev)) < MAX_BACKLOG;
}

static void show(struct console *console, const char *data, size_t n)
{
	struct viewer *viewer, *next;

	for (viewer = console->viewers; viewer; viewer = next) {
		next = viewer->next;
		if (has_room(viewer->bev))
			bufferevent_write(viewer->bev, data, n);
		else
			viewer_destroy(console, viewer);
	}
	if (console->plain_output && write(STDOUT_FILENO, data, n) < 0)
		console->plain_output = false;
	if (console->terminal_out && has_room(console->terminal_out))
		bufferevent_write(console->terminal_out, data, n);
	write_log(console, data, n);
	evbuffer_add(console->recent, data, n);
	if (evbuffer_get_length(console->recent) > RECENT)
		evbuffer_drain(console->recent,
			       evbuffer_get_length(console->recent) - RECENT);
}

static void on_output(struct bufferevent *bev, void *aux)
{
	char buf[4096];
	size_t n;

	while ((n = bufferevent_read(bev, buf, sizeof(buf))))
		show(aux, buf, n);
}

/* What does not fit between us and the guest is lost, as on a wire. */
static void type(struct console *console, const char *data, size_t n)
{
	struct evbuffer *out = bufferevent_get_output(console->machine);

	if (evbuffer_get_length(out) < MAX_INPUT)
		evbuffer_add(out, data, n);
}

static void on_viewer_input(struct bufferevent *bev, void *aux)
{
	struct viewer *viewer = aux;
	char buf[4096];
	size_t n;

	while ((n = bufferevent_read(bev, buf, sizeof(buf))))
		type(viewer->console, buf, n);
}

static void on_viewer_end(struct bufferevent *bev, short what, void *aux)
{
	struct viewer *viewer = aux;

	viewer_destroy(viewer->console, viewer);
}

static void accepted(int fd, void *aux)
{
	struct console *console = aux;
	struct viewer *viewer;

	if (console->n_viewers == MAX_VIEWERS) {
		close(fd);
		return;
	}
	viewer = xcalloc(1, sizeof(*viewer));
	viewer->console = console;
	viewer->bev = bufferevent_socket_new(console->base, fd,
					     BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(viewer->bev, on_viewer_input, NULL, on_viewer_end,
			  viewer);
	bufferevent_enable(viewer->bev, EV_READ | EV_WRITE);
	evbuffer_add(bufferevent_get_output(viewer->bev),
		     evbuffer_pullup(console->recent, -1),
		     evbuffer_get_length(console->recent));
	viewer->next = console->viewers;
	console->viewers = viewer;
	console->n_viewers++;
}

static void on_typed(struct bufferevent *bev, void *aux)
{
	struct console *console = aux;
	bool quit = false;
	char buf[4096];
	size_t n;

	while ((n = bufferevent_read(bev, buf, sizeof(buf)))) {
		n = terminal_filter(&console->escape, buf, n, &quit);
		type(console, buf, n);
	}
	if (quit)
		console->quit(console->aux);
}

static void on_terminal_end(struct bufferevent *bev, short what, void *aux)
{
	bufferevent_disable(bev, EV_READ | EV_WRITE);
}

/*
 * Standard input or output, opened anew where that can be: O_NONBLOCK on the
 * one that we were given would be the shell's, too. NULL: nothing to wait for.
 */
static struct bufferevent *open_terminal(struct console *console, int fd,
					 int flags)
{
	struct bufferevent *bev;
	struct stat st;
	char path[32];

	if (fstat(fd, &st) || !(isatty(fd) || S_ISFIFO(st.st_mode)))
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	bev = bufferevent_socket_new(console->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(bev, on_typed, NULL, on_terminal_end, console);
	bufferevent_enable(bev, flags == O_RDONLY ? EV_READ : EV_WRITE);
	bufferevent_disable(bev, flags == O_RDONLY ? EV_WRITE : EV_READ);
	return bev;
}

struct console *console_create(struct event_base *base, int fd,
			       const char *path, const char *log, char **errp)
{
	int listener = path ? stream_listen_unix(path, errp) : -1;
	struct console *console;

	if (path && listener < 0) {
		close(fd);
		return NULL;
	}
	if (path && geteuid())
		chmod(path, 0600);
	console = xcalloc(1, sizeof(*console));
	console->base = base;
	console->recent = evbuffer_new();
	console->log = -1;
	if (log)
		console->log = open(
			log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	evutil_make_socket_nonblocking(fd);
	console->machine =
		bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(console->machine, on_output, NULL, on_terminal_end,
			  console);
	bufferevent_enable(console->machine, EV_READ | EV_WRITE);
	if (path)
		console->listener = stream_listener_create(base, listener,
							   accepted, console);
	return console;
}

void console_show(struct console *console, void (*quit)(void *aux), void *aux)
{
	console->quit = quit;
	console->aux = aux;
	terminal_raw();
	console->terminal_in = open_terminal(console, STDIN_FILENO, O_RDONLY);
	console->terminal_out = open_terminal(console, STDOUT_FILENO, O_WRONLY);
	console->plain_output = !console->terminal_out;
}

void console_destroy(struct console *console)
{
	char buf[4096];
	ssize_t n;

	if (!console)
		return;
	while ((n = read(bufferevent_getfd(console->machine), buf,
			 sizeof(buf))) > 0)
		show(console, buf, (size_t)n);
	for (struct viewer *v = console->viewers, *next; v; v = next) {
		next = v->next;
		last_words(v->bev);
		free(v);
	}
	last_words(console->terminal_out);
	if (console->terminal_in)
		bufferevent_free(console->terminal_in);
	terminal_restore();
	bufferevent_free(console->machine);
	stream_listener_destroy(console->listener);
	evbuffer_free(console->recent);
	if (console->log >= 0)
		close(console->log);
	free(console);
}

/*
 * ovsdb-lite: a server of OVSDB databases on its own, with ovsdb-server's
 * command line.
 *
 * The way it starts: options, the pid file and the background (daemon.h), the
 * control socket, databases, remotes; only then does the foreground process of
 * --detach end, so that a script's next line finds a server that listens.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ovsdb-lite/options.h"
#include "ovsdb-lite/server_control.h"
#include "ovsdb-lite/server_tls.h"
#include "ovsdb-lite/stream.h"

LOG_MODULE(ovsdb);

struct program {
	struct options options;
	struct event_base *base;
	struct ovsdb_server *server;
	struct control_server *control;
	struct tls *tls;
	struct event *sigterm, *sigint, *sigchld, *linger;
	pid_t child; /* of --run, or 0 */
	int status;  /* to exit with */
};

static void signal_cb(evutil_socket_t sig, short what, void *aux)
{
	struct program *p = aux;

	log_info("ending by signal %d", (int)sig);
	event_base_loopbreak(p->base);
}

static void linger_cb(evutil_socket_t fd, short what, void *aux)
{
	struct program *p = aux;

	event_base_loopbreak(p->base);
}

/* "exit": a moment later, so that its reply leaves. */
static void exit_cb(void *aux)
{
	const struct timeval moment = { 0, 20000 };
	struct program *p = aux;

	log_info("ending by command");
	event_add(p->linger, &moment);
}

static void child_cb(evutil_socket_t sig, short what, void *aux)
{
	struct program *p = aux;
	int status;

	if (!p->child || waitpid(p->child, &status, WNOHANG) != p->child)
		return;
	p->child = 0;
	p->status = WIFEXITED(status) ? WEXITSTATUS(status)
				      : 128 + WTERMSIG(status);
	log_info("the command of --run ended with status %d", p->status);
	event_base_loopbreak(p->base);
}

static void watch_signals(struct program *p)
{
	signal(SIGPIPE, SIG_IGN);
	p->sigterm = evsignal_new(p->base, SIGTERM, signal_cb, p);
	p->sigint = evsignal_new(p->base, SIGINT, signal_cb, p);
	p->sigchld = evsignal_new(p->base, SIGCHLD, child_cb, p);
	p->linger = event_new(p->base, -1, 0, linger_cb, p);
	event_add(p->sigterm, NULL);
	event_add(p->sigint, NULL);
	event_add(p->sigchld, NULL);
}

/* Each session takes a descriptor: as many as we may have. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int start_control(struct program *p, char **errp)
{
	char *path;

	if (p->options.unixctl && !strcmp(p->options.unixctl, "none"))
		return 0;
	if (p->options.unixctl)
		path = xstrdup(p->options.unixctl);
	else
		path = xasprintf("%s/%s.%ld.ctl", options_run_dir(),
				 program_invocation_short_name, (long)getpid());
	p->control = control_server_create(p->base, path, errp);
	free(path);
	if (!p->control)
		return -EINVAL;
	server_control_register(p->control, p->server, exit_cb, p);
	return 0;
}

static int start_server(struct program *p, char **errp)
{
	const struct options *o = &p->options;
	int error = 0;

	/* The lock of its database is held no longer than its sockets. */
	for (size_t i = 0; i < o->n_remotes; i++)
		if (!strncmp(o->remotes[i], "punix:", 6))
			stream_wait_unix(o->remotes[i] + 6);
	for (size_t i = 0; i < o->n_dbs && !error; i++)
		error = ovsdb_server_open(p->server, o->dbs[i], errp);
	if (!error &&
	    (o->tls.private_key || o->tls.certificate || o->tls.ca_cert)) {
		error = server_tls_create(p->server, &o->tls, &p->tls, errp);
		tls_set_default(p->tls);
		ovsdb_server_set_tls(p->server, p->tls);
	}
	for (size_t i = 0; i < o->n_remotes && !error; i++)
		error = ovsdb_server_add_remote(p->server, o->remotes[i], errp);
	return error;
}

/* Starts the command of --run; it gets our signals' defaults back. */
static int start_child(struct program *p, char **errp)
{
	if (!p->options.run)
		return 0;
	fflush(NULL);
	p->child = fork();
	if (p->child < 0) {
		p->child = 0;
		return set_error(errp, -errno, "fork: %s", strerror(errno));
	}
	if (!p->child) {
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", p->options.run, (char *)NULL);
		_exit(127);
	}
	return 0;
}

static int start(struct program *p, char **errp)
{
	int error;

	/* /run is empty after a boot; if this fails, what needs it says so. */
	mkdir(options_run_dir(), 0755);
	error = daemon_start(&p->options.daemon, errp);
	if (error)
		return error;
	/* Not before the fork, which an event base does not survive. */
	p->base = event_base_new();
	if (!p->base)
		return set_error(errp, -EIO, "no event loop");
	if (p->options.log_file) {
		error = log_set_file(p->options.log_file, errp);
		if (error)
			return error;
	}
	raise_file_limit();
	watch_signals(p);
	tls_use(&tls_openssl);
	p->server = ovsdb_server_create(p->base);
	error = start_control(p, errp);
	if (!error)
		error = start_server(p, errp);
	if (!error)
		error = start_child(p, errp);
	return error;
}

static void stop(struct program *p)
{
	if (p->child)
		kill(p->child, SIGTERM);
	control_server_destroy(p->control);
	ovsdb_server_destroy(p->server);
	tls_set_default(NULL);
	tls_destroy(p->tls);
	if (p->sigterm) {
		event_free(p->sigterm);
		event_free(p->sigint);
		event_free(p->sigchld);
		event_free(p->linger);
	}
	if (p->base)
		event_base_free(p->base);
	daemon_end();
}

int main(int argc, char *argv[])
{
	static struct program program; /* zero: EXIT_SUCCESS */
	char *why = NULL;
	int error;

	log_init(program_invocation_short_name);
	error = options_parse(&program.options, argc, argv, &why);
	if (!error && program.options.done)
		return EXIT_SUCCESS;
	if (!error)
		error = start(&program, &why);
	if (error) {
		fprintf(stderr, "%s: %s\n", program_invocation_short_name,
			why ? why : strerror(-error));
		program.status = EXIT_FAILURE;
	} else {
		daemon_ready();
		event_base_dispatch(program.base);
	}
	stop(&program);
	free(why);
	return program.status;
}

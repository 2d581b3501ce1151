/*
 * The database thread: see embed.h. The server is built before the thread is
 * there and taken down when it has ended, so that it has one owner at a time.
 */
#include "ovsdb-lite/embed.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "ovsdb-lite/server.h"

LOG_MODULE(ovsdb);

struct ovsdb_embed {
	pthread_t thread;
	struct event_base *base;
	struct ovsdb_server *server;
	struct event *stop;
	int stop_fd;
};

static void stop_cb(evutil_socket_t fd, short what, void *aux)
{
	event_base_loopbreak(aux);
}

static void *thread_main(void *aux)
{
	struct ovsdb_embed *embed = aux;

	pthread_setname_np(pthread_self(), "database");
	sandbox_files_forget();
	event_base_dispatch(embed->base);
	return NULL;
}

static void teardown(struct ovsdb_embed *embed)
{
	ovsdb_server_destroy(embed->server);
	if (embed->stop)
		event_free(embed->stop);
	event_base_free(embed->base);
	if (embed->stop_fd >= 0)
		close(embed->stop_fd);
	free(embed);
}

static int open_db(struct ovsdb_server *server, const char *path, char **errp)
{
	struct ovsdb_schema *schema;
	const char *text;
	json_t *json, *error;
	size_t len;
	char *why;
	int rc;

	text = ovsdb_vswitch_schema(&len);
	json = json_loadb(text, len, 0, NULL);
	error = ovsdb_schema_from_json(&schema, json);
	json_decref(json);
	if (error) {
		why = ovsdb_error_to_string(error);
		rc = set_error(errp, -EINVAL, "the built-in schema: %s", why);
		free(why);
		return rc;
	}
	if (!path)
		return ovsdb_server_add_db(server,
					   ovsdb_db_create(schema, NULL), errp);
	rc = ovsdb_server_open_as(server, path, schema, errp);
	ovsdb_schema_destroy(schema);
	return rc;
}

static int listen_all(struct ovsdb_server *server,
		      const struct ovsdb_embed_options *options, char **errp)
{
	char *name = xasprintf("punix:%s", options->socket);
	int error = ovsdb_server_add_remote(server, name, errp);

	free(name);
	/* "set-manager" asks for these. */
	if (!error)
		error = ovsdb_server_add_remote(
			server, "db:Open_vSwitch,Open_vSwitch,manager_options",
			errp);
	for (size_t i = 0; !error && options->remotes && options->remotes[i];
	     i++)
		error = ovsdb_server_add_remote(server, options->remotes[i],
						errp);
	return error;
}

static int start_thread(struct ovsdb_embed *embed, char **errp)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&embed->thread, NULL, thread_main, embed);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error ? set_error(errp, -error, "the database thread: %s",
				 strerror(error))
		     : 0;
}

struct ovsdb_embed *ovsdb_embed_start(const struct ovsdb_embed_options *options,
				      char **errp)
{
	struct ovsdb_embed *embed = xcalloc(1, sizeof(*embed));

	embed->base = event_base_new();
	embed->server = ovsdb_server_create(embed->base);
	if (options->tls)
		ovsdb_server_set_tls(embed->server, options->tls);
	embed->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (embed->stop_fd < 0) {
		set_error(errp, -errno, "eventfd: %s", strerror(errno));
		goto fail;
	}
	embed->stop = event_new(embed->base, embed->stop_fd, EV_READ, stop_cb,
				embed->base);
	event_add(embed->stop, NULL);
	if (open_db(embed->server, options->path, errp) ||
	    listen_all(embed->server, options, errp) ||
	    start_thread(embed, errp))
		goto fail;
	log_info("database thread serves %s at %s",
		 options->path ? options->path : "memory", options->socket);
	return embed;
fail:
	teardown(embed);
	return NULL;
}

void ovsdb_embed_stop(struct ovsdb_embed *embed)
{
	uint64_t one = 1;

	if (!embed)
		return;
	while (write(embed->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(embed->thread, NULL);
	teardown(embed);
}

/*
 * What reaches the keeper: with an even first byte a local user's bytes on the
 * API socket, in pieces; with an odd one messages of the machine on the link,
 * which the guest may have taken over.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ovsdb-lite/stream.h"
#include "vmm/host/api.h"
#include "vmm/host/link.h"

#define INPUT_LIMIT 60000 /* less than a socket holds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *base;
static struct api *api;
static char path[64];

/* Some are answered at once, some never. */
static void command(struct api_request *request, const char *name,
		    const json_t *message, void *aux)
{
	json_t *event = json_pack("{s:s}", "event", "any");

	api_event(api, event);
	json_decref(event);
	api_reply(request, *name == 'i' ? json_copy((json_t *)message) : NULL,
		  *name == 'e' ? "no" : NULL);
}

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	snprintf(path, sizeof(path), "/tmp/vsw-fuzz-api-%d", getpid());
	api = api_create(base, path, command, NULL, NULL);
	if (!api)
		abort();
	unlink(path);
}

static void turn(void)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void try_api(const uint8_t *data, size_t size)
{
	size_t piece = size ? 1 + data[0] * 8u : 1, n;
	int fd;

	api_destroy(api);
	api = api_create(base, path, command, NULL, NULL);
	fd = stream_connect_unix(path, NULL);
	if (!api || fd < 0)
		abort();
	for (; size; size -= n, data += n) {
		n = MIN(size, piece);
		if (send(fd, data, n, MSG_NOSIGNAL) < 0)
			break;
		turn();
	}
	close(fd);
	turn();
	unlink(path);
}

static void on_event(void *aux, const json_t *event)
{
	json_decref(json_copy((json_t *)event));
}

static void on_done(void *aux, const json_t *result, const char *error)
{
	if (result && error)
		abort();
	++*(int *)aux;
}

/* Messages of at most 255 bytes, each after its length. */
static void try_link(const uint8_t *data, size_t size)
{
	int ends[2], done = 0;
	struct link *link;
	size_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		abort();
	link = link_create(base, ends[0], on_event, NULL);
	for (int i = 0; i < 3; i++)
		link_call(link, json_pack("{s:s}", "cmd", "info"), NULL, 0,
			  on_done, &done);
	for (; size; data += n, size -= n) {
		n = MIN((size_t)data[0], --size);
		data++;
		if (n && send(ends[1], data, n, MSG_DONTWAIT) < 0)
			break;
		turn();
	}
	close(ends[1]);
	turn();
	link_destroy(link);
	if (done != 3) /* each once, whatever came */
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!base)
		set_up();
	if (!size || size > INPUT_LIMIT)
		return 0;
	if (data[0] % 2)
		try_link(data + 1, size - 1);
	else
		try_api(data + 1, size - 1);
	return 0;
}

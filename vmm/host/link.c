/* The keeper's end of the link to the machine: see link.h. */
#include "vmm/host/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_MESSAGE = 128 * 1024, MAX_FDS = 18 };

struct call {
	json_int_t id;
	link_done *done;
	void *aux;
	struct call *next;
};

struct link {
	int fd;
	struct event *readable;
	link_event *event;
	void *aux;
	json_int_t last_id;
	struct call *calls;
	char buf[MAX_MESSAGE];
};

/* Calls `done` of the call, and forgets it. */
static void finish(struct call **place, const json_t *result, const char *error)
{
	struct call *call = *place;

	*place = call->next;
	if (call->done)
		call->done(call->aux, result, error);
	free(call);
}

static void fail_all(struct link *link)
{
	while (link->calls)
		finish(&link->calls, NULL, "the VM has ended");
}

static void handle(struct link *link, const json_t *message)
{
	const json_t *id = json_object_get(message, "id"),
		     *error = json_object_get(message, "error");
	struct call **p;

	if (json_is_string(json_object_get(message, "event"))) {
		link->event(link->aux, message);
		return;
	}
	for (p = &link->calls; *p; p = &(*p)->next)
		if (json_is_integer(id) && (*p)->id == json_integer_value(id))
			break;
	if (*p)
		finish(p, json_object_get(message, "result"),
		       error ? json_is_string(error) ? json_string_value(error)
						     : "failed"
			     : NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *aux)
{
	struct link *link = aux;
	/* without room for descriptors, which the kernel then drops */
	ssize_t n = recv(fd, link->buf, sizeof(link->buf), MSG_DONTWAIT);
	json_t *message;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* depth is capped by the library, size by the buffer */
	message = n > 0 ? json_loadb(link->buf, (size_t)n, 0, NULL) : NULL;
	if (json_is_object(message)) {
		handle(link, message);
		json_decref(message);
		return;
	}
	json_decref(message);
	event_del(link->readable);
	fail_all(link);
	link->event(link->aux, NULL);
}

struct link *link_create(struct event_base *base, int fd, link_event *event,
			 void *aux)
{
	struct link *link = xcalloc(1, sizeof(*link));

	link->fd = fd;
	link->event = event;
	link->aux = aux;
	link->readable =
		event_new(base, fd, EV_READ | EV_PERSIST, on_readable, link);
	event_add(link->readable, NULL);
	return link;
}

void link_destroy(struct link *link)
{
	if (!link)
		return;
	event_free(link->readable);
	fail_all(link);
	close(link->fd);
	free(link);
}

void link_call(struct link *link, json_t *command, const int *fds,
	       unsigned int n_fds, link_done *done, void *aux)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(n_fds * sizeof(int)) } };
	struct call *call = xcalloc(1, sizeof(*call));
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	*call = (struct call){ ++link->last_id, done, aux, link->calls };
	link->calls = call;
	json_object_set_new(command, "id", json_integer(call->id));
	iov.iov_base = json_dumps(command, JSON_COMPACT);
	iov.iov_len = strlen(iov.iov_base);
	json_decref(command);
	if (n_fds) {
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	if (sendmsg(link->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		finish(&link->calls, NULL,
		       "the VM's process does not take commands");
	free(iov.iov_base);
}

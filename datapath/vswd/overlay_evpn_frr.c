/*
 * Is FRR there (overlay_evpn_internal.h)? zebra and bgpd each listen on a
 * socket for vtysh, DIRECTORY/zebra.vty and DIRECTORY/bgpd.vty. A connection to
 * it, on which nothing is said, ends at the moment the program does, however
 * that comes about; a pid file would have to be looked at again and again, and
 * what vanishes from the kernel's tables does not say whether FRR went or was
 * told to withdraw it.
 *
 * Both must be there: bgpd's end makes zebra remove all that bgpd had it
 * install. A directory that is not there at all says nothing (FRR may be in a
 * container): then nothing is held, and the state says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "vswd/overlay_evpn_internal.h"

LOG_MODULE(evpn);

#define RETRY_US 500000

struct program {
	struct evpn_frr *frr;
	const char *name;
	int fd; /* -1: not connected */
	struct event *readable;
};

struct evpn_frr {
	struct evpn_frr *next;
	struct evpn_host *host;
	unsigned refs;
	char *directory;
	struct program programs[2]; /* zebra, bgpd */
	enum evpn_frr_state state;
	bool seen;
	uint32_t zebra_ends;
	struct event *retry;
};

static bool directory_there(const struct evpn_frr *frr)
{
	struct stat st;

	return !stat(frr->directory, &st) && S_ISDIR(st.st_mode);
}

static void update(struct evpn_frr *frr)
{
	const struct timeval soon = { .tv_usec = RETRY_US };
	const char *missing = evpn_frr_missing(frr);
	enum evpn_frr_state state = EVPN_FRR_PRESENT;

	if (missing) {
		state = directory_there(frr) ? EVPN_FRR_GONE : EVPN_FRR_UNKNOWN;
		/* It was seen there: that its directory went, too, is its end.
		 */
		if (state == EVPN_FRR_UNKNOWN && frr->state != EVPN_FRR_UNKNOWN)
			state = EVPN_FRR_GONE;
		event_add(frr->retry, &soon);
	}
	if (state == frr->state)
		return;
	frr->state = state;
	frr->seen |= state == EVPN_FRR_PRESENT;
	if (state == EVPN_FRR_GONE)
		log_warn("FRR %s: no %s answers in %s",
			 frr->seen ? "is gone" : "is not seen yet", missing,
			 frr->directory);
	else if (state == EVPN_FRR_PRESENT)
		log_info("FRR is there: zebra and bgpd answer in %s",
			 frr->directory);
	evpn_host_wake_all(frr->host);
}

static void disconnect(struct program *p)
{
	if (p->readable)
		event_free(p->readable);
	p->readable = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* Nobody is asked anything: what can be read is the end, or of no interest. */
static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	char bytes[512];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	disconnect(p);
	if (p == &p->frr->programs[0])
		p->frr->zebra_ends++;
	update(p->frr);
}

static int connect_to(const char *directory, const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, error;
	size_t n = snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s.vty",
			    directory, name);

	if (n >= sizeof(un.sun_path))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* The sockets are FRR's account's. */
	sandbox_files_begin();
	error = connect(fd, (struct sockaddr *)&un, sizeof(un));
	sandbox_files_end();
	if (!error)
		return fd;
	close(fd);
	return -1;
}

static void connect_all(struct evpn_frr *frr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(frr->programs); i++) {
		struct program *p = &frr->programs[i];

		if (p->fd >= 0)
			continue;
		p->fd = connect_to(frr->directory, p->name);
		if (p->fd < 0)
			continue;
		p->readable = event_new(frr->host->vs->base, p->fd,
					EV_READ | EV_PERSIST, readable_cb, p);
		event_add(p->readable, NULL);
	}
	update(frr);
}

static void retry_cb(evutil_socket_t fd, short what, void *arg)
{
	connect_all(arg);
}

struct evpn_frr *evpn_frr_get(struct evpn_host *host, const char *directory)
{
	struct evpn_frr **list = &host->frrs, *frr;

	for (frr = *list; frr; frr = frr->next)
		if (!strcmp(frr->directory, directory)) {
			frr->refs++;
			return frr;
		}
	frr = xcalloc(1, sizeof(*frr));
	frr->refs = 1;
	frr->host = host;
	frr->directory = xstrdup(directory);
	frr->programs[0] = (struct program){ frr, "zebra", -1, NULL };
	frr->programs[1] = (struct program){ frr, "bgpd", -1, NULL };
	frr->retry = event_new(host->vs->base, -1, 0, retry_cb, frr);
	frr->next = *list;
	*list = frr;
	connect_all(frr);
	/* What is left in the kernel is of one that has ended before us. */
	frr->zebra_ends =
		frr->state == EVPN_FRR_GONE && frr->programs[0].fd < 0;
	return frr;
}

void evpn_frr_put(struct evpn_frr *frr)
{
	struct evpn_frr **at = &frr->host->frrs;

	if (--frr->refs)
		return;
	while (*at != frr)
		at = &(*at)->next;
	*at = frr->next;
	for (unsigned i = 0; i < ARRAY_SIZE(frr->programs); i++)
		disconnect(&frr->programs[i]);
	event_free(frr->retry);
	free(frr->directory);
	free(frr);
}

enum evpn_frr_state evpn_frr_state(const struct evpn_frr *frr)
{
	return frr->state;
}

const char *evpn_frr_missing(const struct evpn_frr *frr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(frr->programs); i++)
		if (frr->programs[i].fd < 0)
			return frr->programs[i].name;
	return NULL;
}

const char *evpn_frr_directory(const struct evpn_frr *frr)
{
	return frr->directory;
}

bool evpn_frr_seen(const struct evpn_frr *frr)
{
	return frr->seen;
}

bool evpn_frr_zebra_gone(const struct evpn_frr *frr)
{
	return frr->state == EVPN_FRR_GONE && frr->programs[0].fd < 0;
}

uint32_t evpn_frr_zebra_ends(const struct evpn_frr *frr)
{
	return frr->zebra_ends;
}

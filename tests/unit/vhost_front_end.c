#include "vhost_front_end.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S  20
#define QUEUE_SIZE  64
#define BUFFER	    2048
#define MEMORY_SIZE (8u << 20)
#define N_REGIONS   2

/* vhost-user's requests, those that are used here. */
enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
};

#define F_PROTOCOL_FEATURES 30
#define PROTOCOL_MQ	    0
#define PROTOCOL_RARP	    2

struct header {
	uint32_t request, flags, size;
};

void front_end_wait(struct event_base *base, bool (*done)(void *aux), void *aux)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (!done(aux)) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(100);
		assert_true(time(NULL) < end);
	}
}

void front_end_init(struct front_end *f, struct event_base *base, int fd)
{
	memset(f, 0, sizeof(*f));
	f->base = base;
	f->socket = fd;
	guest_memory_init(&f->memory, MEMORY_SIZE, N_REGIONS);
}

void front_end_hang_up(struct front_end *f)
{
	if (f->socket >= 0)
		close(f->socket);
	f->socket = -1;
}

void front_end_fini(struct front_end *f)
{
	front_end_hang_up(f);
	for (unsigned i = 0; i < f->n_pairs; i++) {
		driver_destroy(f->to_guest[i]);
		driver_destroy(f->from_guest[i]);
	}
	guest_memory_fini(&f->memory);
}

int front_end_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path));
	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static bool has_ended(void *aux)
{
	struct pollfd p = { .fd = *(int *)aux, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP);
}

bool front_end_is_refused(struct event_base *base, int fd)
{
	front_end_wait(base, has_ended, &fd);
	return true;
}

void front_end_say(struct front_end *f, uint32_t request, const void *payload,
		   uint32_t size, const int *fds, unsigned n_fds)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct header header = { request, 1, size };
	struct iovec iov[2] = { { &header, sizeof(header) },
				{ (void *)payload, size } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = size ? 2 : 1 };
	struct cmsghdr *c;

	if (n_fds) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(f->socket, &m, MSG_NOSIGNAL),
			 sizeof(header) + size);
}

static bool can_read(void *aux)
{
	struct pollfd p = { .fd = *(int *)aux, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static uint64_t ask(struct front_end *f, uint32_t request, const void *payload,
		    uint32_t size)
{
	struct header header;
	uint64_t value;

	front_end_say(f, request, payload, size, NULL, 0);
	front_end_wait(f->base, can_read, &f->socket);
	assert_int_equal(read(f->socket, &header, sizeof(header)),
			 sizeof(header));
	assert_int_equal(header.request, request);
	assert_int_equal(header.size, sizeof(value));
	assert_int_equal(read(f->socket, &value, sizeof(value)), sizeof(value));
	return value;
}

uint64_t front_end_ask(struct front_end *f, uint32_t request)
{
	return ask(f, request, NULL, 0);
}

uint32_t front_end_stop_queue(struct front_end *f, unsigned index)
{
	const uint32_t state[2] = { index, 0 };

	return ask(f, GET_VRING_BASE, state, sizeof(state)) >> 32;
}

static void say_u64(struct front_end *f, uint32_t request, uint64_t value)
{
	front_end_say(f, request, &value, sizeof(value), NULL, 0);
}

static uint64_t user_address(const struct front_end *f, uint64_t guest)
{
	return (uint64_t)(uintptr_t)guest_at(&f->memory, guest);
}

static void say_memory(struct front_end *f)
{
	struct {
		uint32_t n, padding;
		struct {
			uint64_t guest, size, user, offset;
		} regions[N_REGIONS];
	} table = { .n = N_REGIONS };
	int fds[N_REGIONS];

	for (unsigned i = 0; i < N_REGIONS; i++) {
		uint64_t offset = i * f->memory.region_size;

		table.regions[i].guest = GUEST_BASE + offset;
		table.regions[i].size = f->memory.region_size;
		table.regions[i].user = user_address(f, GUEST_BASE + offset);
		table.regions[i].offset = offset;
		fds[i] = f->memory.fd;
	}
	front_end_say(f, SET_MEM_TABLE, &table, sizeof(table), fds, N_REGIONS);
}

static void say_state(struct front_end *f, uint32_t request, uint32_t index,
		      uint32_t value)
{
	const uint32_t state[2] = { index, value };

	front_end_say(f, request, state, sizeof(state), NULL, 0);
}

static void say_fd(struct front_end *f, uint32_t request, uint64_t index,
		   int fd)
{
	front_end_say(f, request, &index, sizeof(index), &fd, 1);
}

static void say_queue(struct front_end *f, unsigned index,
		      const struct driver_queue *q)
{
	const struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} address = {
		.index = index,
		.desc = user_address(f, q->desc_at),
		.used = user_address(f, q->device_at),
		.avail = user_address(f, q->driver_at),
	};

	say_state(f, SET_VRING_NUM, index, q->config.size);
	say_state(f, SET_VRING_BASE, index, q->config.base);
	front_end_say(f, SET_VRING_ADDR, &address, sizeof(address), NULL, 0);
	say_fd(f, SET_VRING_CALL, index, q->call);
	say_fd(f, SET_VRING_KICK, index, q->kick);
	say_state(f, SET_VRING_ENABLE, index, 1);
}

static void negotiate(struct front_end *f, uint64_t wanted)
{
	const uint64_t protocol = 1 << PROTOCOL_MQ | 1 << PROTOCOL_RARP;

	f->features = front_end_ask(f, GET_FEATURES) & wanted;
	f->protocol_features =
		front_end_ask(f, GET_PROTOCOL_FEATURES) & protocol;
	say_u64(f, SET_PROTOCOL_FEATURES, f->protocol_features);
	front_end_say(f, SET_OWNER, NULL, 0, NULL, 0);
	say_u64(f, SET_FEATURES, f->features);
}

void front_end_start(struct front_end *f, uint64_t wanted, unsigned n_pairs)
{
	static const struct driver_layout layout;

	negotiate(f, wanted | FEATURE(F_PROTOCOL_FEATURES));
	say_memory(f);
	f->n_pairs = n_pairs;
	for (unsigned i = 0; i < n_pairs; i++) {
		struct driver_config config = {
			.size = QUEUE_SIZE,
			.features = f->features,
			.buffer_size = BUFFER,
		};

		f->to_guest[i] = driver_create(&f->memory, &config);
		driver_put_buffers(f->to_guest[i], &layout, BUFFER);
		driver_publish(f->to_guest[i]);
		config.from_guest = true;
		f->from_guest[i] = driver_create(&f->memory, &config);
		say_queue(f, 2 * i, f->to_guest[i]);
		say_queue(f, 2 * i + 1, f->from_guest[i]);
	}
	/* An answer comes when all before it is done. */
	front_end_ask(f, GET_FEATURES);
}

void front_end_start_again(struct front_end *f, int fd)
{
	front_end_hang_up(f);
	f->socket = fd;
	negotiate(f, f->features);
	say_memory(f);
	for (unsigned i = 0; i < f->n_pairs; i++) {
		say_queue(f, 2 * i, f->to_guest[i]);
		say_queue(f, 2 * i + 1, f->from_guest[i]);
	}
	front_end_ask(f, GET_FEATURES);
}

/*
 * A vhost-user back end that lies, in a thread: whatever it answers, the card
 * goes on with the next one, and no descriptor is left behind.
 */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "tests/support/vmm_card.h"
#include "vmm/vhost/message.h"

#include "descriptors.h"

#define FEATURES                                                               \
	(NET_FRAME_FEATURES | NET_USO_FEATURES |                               \
	 VMM_FEATURE(VIRTIO_F_IN_ORDER) | VMM_FEATURE(VIRTIO_F_RING_PACKED) |  \
	 VMM_FEATURE(VHOST_F_PROTOCOL_FEATURES))
#define PROTOCOL                                                               \
	(1u << VHOST_PROTOCOL_MQ | 1u << VHOST_PROTOCOL_RARP |                 \
	 1u << VHOST_PROTOCOL_REPLY_ACK | 1u << VHOST_PROTOCOL_CONFIG |        \
	 1u << VHOST_PROTOCOL_INFLIGHT)

enum lie {
	TRUTH,
	OTHER_REQUEST,
	NO_REPLY_FLAG,
	OTHER_VERSION,
	TOO_SHORT,
	TOO_LONG,
	NO_PAYLOAD,
	REFUSED, /* or a number that cannot be */
	ONE_FD,
	TWO_FDS,
	HANGS_UP,
	HALF_A_HEADER,
	SILENCE,
	N_LIES
};

struct back_end {
	pthread_t thread;
	int fd;
	uint32_t about; /* the request that it lies about */
	enum lie lie;
	uint64_t features;
	uint64_t n_queues;
	_Atomic unsigned int n_seen[64];
	struct vhost_ring_addr addr;
};

static struct event_base *loop;
static struct card card;

static const struct virtio_net_config config = { .mac = { 2, 0, 0, 0, 0, 1 },
						 .pairs = 2,
						 .packed = true };

/* --- the back end --- */

/* The truth, with its descriptor or -1. */
static int answer(struct back_end *b, struct vhost_message *m)
{
	int fd = -1;

	switch (m->header.request) {
	case VHOST_GET_FEATURES:
		m->payload.u64 = b->features;
		break;
	case VHOST_GET_PROTOCOL_FEATURES:
		m->payload.u64 = PROTOCOL;
		break;
	case VHOST_GET_QUEUE_NUM:
		m->payload.u64 = b->n_queues;
		break;
	case VHOST_GET_VRING_BASE:
		m->payload.state.num = 0;
		return fd;
	case VHOST_GET_INFLIGHT_FD:
		m->payload.inflight.size = 65536;
		fd = memfd_create("inflight", MFD_CLOEXEC);
		if (ftruncate(fd, 65536))
			m->payload.inflight.size = 0;
		return fd;
	case VHOST_GET_CONFIG:
		memset(m->payload.config.bytes, 0, VHOST_CONFIG_MAX);
		m->payload.config.bytes[0] = 8;
		return fd;
	default:
		m->payload.u64 = 0;
	}
	m->header.size = sizeof(m->payload.u64);
	return fd;
}

static bool wants_answer(const struct vhost_message *m)
{
	switch (m->header.request) {
	case VHOST_GET_FEATURES:
	case VHOST_GET_PROTOCOL_FEATURES:
	case VHOST_GET_QUEUE_NUM:
	case VHOST_GET_VRING_BASE:
	case VHOST_GET_INFLIGHT_FD:
	case VHOST_GET_CONFIG:
		return true;
	default:
		return m->header.flags & VHOST_NEED_REPLY;
	}
}

/* False: it hangs up. */
static bool reply(struct back_end *b, struct vhost_message *m)
{
	bool lies = m->header.request == b->about;
	int fds[2] = { answer(b, m), b->fd };
	unsigned int n_fds = fds[0] >= 0;

	m->header.flags = VHOST_VERSION | VHOST_REPLY;
	switch (lies ? b->lie : TRUTH) {
	case OTHER_REQUEST:
		m->header.request++;
		break;
	case NO_REPLY_FLAG:
		m->header.flags = VHOST_VERSION;
		break;
	case OTHER_VERSION:
		m->header.flags = VHOST_REPLY;
		break;
	case TOO_SHORT:
		m->header.size -= 4;
		break;
	case TOO_LONG:
		m->header.size = UINT32_MAX;
		if (send(b->fd, &m->header, 12, MSG_NOSIGNAL) < 0)
			return false;
		goto out;
	case NO_PAYLOAD:
		m->header.size = 0;
		break;
	case REFUSED:
		memset(&m->payload, 0xff, sizeof(m->payload));
		break;
	case ONE_FD:
		if (!n_fds)
			fds[n_fds++] = dup(b->fd);
		else
			n_fds = 0;
		break;
	case TWO_FDS:
		if (!n_fds)
			fds[n_fds++] = dup(b->fd);
		fds[n_fds++] = b->fd;
		break;
	case HALF_A_HEADER:
		if (send(b->fd, &m->header, 6, MSG_NOSIGNAL) < 0)
			return false;
		__attribute__((fallthrough));
	case HANGS_UP:
		if (fds[0] >= 0)
			close(fds[0]);
		return false;
	case SILENCE:
		goto out;
	default:
		break;
	}
	vhost_message_send(b->fd, m, fds, n_fds, NULL);
out:
	if (fds[0] >= 0)
		close(fds[0]);
	return true;
}

static void *run(void *aux)
{
	struct back_end *b = aux;
	struct vhost_message m;

	for (;;) {
		int fd, error = vhost_message_receive(b->fd, &m, &fd, NULL);

		if (error == -ETIMEDOUT)
			continue;
		if (error)
			break;
		if (m.header.request == VHOST_SET_VRING_ADDR)
			b->addr = m.payload.addr;
		if (fd >= 0)
			close(fd);
		if (m.header.request < ARRAY_SIZE(b->n_seen))
			b->n_seen[m.header.request]++;
		if (wants_answer(&m) && !reply(b, &m))
			break;
	}
	shutdown(b->fd, SHUT_RDWR);
	return NULL;
}

/* The front end's socket. */
static int start(struct back_end *b)
{
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	b->fd = fds[1];
	assert_int_equal(pthread_create(&b->thread, NULL, run, b), 0);
	return fds[0];
}

static void end(struct back_end *b)
{
	shutdown(b->fd, SHUT_RDWR);
	pthread_join(b->thread, NULL);
	close(b->fd);
}

/* --- tests --- */

static int setup(void **state)
{
	loop = event_base_new();
	card_init(&card, loop);
	card.device = virtio_net_vhost_create(loop, &card.memory, &config, -1,
					      -1, NULL, NULL, NULL);
	assert_non_null(card.device);
	return 0;
}

static int teardown(void **state)
{
	card_uninit(&card);
	event_base_free(loop);
	return 0;
}

static bool is_up(void *aux)
{
	return virtio_net_link(card.device);
}

static bool is_down(void *aux)
{
	return !virtio_net_link(card.device);
}

static int connect_to(struct back_end *b)
{
	char *why = NULL;
	int error = virtio_net_connected(card.device, start(b), &why);

	assert_true(!error == !why);
	free(why);
	return error;
}

static void is_well(void)
{
	struct back_end b = { .features = FEATURES, .n_queues = 2 };

	assert_true(card_wait(loop, is_down, NULL));
	event_base_loop(loop, EVLOOP_NONBLOCK);
	assert_int_equal(connect_to(&b), 0);
	assert_true(card_wait(loop, is_up, NULL));
	assert_true(card_restart(&card));
	assert_int_equal(b.n_seen[VHOST_SET_FEATURES], 2);
	end(&b);
	assert_true(card_wait(loop, is_down, NULL));
}

/* Each lie about each request, while connecting and at work. */
static void lies(uint32_t request)
{
	unsigned int before = 0;

	assert_true(card_start(&card, VMM_FEATURE(VIRTIO_NET_F_CTRL_VQ)));
	for (enum lie lie = TRUTH; lie < SILENCE; lie++) {
		struct back_end b = {
			.about = request,
			.lie = lie,
			.features = FEATURES,
			.n_queues = 2,
		};

		if (connect_to(&b) == 0)
			card_restart(&card);
		end(&b);
		is_well();
		if (!before)
			before = count_fds();
		if (count_fds() != before)
			fail_msg("lie %u about request %u: %u descriptors left",
				 lie, request, count_fds() - before);
	}
}

#define LIES_ABOUT(name)                                                       \
	static void lies_about_##name(void **state)                            \
	{                                                                      \
		lies(VHOST_##name);                                            \
	}
LIES_ABOUT(GET_FEATURES)
LIES_ABOUT(GET_PROTOCOL_FEATURES)
LIES_ABOUT(SET_PROTOCOL_FEATURES)
LIES_ABOUT(SET_FEATURES)
LIES_ABOUT(GET_QUEUE_NUM)
LIES_ABOUT(SET_MEM_TABLE)
LIES_ABOUT(SET_VRING_KICK)
LIES_ABOUT(GET_VRING_BASE)
LIES_ABOUT(GET_INFLIGHT_FD)
LIES_ABOUT(SET_INFLIGHT_FD)

static void offers_less(void **state)
{
	struct back_end no_tso = { .features = FEATURES &
					       ~NET_BIT(VIRTIO_NET_F_HOST_TSO4),
				   .n_queues = 2 };
	struct back_end one_queue = { .features = FEATURES, .n_queues = 1 };
	struct back_end old = { .features = FEATURES &
					    ~VMM_FEATURE(VIRTIO_F_VERSION_1),
				.n_queues = 2 };
	struct back_end *all[] = { &no_tso, &one_queue, &old };
	struct virtio_device *second;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(connect_to(all[i]), -ENOTSUP);
		end(all[i]);
		assert_false(virtio_net_link(card.device));
	}
	/* To a guest that does not use it, it does no harm. */
	assert_true(card_start(&card, VMM_FEATURE(VIRTIO_NET_F_CTRL_VQ)));
	assert_int_equal(connect_to(&no_tso), 0);
	end(&no_tso);
	is_well();
	/* A card that is made with it offers what it has. */
	fd = start(&no_tso);
	second = virtio_net_vhost_create(loop, &card.memory, &config, fd, -1,
					 NULL, NULL, NULL);
	assert_non_null(second);
	assert_int_equal(second->offered >> VIRTIO_NET_F_HOST_TSO4 & 1, 0);
	assert_int_equal(second->offered >> VIRTIO_NET_F_HOST_TSO6 & 1, 1);
	second->ops->destroy(second);
	end(&no_tso);
}

/* It sees no address of ours, and nothing but what the guest set up. */
static void what_it_is_told(void **state)
{
	struct back_end b = { .features = FEATURES, .n_queues = 2 };

	assert_true(card_start(&card, VMM_FEATURE(VIRTIO_NET_F_CTRL_VQ)));
	assert_int_equal(connect_to(&b), 0);
	assert_int_equal(b.n_seen[VHOST_SET_VRING_ADDR], 2);
	assert_int_equal(b.n_seen[VHOST_SET_VRING_ENABLE], 2);
	assert_int_equal(b.addr.desc & 0xffffffffff,
			 card.device->queues[1].desc);
	assert_int_equal(b.addr.desc >> 40, 1);
	pthread_mutex_lock(&card.device->lock);
	card.device->ops->call_changed(card.device, &card.device->queues[0]);
	card.device->ops->call_changed(card.device, &card.device->queues[2]);
	pthread_mutex_unlock(&card.device->lock);
	assert_int_equal(b.n_seen[VHOST_SET_VRING_CALL], 2);
	event_base_loop(loop, EVLOOP_NONBLOCK);
	assert_int_equal(b.n_seen[VHOST_SET_VRING_CALL], 4);
	virtio_net_announce(card.device);
	assert_int_equal(b.n_seen[VHOST_SEND_RARP], 1);
	end(&b);
	is_well();
}

static void speaks_unasked(void **state)
{
	struct back_end b = { .features = FEATURES, .n_queues = 2 };

	assert_int_equal(connect_to(&b), 0);
	assert_true(card_wait(loop, is_up, NULL));
	assert_int_equal(send(b.fd, "?", 1, MSG_NOSIGNAL), 1);
	assert_true(card_wait(loop, is_down, NULL));
	end(&b);
}

static void says_nothing(void **state)
{
	struct back_end b = { .about = VHOST_GET_FEATURES,
			      .lie = SILENCE,
			      .features = FEATURES,
			      .n_queues = 2 };

	assert_int_equal(connect_to(&b), -ETIMEDOUT);
	end(&b);
	assert_true(card_start(&card, 0));
	is_well();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(lies_about_GET_FEATURES),
		TEST(lies_about_GET_PROTOCOL_FEATURES),
		TEST(lies_about_SET_PROTOCOL_FEATURES),
		TEST(lies_about_SET_FEATURES),
		TEST(lies_about_GET_QUEUE_NUM),
		TEST(lies_about_SET_MEM_TABLE),
		TEST(lies_about_SET_VRING_KICK),
		TEST(lies_about_GET_VRING_BASE),
		TEST(lies_about_GET_INFLIGHT_FD),
		TEST(lies_about_SET_INFLIGHT_FD),
		TEST(offers_less),
		TEST(what_it_is_told),
		TEST(speaks_unasked),
		TEST(says_nothing),
	};

	log_set("ANY:off", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A session by its messages: what front ends send, in their orders and others,
 * what is refused, and what is let go at the end.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <cmocka.h>

#include "packet/offload.h"
#include "vhost/mapping.h"
#include "vhost/protocol.h"
#include "vhost/session.h"

#include "descriptors.h"

#define MIB    (1ull << 20)
#define USER   0x7f0000000000ull
#define GUEST  0x100000ull
#define BIT(n) (1ull << (n))
#define RING   (4 * 65536ull) /* user addresses of a queue's parts */
#define BASE_F (BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES))

static struct vhost_session *session;
static struct vhost_message message, reply;
static bool has_reply;
static char *why;
static int memfd;
static unsigned before;
static struct {
	unsigned queue[8], changed;
	uint64_t mac;
} told;

static void queue_changed(void *arg, unsigned index)
{
	told.queue[index]++;
}

static void changed(void *arg)
{
	told.changed++;
}

static void announce(void *arg, uint64_t mac)
{
	told.mac = mac;
}

static void create(unsigned n_pairs, uint16_t mtu, uint64_t features_off)
{
	const struct vhost_session_config config = {
		.name = "vm1",
		.n_pairs = n_pairs,
		.mtu = mtu,
		.features_off = features_off,
		.queue_changed = queue_changed,
		.changed = changed,
		.announce = announce,
	};

	session = vhost_session_create(&config);
}

static int setup(void **state)
{
	before = count_fds();
	memset(&told, 0, sizeof(told));
	memfd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(memfd, 4 * MIB), 0);
	create(2, 0, 0);
	return 0;
}

static int teardown(void **state)
{
	vhost_session_destroy(session);
	vhost_message_clear(&message);
	vhost_message_clear(&reply);
	close(memfd);
	free(why);
	why = NULL;
	return count_fds() != before || vhost_mapping_count();
}

/* fd: a copy of it goes with the message; -1: none. */
static int ask_with(uint32_t request, uint32_t flags, const void *payload,
		    uint32_t size, int fd)
{
	int error;

	memset(&message, 0, sizeof(message));
	vhost_message_clear(&reply);
	message.request = request;
	message.flags = VHOST_USER_VERSION | flags;
	message.size = size;
	memcpy(message.payload, payload, size);
	if (fd >= 0)
		message.fds[message.n_fds++] = dup(fd);
	error = vhost_session_handle(session, &message, &reply, &has_reply,
				     &why);
	vhost_message_clear(&message);
	return error;
}

static int ask(uint32_t request, const void *payload, uint32_t size, int fd)
{
	return ask_with(request, 0, payload, size, fd);
}

static int ask_u64(uint32_t request, uint64_t value)
{
	return ask(request, &value, sizeof(value), -1);
}

static int ask_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_user_vring_state state = { index, num };

	return ask(request, &state, sizeof(state), -1);
}

static int ask_fd(uint32_t request, uint64_t index)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	int error = ask(request, &index, sizeof(index), fd);

	close(fd);
	return error;
}

static uint64_t get(uint32_t request)
{
	uint64_t value;

	assert_int_equal(ask(request, "", 0, -1), 0);
	assert_true(has_reply);
	assert_int_equal(reply.size, 8);
	assert_int_equal(reply.flags, VHOST_USER_VERSION | VHOST_USER_REPLY);
	memcpy(&value, reply.payload, sizeof(value));
	return value;
}

static int ask_table(uint64_t size, uint64_t offset)
{
	struct vhost_user_table table = {
		.n = 1,
		.regions = { { GUEST, size, USER, offset } },
	};

	return ask(VHOST_USER_SET_MEM_TABLE, &table, 8 + 32, memfd);
}

static int ask_addr(unsigned i, uint32_t flags)
{
	struct vhost_user_vring_addr addr = {
		.index = i,
		.flags = flags,
		.desc = USER + i * RING,
		.avail = USER + i * RING + 65536,
		.used = USER + i * RING + 2 * 65536,
		.log = GUEST + i * RING + 2 * 65536,
	};

	return ask(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
}

static bool runs(unsigned i)
{
	struct virtqueue_info info;

	virtqueue_get_info(vhost_session_queue(session, i), &info);
	return info.started && info.enabled;
}

static void negotiate(uint64_t features)
{
	assert_int_equal(get(VHOST_USER_GET_FEATURES) & features, features);
	assert_int_equal(ask_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
				 get(VHOST_USER_GET_PROTOCOL_FEATURES)),
			 0);
	assert_int_equal(ask(VHOST_USER_SET_OWNER, "", 0, -1), 0);
	assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES, features), 0);
}

static void set_up_ring(unsigned i)
{
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_NUM, i, 256), 0);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_BASE, i, 0), 0);
	assert_int_equal(ask_addr(i, 0), 0);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, i), 0);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_CALL, i), 0);
}

/* As QEMU does it: a pair that runs. */
static void start_pair(uint64_t features)
{
	negotiate(features);
	assert_int_equal(ask_table(MIB, 0), 0);
	set_up_ring(0);
	set_up_ring(1);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 1, 1), 0);
}

/* --- negotiation --- */

static void features_that_were_not_offered_are_refused(void **state)
{
	uint64_t all = get(VHOST_USER_GET_FEATURES);

	assert_true(all & BIT(VIRTIO_NET_F_HOST_UFO));
	assert_true(all & BIT(VIRTIO_NET_F_GUEST_UFO));
	assert_false(all & BIT(VIRTIO_F_ACCESS_PLATFORM));
	assert_false(all & BIT(VIRTIO_NET_F_MTU));
	assert_true(all & BIT(VIRTIO_NET_F_MQ));
	assert_true(all & BIT(VIRTIO_F_RING_PACKED));
	assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES,
				 all | BIT(VIRTIO_F_ACCESS_PLATFORM)),
			 -EPROTO);
	assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES, UINT64_MAX), -EPROTO);
	assert_int_equal(ask_u64(VHOST_USER_SET_PROTOCOL_FEATURES, UINT64_MAX),
			 -EPROTO);
	assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES, all), 0);
}

static void the_configuration_decides_what_is_offered(void **state)
{
	uint64_t all;

	vhost_session_destroy(session);
	create(1, 1500, BIT(VIRTIO_F_RING_PACKED));
	all = get(VHOST_USER_GET_FEATURES);
	assert_true(all & BIT(VIRTIO_NET_F_MTU));
	assert_false(all & BIT(VIRTIO_NET_F_MQ));
	assert_false(all & BIT(VIRTIO_F_RING_PACKED));
	assert_int_equal(get(VHOST_USER_GET_QUEUE_NUM), 1);
	assert_int_equal(get(VHOST_USER_GET_MAX_MEM_SLOTS), VHOST_REGIONS_MAX);
	assert_null(vhost_session_queue(session, 2));
}

static uint32_t offloads_of(uint64_t features)
{
	struct vhost_session_info info;

	assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES, features), 0);
	vhost_session_get_info(session, &info);
	assert_int_equal(info.features, features);
	return info.tx_offloads;
}

static void what_the_guest_finishes_follows_its_features(void **state)
{
	uint64_t csum = BIT(VIRTIO_NET_F_GUEST_CSUM);
	uint64_t uso = BIT(54) | BIT(55);

	assert_int_equal(offloads_of(BASE_F), 0);
	assert_int_equal(offloads_of(BASE_F | csum), OFFLOAD_CSUM);
	assert_int_equal(offloads_of(BASE_F | BIT(VIRTIO_NET_F_GUEST_TSO4)), 0);
	assert_int_equal(offloads_of(BASE_F | csum |
				     BIT(VIRTIO_NET_F_GUEST_TSO4) |
				     BIT(VIRTIO_NET_F_GUEST_TSO6) |
				     BIT(VIRTIO_NET_F_GUEST_ECN) | uso),
			 OFFLOAD_ALL);
	assert_int_equal(
		offloads_of(BASE_F | csum | BIT(VIRTIO_NET_F_GUEST_UFO)),
		OFFLOAD_CSUM | OFFLOAD_UFO);
	assert_int_equal(offloads_of(BASE_F | csum | BIT(54)), OFFLOAD_CSUM);
}

static void a_reply_comes_when_it_was_agreed_on(void **state)
{
	uint64_t value = BASE_F;

	assert_int_equal(ask_with(VHOST_USER_SET_FEATURES,
				  VHOST_USER_NEED_REPLY, &value, 8, -1),
			 0);
	assert_false(has_reply);
	negotiate(BASE_F);
	assert_int_equal(ask_with(VHOST_USER_SET_FEATURES,
				  VHOST_USER_NEED_REPLY, &value, 8, -1),
			 0);
	assert_true(has_reply);
	memcpy(&value, reply.payload, 8);
	assert_int_equal(value, 0);
	/* One that has an answer of its own has no other. */
	assert_int_equal(ask_with(VHOST_USER_GET_FEATURES,
				  VHOST_USER_NEED_REPLY, "", 0, -1),
			 0);
	memcpy(&value, reply.payload, 8);
	assert_int_not_equal(value, 0);
}

static void a_refusal_is_a_reply_or_the_end(void **state)
{
	uint8_t iotlb[32] = { 0 };
	uint64_t mtu = 10, value;

	negotiate(BASE_F);
	assert_int_equal(ask_u64(VHOST_USER_NET_SET_MTU, mtu), -EINVAL);
	assert_non_null(strstr(why, "NET_SET_MTU"));
	assert_int_equal(ask_with(VHOST_USER_NET_SET_MTU, VHOST_USER_NEED_REPLY,
				  &mtu, 8, -1),
			 0);
	memcpy(&value, reply.payload, 8);
	assert_int_equal(value, 1);
	assert_int_equal(ask_with(VHOST_USER_IOTLB_MSG, VHOST_USER_NEED_REPLY,
				  iotlb, sizeof(iotlb), -1),
			 0);
	memcpy(&value, reply.payload, 8);
	assert_int_equal(value, 1);
	assert_int_equal(ask(VHOST_USER_IOTLB_MSG, iotlb, 32, -1), -EOPNOTSUPP);
}

static void mtu_status_and_announcement_are_told(void **state)
{
	struct vhost_session_info info;

	assert_int_equal(ask_u64(VHOST_USER_NET_SET_MTU, 9000), 0);
	assert_int_equal(told.changed, 1);
	vhost_session_get_info(session, &info);
	assert_int_equal(info.mtu, 9000);
	assert_int_equal(ask_u64(VHOST_USER_NET_SET_MTU, 65536), -EINVAL);
	assert_int_equal(ask_u64(VHOST_USER_SET_STATUS, 15), 0);
	assert_int_equal(get(VHOST_USER_GET_STATUS), 15);
	assert_int_equal(ask_u64(VHOST_USER_SET_STATUS, 256), -EPROTO);
	assert_int_equal(
		ask(VHOST_USER_SEND_RARP, "\x52\x54\0\1\2\3\0\0", 8, -1), 0);
	assert_int_equal(told.mac, 0x525400010203);
	assert_int_equal(ask(VHOST_USER_SEND_RARP, "\1\0\0\1\2\3\0\0", 8, -1),
			 -EINVAL);
}

/* --- rings --- */

static void a_pair_runs_as_qemu_sets_it_up(void **state)
{
	struct vhost_session_info info;

	start_pair(BASE_F);
	assert_true(runs(0) && runs(1));
	assert_true(vhost_session_kick_fd(session, 1) >= 0);
	assert_int_equal(told.queue[1], 1);
	assert_int_equal(told.queue[0], 0);
	vhost_session_get_info(session, &info);
	assert_true(info.link_up);
	assert_int_equal(info.n_pairs, 1);
	assert_int_equal(info.n_regions, 1);
	assert_int_equal(info.memory_size, MIB);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 1, 0), 0);
	assert_false(runs(1));
	assert_int_equal(vhost_session_kick_fd(session, 1), -1);
	assert_int_equal(told.queue[1], 2);
}

/* Senders use pairs from the first on. */
static void a_pair_behind_one_that_does_not_run_is_not_in_use(void **state)
{
	struct vhost_session_info info;

	start_pair(BASE_F);
	set_up_ring(2);
	set_up_ring(3);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 2, 1), 0);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 3, 1), 0);
	vhost_session_get_info(session, &info);
	assert_int_equal(info.n_pairs, 2);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
	vhost_session_get_info(session, &info);
	assert_int_equal(info.n_pairs, 0);
	assert_false(info.link_up);
}

static void a_ring_waits_for_its_memory(void **state)
{
	negotiate(BASE_F);
	set_up_ring(1);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 1, 1), 0);
	assert_false(runs(1));
	assert_int_equal(ask_table(MIB, 0), 0);
	assert_true(runs(1));
}

static void without_protocol_features_a_kick_is_enough(void **state)
{
	assert_int_equal(
		ask_u64(VHOST_USER_SET_FEATURES, BIT(VIRTIO_F_VERSION_1)), 0);
	assert_int_equal(ask_table(MIB, 0), 0);
	set_up_ring(0);
	assert_true(runs(0));
}

static void with_them_it_has_to_be_enabled(void **state)
{
	negotiate(BASE_F);
	assert_int_equal(ask_table(MIB, 0), 0);
	set_up_ring(0);
	assert_false(runs(0));
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	assert_true(runs(0));
}

static void a_stopped_ring_tells_where_it_was(void **state)
{
	struct vhost_user_vring_state answer;

	start_pair(BASE_F);
	assert_int_equal(ask_state(VHOST_USER_GET_VRING_BASE, 1, 0), 0);
	assert_true(has_reply);
	memcpy(&answer, reply.payload, sizeof(answer));
	assert_int_equal(answer.index, 1);
	assert_int_equal(answer.num, 0);
	assert_false(runs(1));
	assert_true(runs(0));
	assert_int_equal(vhost_session_kick_fd(session, 1), -1);
	/* And goes on with the next kick descriptor. */
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 1), 0);
	assert_true(runs(1));
}

static void the_place_of_a_ring_that_runs_cannot_be_set(void **state)
{
	start_pair(BASE_F);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_BASE, 0, 5), -EPROTO);
}

static void sizes_and_numbers_have_limits(void **state)
{
	negotiate(BASE_F);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_NUM, 0, 0), -EPROTO);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_NUM, 0, 32769),
			 -EPROTO);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_NUM, 0, 65536 + 256),
			 -EPROTO);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_NUM, 4, 256), -EPROTO);
	assert_int_equal(ask_state(VHOST_USER_GET_VRING_BASE, UINT32_MAX, 0),
			 -EPROTO);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_BASE, 4, 0), -EPROTO);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 4, 1), -EPROTO);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 0, 2), -EPROTO);
	assert_int_equal(ask_addr(4, 0), -EPROTO);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 4), -EPROTO);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_CALL, 255), -EPROTO);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_ERR, 4), -EPROTO);
}

static void a_split_ring_is_a_power_of_two(void **state)
{
	negotiate(BASE_F);
	assert_int_equal(ask_table(MIB, 0), 0);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_NUM, 0, 255), 0);
	assert_int_equal(ask_addr(0, 0), 0);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 0), -EINVAL);
	assert_false(runs(0));
}

static void a_ring_past_the_end_of_memory_does_not_run(void **state)
{
	struct vhost_user_vring_addr addr = {
		.desc = USER,
		.avail = USER + 65536,
		.used = USER + MIB - 4 - 8 * 256 + 1 + 3,
	};

	negotiate(BASE_F);
	assert_int_equal(ask_table(MIB, 0), 0);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_NUM, 0, 256), 0);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(
		ask(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1), 0);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 0), 0);
	assert_false(runs(0));
	addr.used -= 4;
	assert_int_equal(
		ask(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1), 0);
	assert_true(runs(0));
	addr.desc = UINT64_MAX - 15;
	assert_int_equal(
		ask(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1), 0);
	assert_false(runs(0));
}

static void only_an_eventfd_is_kicked_and_called(void **state)
{
	uint64_t index = 0;

	assert_int_equal(ask(VHOST_USER_SET_VRING_KICK, &index, 8, memfd),
			 -EPROTO);
	assert_int_equal(ask(VHOST_USER_SET_VRING_CALL, &index, 8, memfd),
			 -EPROTO);
	assert_int_equal(ask(VHOST_USER_SET_VRING_ERR, &index, 8, memfd),
			 -EPROTO);
}

static void a_queue_without_kick_descriptor_is_polled(void **state)
{
	negotiate(BASE_F);
	assert_int_equal(ask_table(MIB, 0), 0);
	set_up_ring(1);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 1, 1), 0);
	assert_int_equal(
		ask_u64(VHOST_USER_SET_VRING_KICK, 1 | VHOST_USER_VRING_NOFD),
		0);
	assert_int_equal(
		ask_u64(VHOST_USER_SET_VRING_CALL, 1 | VHOST_USER_VRING_NOFD),
		0);
	assert_true(runs(1));
	assert_true(vhost_session_kick_fd(session, 1) >= 0);
}

static void kick_descriptors_stay_open_until_settled(void **state)
{
	unsigned now;

	start_pair(BASE_F);
	now = count_fds();
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 1), 0);
	assert_int_equal(told.queue[1], 2);
	assert_int_equal(count_fds(), now + 1);
	vhost_session_settled(session);
	assert_int_equal(count_fds(), now);
	vhost_session_reset(session);
	assert_int_equal(count_fds(), now - 3); /* one kick, not watched */
	vhost_session_settled(session);
	assert_int_equal(count_fds(), now - 4);
}

/* Nothing is published for what no worker has seen, so nothing settles it. */
static void kick_descriptors_that_nobody_watches_are_closed(void **state)
{
	unsigned now;

	start_pair(BASE_F);
	now = count_fds();
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 0), 0);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 3), 0);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 3), 0);
	assert_int_equal(count_fds(), now + 1);
	/* But one that was, and whose ring has stopped meanwhile, is not. */
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 1, 0), 0);
	assert_int_equal(ask_fd(VHOST_USER_SET_VRING_KICK, 1), 0);
	assert_int_equal(count_fds(), now + 2);
	vhost_session_settled(session);
	assert_int_equal(count_fds(), now + 1);
}

static void what_is_sent_again_replaces_what_was(void **state)
{
	unsigned now, changes;

	start_pair(BASE_F);
	now = count_fds();
	changes = told.changed;
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(ask_fd(VHOST_USER_SET_VRING_CALL, 0), 0);
		assert_int_equal(ask_fd(VHOST_USER_SET_VRING_ERR, 1), 0);
		assert_int_equal(ask(VHOST_USER_SET_LOG_FD, "", 0, memfd), 0);
		assert_int_equal(
			ask(VHOST_USER_SET_BACKEND_REQ_FD, "", 0, memfd), 0);
		assert_int_equal(ask_table(MIB, 0), 0);
		assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES, BASE_F), 0);
	}
	assert_int_equal(count_fds(), now + 3);
	assert_int_equal(vhost_mapping_count(), 1);
	assert_int_equal(told.changed, changes);
	assert_true(runs(0) && runs(1));
	for (unsigned i = 0; i < 5000; i++)
		if (ask_fd(VHOST_USER_SET_VRING_KICK, 1))
			return;
	fail_msg("kick descriptors without end");
}

/* --- memory, log, in-flight region --- */

static void a_table_that_is_refused_leaves_the_old_one(void **state)
{
	start_pair(BASE_F);
	assert_int_equal(ask_table(5 * MIB, 0), -EINVAL);
	assert_int_equal(ask_table(MIB, UINT64_MAX), -EINVAL);
	assert_true(runs(0) && runs(1));
	assert_int_equal(vhost_mapping_count(), 1);
}

static void a_table_without_the_rings_stops_them(void **state)
{
	start_pair(BASE_F);
	assert_int_equal(ask_table(4096, 0), 0);
	assert_false(runs(0) || runs(1));
	assert_int_equal(ask_table(2 * MIB, 0), 0);
	assert_true(runs(0) && runs(1));
}

static void memory_comes_and_goes_by_slots(void **state)
{
	struct vhost_user_one_region one = {
		.region = { GUEST, MIB, USER, 0 },
	};
	struct vhost_session_info info;

	negotiate(BASE_F);
	set_up_ring(0);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	assert_int_equal(ask(VHOST_USER_ADD_MEM_REG, &one, 40, memfd), 0);
	assert_true(runs(0));
	/* Once for each pair of queues is as good as once. */
	assert_int_equal(ask(VHOST_USER_ADD_MEM_REG, &one, 40, memfd), 0);
	one.region.guest += 4096;
	assert_int_equal(ask(VHOST_USER_ADD_MEM_REG, &one, 40, memfd), -EINVAL);
	one.region.guest += MIB - 4096;
	one.region.user += MIB;
	assert_int_equal(ask(VHOST_USER_ADD_MEM_REG, &one, 40, memfd), 0);
	vhost_session_get_info(session, &info);
	assert_int_equal(info.n_regions, 2);
	assert_int_equal(ask(VHOST_USER_REM_MEM_REG, &one, 40, memfd), 0);
	assert_int_equal(ask(VHOST_USER_REM_MEM_REG, &one, 40, -1), 0);
	assert_true(runs(0));
	one.region.guest -= MIB;
	one.region.user -= MIB;
	assert_int_equal(ask(VHOST_USER_REM_MEM_REG, &one, 40, -1), 0);
	assert_false(runs(0));
	assert_int_equal(vhost_mapping_count(), 0);
}

static void a_migration_logs_and_rings_run_on(void **state)
{
	struct vhost_user_log log = { .size = 4096 };

	start_pair(BASE_F);
	assert_int_equal(ask(VHOST_USER_SET_LOG_BASE, &log, sizeof(log), memfd),
			 0);
	assert_true(has_reply);
	assert_int_equal(
		ask_u64(VHOST_USER_SET_FEATURES, BASE_F | BIT(VHOST_F_LOG_ALL)),
		0);
	assert_int_equal(ask_addr(0, 1), 0);
	assert_int_equal(ask_addr(1, 1), 0);
	assert_true(runs(0) && runs(1));
	assert_int_equal(ask(VHOST_USER_SET_LOG_BASE, &log, sizeof(log), memfd),
			 0);
	assert_int_equal(vhost_mapping_count(), 2);
	assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES, BASE_F), 0);
	assert_int_equal(ask_addr(0, 0), 0);
	assert_true(runs(0) && runs(1));
}

static void a_log_has_to_be_memory_of_its_size(void **state)
{
	struct vhost_user_log log = { .size = 5 * MIB };
	uint64_t address = 0x1000;

	assert_int_equal(ask(VHOST_USER_SET_LOG_BASE, &log, sizeof(log), memfd),
			 -EINVAL);
	log.size = 4096;
	log.offset = UINT64_MAX - 4095;
	assert_int_equal(ask(VHOST_USER_SET_LOG_BASE, &log, sizeof(log), memfd),
			 -EINVAL);
	assert_int_equal(ask(VHOST_USER_SET_LOG_BASE, &address, 8, -1),
			 -EPROTO);
}

static int ask_inflight(uint32_t request, uint64_t size, uint64_t offset,
			uint16_t n, uint16_t queue_size, int fd)
{
	struct vhost_user_inflight told_of = { size, offset, n, queue_size, 0 };

	return ask(request, &told_of, sizeof(told_of), fd);
}

static void an_inflight_region_is_made_and_comes_back(void **state)
{
	struct vhost_user_inflight made;
	int fd;

	negotiate(BASE_F);
	assert_int_equal(
		ask_inflight(VHOST_USER_GET_INFLIGHT_FD, 0, 0, 2, 256, -1), 0);
	assert_true(has_reply);
	assert_int_equal(reply.n_fds, 1);
	memcpy(&made, reply.payload, sizeof(made));
	assert_true(made.size >= 2 * (16 + 256 * 16));
	fd = vhost_message_take_fd(&reply, 0);
	start_pair(BASE_F);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask_inflight(VHOST_USER_SET_INFLIGHT_FD,
					      made.size, 0, 2, 256, fd),
				 0);
	assert_true(runs(0) && runs(1));
	assert_int_equal(vhost_mapping_count(), 2);
	close(fd);
}

static void inflight_numbers_are_checked(void **state)
{
	static const uint16_t bad[][2] = {
		{ 0, 256 }, { 5, 256 }, { 65535, 256 }, { 2, 0 }, { 2, 65535 },
	};

	negotiate(BASE_F);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(ask_inflight(VHOST_USER_GET_INFLIGHT_FD, 0, 0,
					      bad[i][0], bad[i][1], -1),
				 -EPROTO);
		assert_int_equal(ask_inflight(VHOST_USER_SET_INFLIGHT_FD, MIB,
					      0, bad[i][0], bad[i][1], memfd),
				 -EPROTO);
	}
	assert_int_equal(
		ask_inflight(VHOST_USER_SET_INFLIGHT_FD, 100, 0, 2, 256, memfd),
		-EPROTO);
	assert_int_equal(
		ask_inflight(VHOST_USER_SET_INFLIGHT_FD, MIB, 4, 2, 256, memfd),
		-EPROTO);
	/* Longer than its file. */
	assert_int_equal(ask_inflight(VHOST_USER_SET_INFLIGHT_FD, 1ull << 40, 0,
				      2, 256, memfd),
			 -EINVAL);
	assert_int_equal(ask_inflight(VHOST_USER_SET_INFLIGHT_FD, UINT64_MAX,
				      4 * MIB, 2, 256, memfd),
			 -EINVAL);
}

/* --- ends --- */

static void reset_lets_go_of_everything(void **state)
{
	struct vhost_session_info info;

	start_pair(BASE_F);
	vhost_session_reset(session);
	assert_false(runs(0) || runs(1));
	assert_int_equal(vhost_mapping_count(), 0);
	assert_int_equal(told.queue[1], 2);
	vhost_session_get_info(session, &info);
	assert_false(info.link_up);
	assert_int_equal(info.features, 0);
	vhost_session_settled(session);
	start_pair(BASE_F | BIT(VIRTIO_F_RING_PACKED));
	assert_true(runs(0) && runs(1));
}

static void a_device_reset_keeps_the_memory(void **state)
{
	struct vhost_session_info info;

	start_pair(BASE_F);
	assert_int_equal(ask(VHOST_USER_RESET_DEVICE, "", 0, -1), 0);
	assert_false(runs(0) || runs(1));
	vhost_session_get_info(session, &info);
	assert_int_equal(info.n_regions, 1);
	assert_int_equal(info.features, 0);
	assert_int_equal(ask_u64(VHOST_USER_SET_FEATURES, BASE_F), 0);
	set_up_ring(1);
	assert_int_equal(ask_state(VHOST_USER_SET_VRING_ENABLE, 1, 1), 0);
	assert_true(runs(1));
}

static void status_zero_and_reset_owner_stop_the_rings(void **state)
{
	start_pair(BASE_F);
	assert_int_equal(ask_u64(VHOST_USER_SET_STATUS, 0), 0);
	assert_false(runs(0) || runs(1));
	set_up_ring(1);
	assert_true(runs(1));
	assert_int_equal(ask(VHOST_USER_RESET_OWNER, "", 0, -1), 0);
	assert_false(runs(1));
}

static struct packet packets[4];
static _Atomic uint64_t drops[N_DROP_REASONS];
static _Atomic bool stop;

static void memory_that_shrinks_is_noticed(void **state)
{
	vhost_memory_guard();
	start_pair(BASE_F);
	assert_false(vhost_session_is_damaged(session));
	assert_int_equal(ftruncate(memfd, 0), 0);
	assert_int_equal(virtqueue_receive(vhost_session_queue(session, 1),
					   packets, 4, drops),
			 0);
	assert_true(vhost_session_is_damaged(session));
	vhost_session_reset(session);
	assert_false(vhost_session_is_damaged(session));
}

static void *work(void *arg)
{
	struct virtqueue *vq = arg;

	while (!atomic_load(&stop))
		if (virtqueue_receive(vq, packets, 4, drops))
			virtqueue_done(vq);
	return NULL;
}

static void memory_is_replaced_while_workers_run(void **state)
{
	pthread_t worker;

	start_pair(BASE_F);
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&worker, NULL, work,
					vhost_session_queue(session, 1)),
			 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(ask_table(MIB, i % 4 * MIB), 0);
	assert_true(runs(1));
	vhost_session_reset(session);
	start_pair(BASE_F);
	vhost_session_reset(session);
	atomic_store(&stop, true);
	pthread_join(worker, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(features_that_were_not_offered_are_refused),
		TEST(the_configuration_decides_what_is_offered),
		TEST(what_the_guest_finishes_follows_its_features),
		TEST(a_reply_comes_when_it_was_agreed_on),
		TEST(a_refusal_is_a_reply_or_the_end),
		TEST(mtu_status_and_announcement_are_told),
		TEST(a_pair_runs_as_qemu_sets_it_up),
		TEST(a_pair_behind_one_that_does_not_run_is_not_in_use),
		TEST(a_ring_waits_for_its_memory),
		TEST(without_protocol_features_a_kick_is_enough),
		TEST(with_them_it_has_to_be_enabled),
		TEST(a_stopped_ring_tells_where_it_was),
		TEST(the_place_of_a_ring_that_runs_cannot_be_set),
		TEST(sizes_and_numbers_have_limits),
		TEST(a_split_ring_is_a_power_of_two),
		TEST(a_ring_past_the_end_of_memory_does_not_run),
		TEST(only_an_eventfd_is_kicked_and_called),
		TEST(a_queue_without_kick_descriptor_is_polled),
		TEST(kick_descriptors_stay_open_until_settled),
		TEST(kick_descriptors_that_nobody_watches_are_closed),
		TEST(what_is_sent_again_replaces_what_was),
		TEST(a_table_that_is_refused_leaves_the_old_one),
		TEST(a_table_without_the_rings_stops_them),
		TEST(memory_comes_and_goes_by_slots),
		TEST(a_migration_logs_and_rings_run_on),
		TEST(a_log_has_to_be_memory_of_its_size),
		TEST(an_inflight_region_is_made_and_comes_back),
		TEST(inflight_numbers_are_checked),
		TEST(reset_lets_go_of_everything),
		TEST(a_device_reset_keeps_the_memory),
		TEST(status_zero_and_reset_owner_stop_the_rings),
		TEST(memory_that_shrinks_is_noticed),
		TEST(memory_is_replaced_while_workers_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

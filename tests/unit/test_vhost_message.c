/*
 * Messages as they arrive: in pieces, with descriptors, and with what a front
 * end may get wrong. No descriptor is ever left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost/message.h"
#include "vhost/protocol.h"

#include "descriptors.h"

static struct vhost_message_reader reader;
static int ours, theirs, event;
static unsigned before;
static char *why;

static int setup(void **state)
{
	int pair[2];

	memset(&reader, 0, sizeof(reader));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ours = pair[0];
	theirs = pair[1];
	event = eventfd(0, EFD_NONBLOCK);
	before = count_fds();
	return 0;
}

static int teardown(void **state)
{
	unsigned after = count_fds();

	close(ours);
	if (theirs >= 0)
		close(theirs);
	close(event);
	free(why);
	why = NULL;
	return after != before;
}

static void send_bytes(const void *bytes, size_t len, unsigned n_fds)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int *fds = (int *)CMSG_DATA(&control.header);

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = event;
	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(theirs, &msg, 0), len);
}

static struct {
	uint32_t request, flags, size;
	uint8_t payload[4096];
} out;

static void prepare(uint32_t request, uint32_t size)
{
	memset(&out, 0, sizeof(out));
	out.request = request;
	out.flags = VHOST_USER_VERSION;
	out.size = size;
}

static int receive(void)
{
	return vhost_message_read(&reader, ours, &why);
}

static int send_and_receive(uint32_t request, uint32_t size, unsigned n_fds)
{
	prepare(request, size);
	send_bytes(&out, VHOST_USER_HEADER_LEN + size, n_fds);
	return receive();
}

static void a_message_arrives_whole(void **state)
{
	assert_int_equal(receive(), 0);
	prepare(VHOST_USER_SET_FEATURES, 8);
	out.payload[7] = 9;
	send_bytes(&out, 20, 0);
	assert_int_equal(receive(), 1);
	assert_int_equal(reader.message.request, VHOST_USER_SET_FEATURES);
	assert_int_equal(reader.message.size, 8);
	assert_int_equal(reader.message.payload[7], 9);
	assert_int_equal(receive(), 0);
}

static void a_message_arrives_byte_by_byte(void **state)
{
	prepare(VHOST_USER_SET_VRING_CALL, 8);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(receive(), 0);
		send_bytes((char *)&out + i, 1, i == 0);
	}
	assert_int_equal(receive(), 1);
	assert_int_equal(reader.message.n_fds, 1);
	vhost_message_clear(&reader.message);
}

static void two_messages_at_once_are_two(void **state)
{
	prepare(VHOST_USER_GET_FEATURES, 0);
	send_bytes(&out, 12, 0);
	prepare(VHOST_USER_SET_OWNER, 0);
	send_bytes(&out, 12, 0);
	assert_int_equal(receive(), 1);
	assert_int_equal(reader.message.request, VHOST_USER_GET_FEATURES);
	assert_int_equal(receive(), 1);
	assert_int_equal(reader.message.request, VHOST_USER_SET_OWNER);
	assert_int_equal(receive(), 0);
}

static void descriptors_not_taken_out_are_closed_by_the_next(void **state)
{
	int fd;

	assert_int_equal(send_and_receive(VHOST_USER_SET_VRING_KICK, 8, 1), 1);
	assert_int_equal(count_fds(), before + 1);
	assert_int_equal(send_and_receive(VHOST_USER_SET_VRING_KICK, 8, 1), 1);
	assert_int_equal(count_fds(), before + 1);
	fd = vhost_message_take_fd(&reader.message, 0);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(vhost_message_take_fd(&reader.message, 0), -1);
	assert_int_equal(vhost_message_take_fd(&reader.message, 1), -1);
	vhost_message_clear(&reader.message);
	assert_int_equal(count_fds(), before + 1);
	close(fd);
}

static void too_many_descriptors_are_all_closed(void **state)
{
	assert_int_equal(send_and_receive(VHOST_USER_SET_MEM_TABLE, 8, 9),
			 -EPROTO);
	assert_non_null(strstr(why, "lost"));
}

static void many_descriptors_over_several_parts_are_all_closed(void **state)
{
	prepare(VHOST_USER_SET_MEM_TABLE, 8);
	send_bytes(&out, 4, 5);
	assert_int_equal(receive(), 0);
	send_bytes((char *)&out + 4, 4, 5);
	assert_int_equal(receive(), -EPROTO);
}

static void descriptors_cut_off_for_want_of_numbers_are_closed(void **state)
{
	struct rlimit limit, low;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = dup(event) + 1;
	close(low.rlim_cur - 1);
	prepare(VHOST_USER_SET_MEM_TABLE, 8 + 3 * 32);
	out.payload[0] = 3;
	send_bytes(&out, 12 + out.size, 3);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(receive(), -EPROTO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* A few numbers are free yet: they are the switch's. */
static void front_ends_do_not_get_all_descriptors(void **state)
{
	struct rlimit limit, low;
	int filler[90];

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = fcntl(event, F_DUPFD, 100) + 1;
	close(low.rlim_cur - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(filler); i++)
		filler[i] = dup(event);
	prepare(VHOST_USER_SET_VRING_CALL, 8);
	send_bytes(&out, 12 + out.size, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(receive(), -EPROTO);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(filler); i++)
		close(filler[i]);
	assert_non_null(strstr(why, "front ends together"));
}

/* A socket that nobody reads from, and whose closing waits for a reader. */
static int lingering_socket(int *reader_end)
{
	const struct linger hour = { 1, 3600 };
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char bytes[65536] = { 0 };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (void *)&sa, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (void *)&sa, &len), 0);
	assert_int_equal(connect(fd, (void *)&sa, len), 0);
	*reader_end = accept(listener, NULL, NULL);
	close(listener);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof(hour));
	return fd;
}

/* It would take an hour. */
static void closing_is_not_waited_for(void **state)
{
	int reader_end, own = event;
	unsigned fds;

	event = lingering_socket(&reader_end);
	fds = count_fds();
	assert_int_equal(send_and_receive(VHOST_USER_GET_FEATURES, 0, 1),
			 -EPROTO);
	while (count_fds() != fds)
		sched_yield();
	/* Now it is all the switch's. */
	prepare(VHOST_USER_GET_FEATURES, 0);
	send_bytes(&out, VHOST_USER_HEADER_LEN, 1);
	close(event);
	event = own;
	free(why);
	why = NULL;
	assert_int_equal(receive(), -EPROTO);
	while (count_fds() != fds - 1)
		sched_yield();
	close(reader_end);
}

static void a_wrong_number_of_descriptors_is_refused(void **state)
{
	assert_int_equal(send_and_receive(VHOST_USER_GET_FEATURES, 0, 1),
			 -EPROTO);
	assert_int_equal(send_and_receive(VHOST_USER_SET_LOG_FD, 0, 0),
			 -EPROTO);
	assert_int_equal(send_and_receive(VHOST_USER_SET_VRING_KICK, 8, 2),
			 -EPROTO);
	assert_int_equal(send_and_receive(VHOST_USER_ADD_MEM_REG, 40, 0),
			 -EPROTO);
	assert_int_equal(send_and_receive(VHOST_USER_SET_VRING_ADDR, 40, 8),
			 -EPROTO);
}

static void a_descriptor_that_the_payload_denies_is_refused(void **state)
{
	prepare(VHOST_USER_SET_VRING_CALL, 8);
	out.payload[1] = 1; /* says that there is none */
	send_bytes(&out, 20, 1);
	assert_int_equal(receive(), -EPROTO);
	prepare(VHOST_USER_SET_VRING_CALL, 8);
	send_bytes(&out, 20, 0);
	assert_int_equal(receive(), -EPROTO);
	prepare(VHOST_USER_SET_VRING_CALL, 8);
	out.payload[1] = 1;
	send_bytes(&out, 20, 0);
	assert_int_equal(receive(), 1);
}

static void a_table_has_as_many_regions_as_descriptors(void **state)
{
	prepare(VHOST_USER_SET_MEM_TABLE, 8 + 2 * 32);
	out.payload[0] = 2;
	send_bytes(&out, 12 + out.size, 2);
	assert_int_equal(receive(), 1);
	out.payload[0] = 1;
	send_bytes(&out, 12 + out.size, 1);
	assert_int_equal(receive(), -EPROTO);
	out.payload[0] = 2;
	send_bytes(&out, 12 + out.size, 1);
	assert_int_equal(receive(), -EPROTO);
	memset(out.payload, 0xff, 4);
	send_bytes(&out, 12 + out.size, 2);
	assert_int_equal(receive(), -EPROTO);
}

static void a_wrong_size_is_refused(void **state)
{
	for (uint32_t i = 0; i < N_VHOST_USER_REQUESTS; i++) {
		struct vhost_message m = { .request = i, .flags = 1 };

		m.size = VHOST_MESSAGE_PAYLOAD_MAX;
		assert_int_equal(vhost_message_check(&m, NULL), -EPROTO);
		m.size = UINT32_MAX;
		assert_int_equal(vhost_message_check(&m, NULL), -EPROTO);
		m.size = 7;
		if (i != VHOST_USER_RESET_OWNER && i != VHOST_USER_SET_LOG_FD)
			assert_int_equal(vhost_message_check(&m, NULL),
					 -EPROTO);
	}
	assert_int_equal(send_and_receive(VHOST_USER_SET_VRING_KICK, 0, 1),
			 -EPROTO);
	prepare(VHOST_USER_SET_VRING_KICK, UINT32_MAX);
	send_bytes(&out, 20, 1);
	assert_int_equal(receive(), -EPROTO);
}

static void an_unknown_request_is_refused(void **state)
{
	assert_int_equal(send_and_receive(0, 0, 1), -EPROTO);
	assert_int_equal(send_and_receive(28, 0, 0), -EPROTO);
	assert_int_equal(send_and_receive(UINT32_MAX, 0, 8), -EPROTO);
	assert_string_equal(vhost_request_name(999), "an unknown request");
	assert_string_equal(vhost_request_name(1), "GET_FEATURES");
}

static void another_version_or_a_reply_is_refused(void **state)
{
	prepare(VHOST_USER_SET_VRING_KICK, 8);
	out.flags = 2;
	send_bytes(&out, 20, 1);
	assert_int_equal(receive(), -EPROTO);
	vhost_message_clear(&reader.message);
	teardown(NULL);
	setup(NULL);
	prepare(VHOST_USER_SET_VRING_KICK, 8);
	out.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
	send_bytes(&out, 20, 1);
	assert_int_equal(receive(), -EPROTO);
}

static void an_end_in_peace_and_in_the_middle(void **state)
{
	prepare(VHOST_USER_SET_VRING_KICK, 8);
	send_bytes(&out, 15, 1);
	assert_int_equal(receive(), 0);
	close(theirs);
	theirs = -1;
	before--;
	assert_int_equal(receive(), -EPROTO);
	assert_int_equal(receive(), -ECONNRESET);
}

static void a_reply_carries_its_descriptors(void **state)
{
	static struct vhost_message m;

	m = (struct vhost_message){ .request = VHOST_USER_SET_VRING_KICK,
				    .flags = VHOST_USER_VERSION,
				    .size = 8,
				    .n_fds = 1,
				    .fds = { event } };
	assert_int_equal(vhost_message_write(&m, theirs), 0);
	assert_int_equal(receive(), 1);
	assert_int_equal(reader.message.n_fds, 1);
	vhost_message_clear(&reader.message);
}

static void who_does_not_read_is_not_waited_for(void **state)
{
	struct vhost_message m = { .request = 1, .flags = 5, .size = 1024 };
	int error = 0;

	for (unsigned i = 0; i < 100000 && !error; i++)
		error = vhost_message_write(&m, theirs);
	assert_int_equal(error, -EAGAIN);
	close(ours);
	assert_int_equal(vhost_message_write(&m, theirs), -EPIPE);
	ours = dup(event);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_whole),
		TEST(a_message_arrives_byte_by_byte),
		TEST(two_messages_at_once_are_two),
		TEST(descriptors_not_taken_out_are_closed_by_the_next),
		TEST(too_many_descriptors_are_all_closed),
		TEST(many_descriptors_over_several_parts_are_all_closed),
		TEST(descriptors_cut_off_for_want_of_numbers_are_closed),
		TEST(front_ends_do_not_get_all_descriptors),
		TEST(closing_is_not_waited_for),
		TEST(a_wrong_number_of_descriptors_is_refused),
		TEST(a_descriptor_that_the_payload_denies_is_refused),
		TEST(a_table_has_as_many_regions_as_descriptors),
		TEST(a_wrong_size_is_refused),
		TEST(an_unknown_request_is_refused),
		TEST(another_version_or_a_reply_is_refused),
		TEST(an_end_in_peace_and_in_the_middle),
		TEST(a_reply_carries_its_descriptors),
		TEST(who_does_not_read_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A network card on a real tap device in a network namespace of the test's own,
 * seen from the kernel's side by a packet socket. Skipped where that may not be
 * made.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/vmm_card.h"

#define PACKED	 VMM_FEATURE(VIRTIO_F_RING_PACKED)
#define CONTROL	 VMM_FEATURE(VIRTIO_NET_F_CTRL_VQ)
#define MERGE	 VMM_FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define MQ	 VMM_FEATURE(VIRTIO_NET_F_MQ)
#define ANNOUNCE VMM_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE)

enum { MTU = 9000 };

static struct event_base *loop;
static struct card card;
static int taps[2], host; /* the packet socket */

static const struct virtio_net_config config = {
	.mac = { 2, 0, 0, 0, 0, 1 }, .pairs = 2, .packed = true, .mtu = MTU
};

static int open_tap(void)
{
	struct ifreq request = {
		.ifr_name = "test0",
		.ifr_flags =
			IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
	};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int setup(void **state)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq request = { .ifr_name = "test0" };

	taps[0] = open_tap();
	taps[1] = open_tap();
	host = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		      htons(ETH_P_ALL));
	assert_true(taps[1] >= 0 && host >= 0);
	request.ifr_mtu = MTU;
	assert_int_equal(ioctl(host, SIOCSIFMTU, &request), 0);
	request.ifr_flags = IFF_UP | IFF_NOARP;
	assert_int_equal(ioctl(host, SIOCSIFFLAGS, &request), 0);
	at.sll_ifindex = (int)if_nametoindex("test0");
	assert_int_equal(bind(host, (void *)&at, sizeof(at)), 0);
	loop = event_base_new();
	card_init(&card, loop);
	card.device =
		virtio_net_tap_create(loop, &card.memory, &config, taps, NULL);
	assert_non_null(card.device);
	return 0;
}

static int teardown(void **state)
{
	card_uninit(&card);
	event_base_free(loop);
	close(host);
	return 0;
}

/* --- frames --- */

static uint8_t frame[65536];

static ssize_t host_receive(uint32_t number)
{
	ssize_t n;

	while ((n = recv(host, frame, sizeof(frame), 0)) >= 0)
		if (frame[12] == 0x88 && frame[13] == 0xb5 &&
		    !memcmp(frame + 14, &number, 4))
			return n;
	return -1;
}

struct expected {
	uint32_t number;
	ssize_t length;
};

static bool host_has(void *aux)
{
	struct expected *e = aux;

	e->length = host_receive(e->number);
	return e->length >= 0;
}

static void to_host(unsigned int pair, uint32_t length, uint32_t number)
{
	struct expected e = { .number = number };

	card_send(&card, pair, length, number);
	assert_true(card_wait(loop, host_has, &e));
	assert_int_equal(e.length, length);
}

static void host_send(uint32_t length, uint32_t number)
{
	memset(frame, 0xff, 12);
	frame[6] = 2;
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memcpy(frame + 14, &number, 4);
	for (uint32_t i = 18; i < length; i++)
		frame[i] = i % 251;
	assert_int_equal(send(host, frame, length, 0), length);
}

static bool guest_has(void *aux)
{
	while (card_receive(&card))
		if (card_number(&card) == ((struct expected *)aux)->number)
			return true;
	return false;
}

static void to_guest(uint32_t length, uint32_t number)
{
	struct expected e = { .number = number };

	host_send(length, number);
	assert_true(card_wait(loop, guest_has, &e));
	assert_int_equal(card.length, CARD_HEADER + length);
	for (uint32_t i = 18; i < length; i++)
		assert_int_equal(card.frame[CARD_HEADER + i], i % 251);
}

static void exchange(uint32_t length)
{
	for (uint32_t i = 1; i <= 2 * CARD_BUFFERS; i++) {
		to_host(0, length, i);
		to_guest(length, i);
	}
}

static void both_ways(void **state)
{
	assert_true(card_start(&card, CONTROL));
	assert_true(virtio_net_link(card.device));
	exchange(60);
	exchange(1514);
}

static void merged_buffers(void **state)
{
	assert_true(card_start(&card, CONTROL | PACKED | MERGE));
	exchange(60);
	exchange(MTU);
}

/* What does not fit is lost, and nothing else. */
static void too_large(void **state)
{
	assert_true(card_start(&card, CONTROL));
	host_send(CARD_BUFFER + 1, 1);
	to_guest(60, 2);
}

/* More than there are buffers waits, or is lost: the card goes on. */
static void without_buffers(void **state)
{
	assert_true(card_start(&card, MERGE));
	for (uint32_t i = 0; i < 3 * CARD_BUFFERS; i++)
		host_send(60, 1000 + i);
	event_base_loop(loop, EVLOOP_NONBLOCK);
	event_base_loop(loop, EVLOOP_NONBLOCK);
	to_guest(60, 3);
	assert_true(card_restart(&card));
	to_guest(60, 4);
	to_host(0, 60, 5);
}

static void two_pairs(void **state)
{
	const uint16_t two = 2, one = 1, none = 0, many = 3;

	assert_true(card_start(&card, CONTROL | MQ));
#define SET_PAIRS(n)                                                           \
	card_command(&card, VIRTIO_NET_CTRL_MQ,                                \
		     VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &(n), sizeof(n))
	exchange(60);
	assert_int_equal(SET_PAIRS(none), VIRTIO_NET_ERR);
	assert_int_equal(SET_PAIRS(many), VIRTIO_NET_ERR);
	assert_int_equal(SET_PAIRS(two), VIRTIO_NET_OK);
	to_host(1, 60, 77);
	exchange(60);
	assert_int_equal(SET_PAIRS(one), VIRTIO_NET_OK);
	exchange(60);
}

static void commands(void **state)
{
	const uint8_t mac[] = { 2, 9, 9, 9, 9, 9 };
	const uint8_t on = 1;
	const uint16_t pairs = 10;

	assert_true(card_start(&card, CONTROL));
#define COMMAND(class, command, data, length)                                  \
	card_command(&card, VIRTIO_NET_CTRL_##class,                           \
		     VIRTIO_NET_CTRL_##command, data, length)
	assert_int_equal(COMMAND(RX, RX_PROMISC, &on, 1), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND(MAC, MAC_TABLE_SET, mac, 6), VIRTIO_NET_ERR);
	assert_int_equal(COMMAND(ANNOUNCE, ANNOUNCE_ACK, NULL, 0),
			 VIRTIO_NET_ERR);
	assert_int_equal(COMMAND(MQ, MQ_VQ_PAIRS_SET, &pairs, 2),
			 VIRTIO_NET_ERR);
	assert_int_equal(COMMAND(MAC, MAC_ADDR_SET, mac, 6), VIRTIO_NET_ERR);
}

static uint16_t status_of(void)
{
	uint16_t status;

	memcpy(&status, (uint8_t *)card.device->config + 6, 2);
	return status;
}

static bool has_rarp(void *aux)
{
	while (recv(host, frame, sizeof(frame), 0) >= 0)
		if (frame[12] == 0x80 && frame[13] == 0x35 &&
		    !memcmp(frame + 22, config.mac, 6))
			return true;
	return false;
}

static void announcements(void **state)
{
	assert_true(card_start(&card, CONTROL));
	virtio_net_announce(card.device);
	assert_true(card_wait(loop, has_rarp, NULL));
	vmm_driver_reset(&card.driver);
	card.driver.features |= ANNOUNCE;
	assert_true(card_restart(&card));
	virtio_net_set_link(card.device, false);
	virtio_net_announce(card.device);
	assert_int_equal(status_of(), 0);
	virtio_net_set_link(card.device, true);
	assert_int_equal(status_of(),
			 VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	assert_int_equal(COMMAND(ANNOUNCE, ANNOUNCE_ACK, NULL, 0),
			 VIRTIO_NET_OK);
	assert_int_equal(status_of(), VIRTIO_NET_S_LINK_UP);
}

static void link_down(void **state)
{
	unsigned int before;

	assert_true(card_start(&card, CONTROL));
	before = card.n_config_changes;
	virtio_net_set_link(card.device, false);
	virtio_net_set_link(card.device, false);
	assert_int_equal(card.n_config_changes, before + 1);
	card_send(&card, 0, 60, 1);
	host_send(60, 1);
	event_base_loop(loop, EVLOOP_NONBLOCK);
	assert_false(card_receive(&card));
	assert_int_equal(host_receive(1), -1);
	virtio_net_set_link(card.device, true);
	exchange(60);
}

static void saved_state(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"pairs\": 0, \"link\": true}",
		"{\"pairs\": 3, \"link\": true}",
	};
	const struct virtio_ops *ops = card.device->ops;
	json_t *saved, *wrong;

	assert_true(card_start(&card, CONTROL));
	virtio_net_set_link(card.device, false);
	saved = ops->save(card.device);
	assert_true(card_restart(&card));
	virtio_net_set_link(card.device, true);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		wrong = json_loads(bad[i], 0, NULL);
		assert_int_equal(ops->restore(card.device, wrong, NULL),
				 -EINVAL);
		json_decref(wrong);
	}
	assert_int_equal(ops->restore(card.device, saved, NULL), 0);
	json_decref(saved);
	assert_false(virtio_net_link(card.device));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(merged_buffers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(too_large, setup, teardown),
		cmocka_unit_test_setup_teardown(without_buffers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(commands, setup, teardown),
		cmocka_unit_test_setup_teardown(announcements, setup, teardown),
		cmocka_unit_test_setup_teardown(link_down, setup, teardown),
		cmocka_unit_test_setup_teardown(saved_state, setup, teardown),
	};
	int fd;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		printf("skipped: no network namespace can be made\n");
		return 0;
	}
	fd = open_tap();
	if (fd < 0) {
		printf("skipped: no tap device can be made\n");
		return 0;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

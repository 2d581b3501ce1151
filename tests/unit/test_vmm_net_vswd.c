/*
 * Network cards on a real vswd, which is started, killed and started again: by
 * a port of type vhostuser (vswd listens) and one of type vhostuserclient.
 * Skipped where build/vswd is not there.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "tests/support/vmm_card.h"

#define PACKED	 VMM_FEATURE(VIRTIO_F_RING_PACKED)
#define CONTROL	 VMM_FEATURE(VIRTIO_NET_F_CTRL_VQ)
#define MERGE	 VMM_FEATURE(VIRTIO_NET_F_MRG_RXBUF)
#define MQ	 VMM_FEATURE(VIRTIO_NET_F_MQ)
#define ANNOUNCE VMM_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE)

static char programs[256], dir[SCRATCH_SIZE];
static struct event_base *loop;
static pid_t vswd;
static struct card one, two; /* vhostuser, vhostuserclient */
static unsigned int n_lost;

static const struct virtio_net_config config = { .mac = { 2, 0, 0, 0, 0, 1 },
						 .pairs = 2,
						 .packed = true };

/* --- vswd --- */

static void start_vswd(void)
{
	char program[300], option[64];

	snprintf(program, sizeof(program), "%s/vswd", programs);
	snprintf(option, sizeof(option), "--run-dir=%s", dir);
	vswd = fork();
	if (!vswd) {
		/* Its bridge's device is nobody else's, and it ends with us. */
		if (unshare(CLONE_NEWNET) &&
		    unshare(CLONE_NEWUSER | CLONE_NEWNET))
			_exit(126);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, "vswd", option, "--overwrite-pidfile",
		      "--no-sandbox", NULL);
		_exit(127);
	}
	assert_true(vswd > 0);
}

static void kill_vswd(void)
{
	kill(vswd, SIGKILL);
	waitpid(vswd, NULL, 0);
	vswd = 0;
}

static void ctl(const char *arguments)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "%s/vsw-ctl --timeout=20 --db=unix:%s/db.sock %s", programs,
		 dir, arguments);
	assert_int_equal(system(command), 0);
}

static int make_socket(const char *name, bool listens)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/%s", dir, name);
	if (listens) {
		assert_int_equal(bind(fd, (void *)&to, sizeof(to)), 0);
		assert_int_equal(listen(fd, 1), 0);
	} else if (connect(fd, (void *)&to, sizeof(to))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool is_there(void *aux)
{
	int *fd = aux;

	*fd = make_socket("one", false);
	return *fd >= 0;
}

static int connect_one(void)
{
	int fd;

	assert_true(card_wait(loop, is_there, &fd));
	return fd;
}

static void lost(void *aux)
{
	n_lost++;
}

static bool both_up(void *aux)
{
	return virtio_net_link(one.device) && virtio_net_link(two.device);
}

static bool both_down(void *aux)
{
	return !virtio_net_link(one.device) && !virtio_net_link(two.device);
}

static int setup(void **state)
{
	char arguments[512];

	scratch_make(dir);
	start_vswd();
	loop = event_base_new();
	snprintf(arguments, sizeof(arguments),
		 "--retry add-br br0 -- set Bridge br0 datapath_type=netdev"
		 " -- add-port br0 one -- set Interface one type=vhostuser"
		 " options:queues=2"
		 " -- add-port br0 two -- set Interface two"
		 " type=vhostuserclient options:queues=2"
		 " options:vhost-server-path=%s/two.sock",
		 dir);
	card_init(&one, loop);
	card_init(&two, loop);
	two.device = virtio_net_vhost_create(loop, &two.memory, &config, -1,
					     make_socket("two.sock", true),
					     NULL, NULL, NULL);
	assert_non_null(two.device);
	ctl(arguments);
	one.device =
		virtio_net_vhost_create(loop, &one.memory, &config,
					connect_one(), -1, lost, NULL, NULL);
	assert_non_null(one.device);
	n_lost = 0;
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	card_uninit(&one);
	card_uninit(&two);
	event_base_free(loop);
	kill_vswd();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* --- frames --- */

struct expected {
	struct card *card;
	uint32_t number;
};

static bool has_come(void *aux)
{
	const struct expected *e = aux;

	while (card_receive(e->card))
		if (card_number(e->card) == e->number)
			return true;
	return false;
}

static void expect(struct card *card, uint32_t number)
{
	struct expected e = { card, number };

	assert_true(card_wait(loop, has_come, &e));
}

/* More frames each way than there are buffers: none is lost for good. */
static void exchange(uint32_t length)
{
	static uint32_t number;

	for (unsigned int i = 0; i < 2 * CARD_BUFFERS; i++) {
		card_send(&one, 0, length, ++number);
		expect(&two, number);
		assert_int_equal(two.length, CARD_HEADER + length);
		card_send(&two, 0, length, ++number);
		expect(&one, number);
	}
}

static void bring_up(uint64_t features)
{
	assert_true(card_start(&one, features));
	assert_true(card_start(&two, features));
	assert_true(card_wait(loop, both_up, NULL));
}

static void split_rings(void **state)
{
	bring_up(CONTROL);
	exchange(60);
	exchange(1514);
}

static void packed_rings(void **state)
{
	bring_up(CONTROL | PACKED | MERGE);
	exchange(60);
	exchange(1514);
}

static void reconnect(uint64_t features)
{
	bring_up(features);
	exchange(100);
	kill_vswd();
	assert_true(card_wait(loop, both_down, NULL));
	assert_int_equal(n_lost, 1);
	/* What waits in the ring meanwhile is sent afterwards. */
	card_send(&one, 0, 60, 7777);
	start_vswd();
	assert_int_equal(virtio_net_connected(one.device, connect_one(), NULL),
			 0);
	assert_true(card_wait(loop, both_up, NULL));
	exchange(100);
	kill_vswd();
	assert_true(card_wait(loop, both_down, NULL));
	start_vswd();
	assert_int_equal(virtio_net_connected(one.device, connect_one(), NULL),
			 0);
	assert_true(card_wait(loop, both_up, NULL));
	exchange(1000);
}

static void reconnect_split(void **state)
{
	reconnect(CONTROL | MERGE);
}

static void reconnect_packed(void **state)
{
	reconnect(CONTROL | PACKED);
}

static void guest_resets(void **state)
{
	bring_up(CONTROL);
	exchange(60);
	assert_true(card_restart(&one));
	exchange(60);
	/* And while nobody is there. */
	kill_vswd();
	assert_true(card_wait(loop, both_down, NULL));
	assert_true(card_restart(&one));
	assert_true(card_restart(&two));
	start_vswd();
	assert_int_equal(virtio_net_connected(one.device, connect_one(), NULL),
			 0);
	assert_true(card_wait(loop, both_up, NULL));
	exchange(60);
}

static void two_pairs(void **state)
{
	const uint16_t pairs = 2, too_many = 3;

	bring_up(CONTROL | MQ);
	assert_int_equal(card_command(&one, VIRTIO_NET_CTRL_MQ,
				      VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
				      &too_many, sizeof(too_many)),
			 VIRTIO_NET_ERR);
	assert_int_equal(card_command(&one, VIRTIO_NET_CTRL_MQ,
				      VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs,
				      sizeof(pairs)),
			 VIRTIO_NET_OK);
	exchange(60);
	card_send(&one, 1, 60, 4711);
	expect(&two, 4711);
}

static bool is_announced(void *aux)
{
	/* Sender's address in RARP, behind the Ethernet header. */
	while (card_receive(&two))
		if (two.frame[CARD_HEADER + 12] == 0x80 &&
		    two.frame[CARD_HEADER + 13] == 0x35 &&
		    !memcmp(two.frame + CARD_HEADER + 22, config.mac, 6))
			return true;
	return false;
}

static void announcement(void **state)
{
	bring_up(CONTROL);
	exchange(60);
	virtio_net_announce(one.device);
	assert_true(card_wait(loop, is_announced, NULL));
}

/* A new device goes on with the old one's rings, as after a restore. */
static void replace_one(void)
{
	struct virtio_device *old = one.device, *device;
	json_t *state;

	pthread_mutex_lock(&old->lock);
	virtio_device_stop(old);
	pthread_mutex_unlock(&old->lock);
	state = old->ops->save(old);
	device = virtio_net_vhost_create(loop, &one.memory, &config, -1, -1,
					 lost, NULL, NULL);
	assert_non_null(device);
	assert_true(virtio_device_negotiate(device, old->negotiated));
	for (unsigned int i = 0; i < device->n_queues; i++) {
		device->queues[i] = old->queues[i];
		device->queues[i].device = device;
		one.driver.rings[i].queue = &device->queues[i];
	}
	device->status = old->status;
	device->transport = old->transport;
	device->config_changed = old->config_changed;
	old->ops->destroy(old);
	one.device = one.driver.device = device;
	assert_int_equal(device->ops->restore(device, state, NULL), 0);
	json_decref(state);
	assert_int_equal(device->ops->activate(device), 0);
	device->active = true;
}

static void saved_and_restored(uint64_t features)
{
	bring_up(features);
	exchange(60);
	replace_one();
	virtio_net_announce(one.device);
	assert_false(virtio_net_link(one.device));
	assert_int_equal(virtio_net_connected(one.device, connect_one(), NULL),
			 0);
	assert_true(card_wait(loop, is_announced, NULL));
	exchange(60);
}

static void restore_split(void **state)
{
	saved_and_restored(CONTROL);
}

static void restore_packed(void **state)
{
	saved_and_restored(CONTROL | PACKED);
}

static void link_of_the_user(void **state)
{
	bring_up(CONTROL);
	exchange(60);
	virtio_net_set_link(one.device, false);
	assert_false(virtio_net_link(one.device));
	card_send(&two, 0, 60, 12);
	virtio_net_set_link(one.device, true);
	exchange(60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(split_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(packed_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(reconnect_split, setup,
						teardown),
		cmocka_unit_test_setup_teardown(reconnect_packed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(guest_resets, setup, teardown),
		cmocka_unit_test_setup_teardown(two_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(announcement, setup, teardown),
		cmocka_unit_test_setup_teardown(restore_split, setup, teardown),
		cmocka_unit_test_setup_teardown(restore_packed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(link_of_the_user, setup,
						teardown),
	};
	ssize_t n = readlink("/proc/self/exe", programs, sizeof(programs) - 1);

	/* build/unit/test_..., or build/asan/unit/test_... */
	for (int i = 0; i < 2 && n > 0; i++)
		while (n > 0 && programs[--n] != '/')
			programs[n] = '\0';
	programs[MAX(n, 0)] = '\0';
	strcat(programs, "/vswd");
	if (access(programs, X_OK)) {
		printf("skipped: %s is not there\n", programs);
		return 0;
	}
	programs[strlen(programs) - strlen("/vswd")] = '\0';
	return cmocka_run_group_tests(tests, NULL, NULL);
}

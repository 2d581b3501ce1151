/*
 * A disk by a real qemu-storage-daemon: read and written, grown, and what
 * happens when the daemon dies. Skipped where it is not installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
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

static const char daemon_path[] = "/usr/bin/qemu-storage-daemon";
static char dir[SCRATCH_SIZE];
static struct event_base *loop;
static struct guest_memory memory;
static struct virtio_device *disk;
static struct vmm_driver driver;
static uint64_t request_at;
static pid_t child;
static int listener;

enum { SIZE = 1 << 20, SECTOR = 512 };

static void start_daemon(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char block[128], export[128], image[64];
	int fd;

	snprintf(image, sizeof(image), "%s/disk.raw", dir);
	fd = open(image, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	close(fd);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/sock", dir);
	snprintf(block, sizeof(block), "driver=file,node-name=d,filename=%s",
		 image);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (void *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	snprintf(export, sizeof(export),
		 "type=vhost-user-blk,id=e,node-name=d,writable=on,"
		 "num-queues=2,addr.type=fd,addr.str=3");
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (listener == 3)
			fcntl(3, F_SETFD, 0);
		else
			dup2(listener, 3);
		execl(daemon_path, "qemu-storage-daemon", "--blockdev", block,
		      "--export", export, NULL);
		_exit(127);
	}
}

static int connect_to_daemon(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/sock", dir);
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), 0);
	return fd;
}

static void kill_daemon(void)
{
	if (child)
		kill(child, SIGKILL);
	if (child)
		waitpid(child, NULL, 0);
	child = 0;
}

static int setup(void **state)
{
	char *error = NULL;

	scratch_make(dir);
	start_daemon();
	loop = event_base_new();
	assert_int_equal(guest_memory_create(&memory, 4 << 20, false, NULL), 0);
	disk = virtio_blk_vhost_create(loop, &memory, connect_to_daemon(),
				       &error);
	if (!disk)
		fail_msg("%s", error);
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	pthread_mutex_lock(&disk->lock);
	virtio_device_stop(disk);
	pthread_mutex_unlock(&disk->lock);
	vmm_driver_uninit(&driver);
	disk->ops->destroy(disk);
	guest_memory_destroy(&memory);
	event_base_free(loop);
	kill_daemon();
	close(listener);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static uint64_t capacity(void)
{
	uint64_t sectors;

	memcpy(&sectors, disk->config, sizeof(sectors));
	return sectors;
}

static void bring_up(void)
{
	vmm_driver_init(&driver, disk, &memory, 0x100000, disk->offered);
	assert_true(vmm_driver_start(&driver));
	request_at = vmm_driver_alloc(&driver, 8192, 4096);
}

static bool is_done(void *aux)
{
	unsigned int id;
	uint32_t length;

	return vmm_ring_used(aux, &id, &length);
}

/* One sector at request_at + 4096; the request's status, -1: none came. */
static int request(unsigned int queue, uint32_t type, uint64_t sector)
{
	const struct virtio_blk_outhdr header = { .type = type,
						  .sector = sector };
	const struct vmm_part parts[] = {
		{ request_at, sizeof(header) },
		{ request_at + 4096, SECTOR },
		{ request_at + 2048, 1 },
	};
	struct vmm_ring *ring = &driver.rings[queue];
	uint8_t *at = vmm_driver_at(&driver, request_at);

	memcpy(at, &header, sizeof(header));
	at[2048] = 0xee;
	if (type == VIRTIO_BLK_T_IN)
		vmm_ring_add(ring, parts, 1, 2, false);
	else
		vmm_ring_add(ring, parts, 2, 1, false);
	vmm_ring_kick(ring);
	return card_wait(loop, is_done, ring) ? at[2048] : -1;
}

static void reads_and_writes(void **state)
{
	uint8_t *data;

	assert_int_equal(capacity(), SIZE / SECTOR);
	assert_int_equal(disk->n_queues, 2);
	bring_up();
	data = vmm_driver_at(&driver, request_at + 4096);
	for (unsigned int i = 0; i < 300; i++) {
		memset(data, 'a' + i % 26, SECTOR);
		assert_int_equal(request(i % 2, VIRTIO_BLK_T_OUT, i),
				 VIRTIO_BLK_S_OK);
	}
	assert_int_equal(request(0, VIRTIO_BLK_T_IN, 27), VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], 'b');
	assert_int_equal(data[SECTOR - 1], 'b');
	assert_int_equal(request(0, VIRTIO_BLK_T_IN, SIZE / SECTOR),
			 VIRTIO_BLK_S_IOERR);
}

/* As when the guest's kernel starts again; and bases that go on. */
static void starts_again(void **state)
{
	bring_up();
	assert_int_equal(request(1, VIRTIO_BLK_T_IN, 1), VIRTIO_BLK_S_OK);
	vmm_driver_reset(&driver);
	assert_true(vmm_driver_start(&driver));
	assert_int_equal(request(1, VIRTIO_BLK_T_IN, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(request(1, VIRTIO_BLK_T_IN, 2), VIRTIO_BLK_S_OK);
	pthread_mutex_lock(&disk->lock);
	virtio_device_stop(disk);
	assert_int_equal(disk->queues[1].base, 2);
	assert_int_equal(disk->ops->activate(disk), 0);
	disk->active = true;
	pthread_mutex_unlock(&disk->lock);
	assert_int_equal(request(1, VIRTIO_BLK_T_IN, 3), VIRTIO_BLK_S_OK);
}

static bool needs_reset(void *aux)
{
	return disk->status & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void daemon_dies(void **state)
{
	bring_up();
	assert_int_equal(request(0, VIRTIO_BLK_T_IN, 1), VIRTIO_BLK_S_OK);
	kill_daemon();
	close(listener);
	assert_true(card_wait(loop, needs_reset, NULL));
	vmm_driver_reset(&driver);
	assert_false(vmm_driver_start(&driver));
	listener = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_and_writes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(starts_again, setup, teardown),
		cmocka_unit_test_setup_teardown(daemon_dies, setup, teardown),
	};

	if (access(daemon_path, X_OK)) {
		printf("skipped: %s is not there\n", daemon_path);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

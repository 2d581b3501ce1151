/* A disk in a raw file (vmm/virtio/blk_raw.c). */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_blk.h>

#include "scratch.h"
#include "vmm_device_fixture.h"

#define PACKED VMM_FEATURE(VIRTIO_F_RING_PACKED)
#define FLUSH  VMM_FEATURE(VIRTIO_BLK_F_FLUSH)

enum { SIZE = 1 << 20, NONE = 0xff };

static struct device_fixture f;
static int disk; /* the file, for the test */
static uint64_t header_at, status_at;

/* What the file system says of O_DIRECT, when not 0. */
static uint32_t direct_blocks;

int statx(int dir, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict to)
{
	int result = syscall(SYS_statx, dir, path, flags, mask, to);

	if (!result && direct_blocks) {
		to->stx_mask |= STATX_DIOALIGN;
		to->stx_dio_offset_align = direct_blocks;
		to->stx_dio_mem_align = 512;
	}
	return result;
}

static int setup(void **state)
{
	device_fixture_init(&f);
	disk = -1;
	direct_blocks = 0;
	return 0;
}

static int teardown(void **state)
{
	device_fixture_uninit(&f);
	if (disk >= 0)
		close(disk);
	return 0;
}

/* A file without a name where O_DIRECT may work; block i holds bytes i. */
static int make_file(int flags, size_t size)
{
	char dir[SCRATCH_SIZE], path[SCRATCH_SIZE + 8];
	uint8_t block[512];
	int fd;

	scratch_make(dir);
	snprintf(path, sizeof path, "%s/disk", dir);
	disk = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(disk >= 0);
	for (size_t at = 0; at < size; at += sizeof block) {
		memset(block, (int)(at / sizeof block), sizeof block);
		assert_int_equal(
			pwrite(disk, block, MIN(sizeof block, size - at), at),
			MIN(sizeof block, size - at));
	}
	fd = open(path, O_RDWR | flags);
	unlink(path);
	rmdir(dir);
	return fd;
}

static struct virtio_device *make_disk(int fd, bool read_only)
{
	return virtio_blk_raw_create(f.loop, &f.memory, fd, read_only,
				     "a-serial-number-of-20-bytes", NULL);
}

static void start_with(void **state, int fd, bool read_only, uint64_t features)
{
	device_fixture_start(&f, make_disk(fd, read_only),
			     features | (*state ? PACKED : 0));
	header_at = device_bytes(&f, NULL, sizeof(struct virtio_blk_outhdr));
	status_at = device_bytes(&f, NULL, 1);
}

static void start(void **state)
{
	start_with(state, make_file(0, SIZE), false, FLUSH);
}

static uint8_t *at(uint64_t addr)
{
	return vmm_driver_at(&f.driver, addr);
}

static void begin(uint32_t type, uint64_t sector, uint64_t data, size_t length,
		  bool in)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };
	struct vmm_part parts[] = { { header_at, sizeof header },
				    { data, length },
				    { status_at, 1 } };
	unsigned int n_out = in || !length ? 1 : 2;

	if (!length)
		parts[1] = parts[2];
	memcpy(at(header_at), &header, sizeof header);
	*at(status_at) = NONE;
	assert_true(vmm_ring_add(&f.driver.rings[0], parts, n_out,
				 (length ? 3 : 2) - n_out, false) >= 0);
	vmm_ring_kick(&f.driver.rings[0]);
}

/* One request, and its status. */
static uint8_t request(uint32_t type, uint64_t sector, uint64_t data,
		       size_t length, bool in)
{
	begin(type, sector, data, length, in);
	assert_int_equal(device_wait_used(&f, 0), (in ? length : 0) + 1);
	return *at(status_at);
}

static uint8_t read_at(uint64_t sector, uint64_t data, size_t length)
{
	return request(VIRTIO_BLK_T_IN, sector, data, length, true);
}

static uint8_t write_at(uint64_t sector, uint64_t data, size_t length)
{
	return request(VIRTIO_BLK_T_OUT, sector, data, length, false);
}

static void expect_block(uint64_t sector, uint8_t value)
{
	uint8_t block[512];

	assert_int_equal(pread(disk, block, 512, sector * 512), 512);
	for (int i = 0; i < 512; i++)
		assert_int_equal(block[i], value);
}

/* --- tests ---------------------------------------------------------------- */

static void reads_and_writes(void **state)
{
	struct virtio_blk_config config;
	uint64_t data;

	start(state);
	memcpy(&config, f.device->config, sizeof config);
	assert_int_equal(config.capacity, SIZE / 512);
	assert_int_equal(config.blk_size, 512);
	data = device_bytes(&f, NULL, 8192);
	assert_int_equal(read_at(3, data, 1024), VIRTIO_BLK_S_OK);
	assert_int_equal(at(data)[0], 3);
	assert_int_equal(at(data)[1023], 4);
	assert_int_equal(at(data)[1024], 0);
	memset(at(data), 0x77, 8192);
	assert_int_equal(write_at(2040, data, 4096), VIRTIO_BLK_S_OK);
	expect_block(2039, 2039 & 0xff);
	expect_block(2040, 0x77);
	expect_block(2047, 0x77);
	assert_int_equal(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, false),
			 VIRTIO_BLK_S_OK);
	/* Past the end, by little, by much, by overflow. */
	assert_int_equal(write_at(2041, data, 4096), VIRTIO_BLK_S_IOERR);
	expect_block(2041, 0x77);
	assert_int_equal(read_at(2048, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(read_at(1ull << 55, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(read_at(UINT64_MAX, data, 512), VIRTIO_BLK_S_IOERR);
	/* No whole blocks. */
	assert_int_equal(read_at(0, data, 511), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(99, 0, data, 512, true), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(request(VIRTIO_BLK_T_GET_ID, 0, data, 20, true),
			 VIRTIO_BLK_S_OK);
	assert_memory_equal(at(data), "a-serial-number-of-2", 20);
	/* The file is cut off behind our back. */
	assert_int_equal(ftruncate(disk, 4096), 0);
	assert_int_equal(read_at(4, data, 4096), VIRTIO_BLK_S_IOERR);
}

static uint8_t status(void)
{
	uint8_t value;

	pthread_mutex_lock(&f.device->lock);
	value = f.device->status;
	pthread_mutex_unlock(&f.device->lock);
	return value;
}

/* Header and status where a driver likes. */
static void any_layout(void **state)
{
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_OUT,
					    .sector = 5 };
	uint8_t bytes[sizeof header + 512];
	struct vmm_part parts[6];
	uint64_t data;
	uint32_t length;

	start(state);
	memcpy(bytes, &header, sizeof header);
	memset(bytes + sizeof header, 0x33, 512);
	data = device_bytes(&f, bytes, sizeof bytes);
	parts[0] = (struct vmm_part){ data, 7 };
	parts[1] = (struct vmm_part){ data + 7, 100 };
	parts[2] = (struct vmm_part){ data + 107, sizeof bytes - 107 };
	parts[3] = (struct vmm_part){ status_at, 1 };
	vmm_ring_add(&f.driver.rings[0], parts, 3, 1, false);
	vmm_ring_kick(&f.driver.rings[0]);
	assert_int_equal(device_wait_used(&f, 0), 1);
	assert_int_equal(*at(status_at), VIRTIO_BLK_S_OK);
	expect_block(5, 0x33);
	/* Read: the status is the last byte of one part. */
	header.type = VIRTIO_BLK_T_IN;
	memcpy(at(header_at), &header, sizeof header);
	parts[0] = (struct vmm_part){ header_at, sizeof header };
	parts[1] = (struct vmm_part){ data, 513 };
	*at(data + 512) = NONE;
	vmm_ring_add(&f.driver.rings[0], parts, 1, 1, false);
	vmm_ring_kick(&f.driver.rings[0]);
	assert_int_equal(device_wait_used(&f, 0), 513);
	assert_int_equal(*at(data + 512), VIRTIO_BLK_S_OK);
	assert_int_equal(*at(data + 511), 0x33);
	/* No place for a status: the end of the queue. */
	vmm_ring_add(&f.driver.rings[0], parts, 1, 0, false);
	vmm_ring_kick(&f.driver.rings[0]);
	while (!(status() & VIRTIO_CONFIG_S_NEEDS_RESET))
		device_run(&f);
	assert_false(device_is_used(&f, 0, &length));
	/* And a reset its new beginning. */
	vmm_driver_reset(&f.driver);
	assert_true(vmm_driver_start(&f.driver));
	assert_int_equal(write_at(6, data, 512), VIRTIO_BLK_S_OK);
}

static void read_only(void **state)
{
	uint64_t data;

	start_with(state, make_file(0, SIZE), true, 0);
	assert_true(f.device->offered >> VIRTIO_BLK_F_RO & 1);
	assert_false(f.device->offered >> VIRTIO_BLK_F_DISCARD & 1);
	data = device_bytes(&f, NULL, 512);
	assert_int_equal(write_at(1, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(VIRTIO_BLK_T_DISCARD, 0, data, 16, false),
			 VIRTIO_BLK_S_IOERR);
	expect_block(1, 1);
	assert_int_equal(read_at(1, data, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(*at(data), 1);
}

static uint8_t clear(uint32_t type, uint64_t sector, uint32_t n, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes range = { .sector = sector,
							 .num_sectors = n,
							 .flags = flags };

	return request(type, 0, device_bytes(&f, &range, sizeof range), 16,
		       false);
}

static void clears(void **state)
{
	const uint32_t discard = VIRTIO_BLK_T_DISCARD,
		       zero = VIRTIO_BLK_T_WRITE_ZEROES;
	uint64_t blocks;
	struct stat s;

	start_with(state, make_file(0, SIZE), false, 0);
	fstat(disk, &s);
	blocks = s.st_blocks;
	assert_int_equal(clear(discard, 8, 16, 0), VIRTIO_BLK_S_OK);
	fstat(disk, &s);
	assert_true((uint64_t)s.st_blocks < blocks);
	assert_int_equal(s.st_size, SIZE);
	expect_block(7, 7);
	expect_block(8, 0);
	expect_block(23, 0);
	expect_block(24, 24);
	expect_block(101, 101);
	/* Flags and ranges that must not be. */
	assert_int_equal(clear(discard, 50, 1, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(clear(zero, 50, 1, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(clear(discard, 2047, 2, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(clear(discard, UINT64_MAX, 2, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(clear(discard, 0, UINT32_MAX, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(request(discard, 0, header_at, 15, false),
			 VIRTIO_BLK_S_IOERR);
	expect_block(50, 50);
	expect_block(2047, 0xff);
}

/* O_DIRECT, with a guest that knows nothing of it. */
static void direct(void **state)
{
	int fd = make_file(O_DIRECT, SIZE);
	struct virtio_blk_config config;
	uint64_t data;

	if (fd < 0)
		skip();
	direct_blocks = 4096;
	start_with(state, fd, false, FLUSH);
	data = device_bytes(&f, NULL, 600000) + 1;
	memset(at(data), 0x11, 599999);
	assert_int_equal(read_at(7, data, 512 * 3), VIRTIO_BLK_S_OK);
	assert_int_equal(at(data)[0], 7);
	assert_int_equal(at(data)[1535], 9);
	assert_int_equal(at(data)[1536], 0x11);
	memset(at(data), 0x22, 599999);
	assert_int_equal(write_at(9, data, 512 * 1000), VIRTIO_BLK_S_OK);
	for (unsigned int i = 0; i < 1020; i++)
		expect_block(i, i >= 9 && i < 1009 ? 0x22 : i & 0xff);
	/* And one that does. */
	data = vmm_driver_alloc(&f.driver, 8192, 4096);
	assert_int_equal(write_at(16, data, 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(read_at(8, data, 8192), VIRTIO_BLK_S_OK);
	assert_int_equal(at(data)[512], 0x22);
	memcpy(&config, f.device->config, sizeof config);
	assert_int_equal(config.blk_size, 512);
	assert_int_equal(config.physical_block_exp, 3);
	/* The file's last block is not whole. */
	assert_int_equal(ftruncate(disk, SIZE + 512), 0);
	assert_null(make_disk(dup(fd), false));
}

static void do_nothing(struct virtio_device *device)
{
}

/* A driver that is ready without a queue: nobody looks at what is not there. */
static void no_queue(void **state)
{
	struct virtio_device *device = make_disk(make_file(0, SIZE), false);

	device->wake = do_nothing;
	pthread_mutex_lock(&device->lock);
	assert_true(virtio_device_negotiate(device,
					    VMM_FEATURE(VIRTIO_F_VERSION_1)));
	virtio_device_want(device, 15);
	pthread_mutex_unlock(&device->lock);
	virtio_device_settle(device);
	assert_true(device->active);
	pthread_mutex_lock(&device->lock);
	virtio_device_stop(device);
	pthread_mutex_unlock(&device->lock);
	device->ops->destroy(device);
}

static void no_disks(void **state)
{
	char *error = NULL;
	int pair[2];

	(void)state;
	assert_null(make_disk(make_file(0, 1000), false));
	assert_int_equal(ftruncate(disk, 0), 0);
	assert_null(virtio_blk_raw_create(f.loop, &f.memory, dup(disk), false,
					  "", &error));
	assert_non_null(error);
	free(error);
	assert_int_equal(pipe(pair), 0);
	assert_null(make_disk(pair[0], false));
	close(pair[1]);
}

static void *reset_device(void *aux)
{
	vmm_driver_reset(&f.driver);
	return NULL;
}

/*
 * A request that takes its time: the disk's thread waits for a page of the
 * guest that only we can bring. The loop goes on; a reset waits for it.
 */
static void slow(void **state)
{
	struct uffdio_api api = { .api = UFFD_API };
	uint8_t page[4096] = { 0 };
	uint64_t data = 0x700000;
	struct uffdio_register place = {
		.range = { (uintptr_t)f.memory.base + data, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_copy copy = { .dst = (uintptr_t)f.memory.base + data,
				    .src = (uintptr_t)page,
				    .len = 4096 };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffd_msg message;
	pthread_t thread;
	uint32_t length;

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &place)) {
		close(uffd);
		skip();
	}
	start(state);
	begin(VIRTIO_BLK_T_IN, 5, data, 512, true);
	device_run(&f);
	assert_int_equal(read(uffd, &message, sizeof message), sizeof message);
	/* It is in the middle of it now. */
	assert_false(device_is_used(&f, 0, &length));
	assert_int_equal(pthread_mutex_trylock(&f.device->lock), 0);
	pthread_mutex_unlock(&f.device->lock);
	assert_int_equal(pthread_create(&thread, NULL, reset_device, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		device_run(&f);
		assert_true(status() & VIRTIO_CONFIG_S_DRIVER_OK);
	}
	assert_int_equal(ioctl(uffd, UFFDIO_COPY, &copy), 0);
	pthread_join(thread, NULL);
	assert_int_equal(status(), 0);
	assert_int_equal(*at(data), 5);
	assert_true(vmm_driver_start(&f.driver));
	assert_int_equal(read_at(6, data, 512), VIRTIO_BLK_S_OK);
	close(uffd);
}

int main(void)
{
	int failed = 0;

	for (int packed = 0; packed < 2; packed++) {
		void *with = packed ? &failed : NULL;
		const struct CMUnitTest tests[] = {
			{ "reads_and_writes", reads_and_writes, setup, teardown,
			  with },
			{ "any_layout", any_layout, setup, teardown, with },
			{ "read_only", read_only, setup, teardown, with },
			{ "clears", clears, setup, teardown, with },
			{ "direct", direct, setup, teardown, with },
			{ "no_disks", no_disks, setup, teardown, with },
			{ "no_queue", no_queue, setup, teardown, with },
			{ "slow", slow, setup, teardown, with },
		};

		failed += cmocka_run_group_tests(tests, NULL, NULL);
	}
	return failed;
}

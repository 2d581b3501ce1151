/* A VM's memory in a file and back; at once where userfaultfd is to be had. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/machine/snapshot.h"

enum { SIZE = 8 << 20, PAGE = 4096 };

/* As guest_memory_create() makes it. */
static struct guest_memory make_memory(void)
{
	struct guest_memory memory = {
		.fd = memfd_create("guest", MFD_CLOEXEC),
		.size = SIZE,
		.n_regions = 1,
		.regions = { { .size = SIZE } },
	};

	assert_true(memory.fd >= 0);
	assert_int_equal(ftruncate(memory.fd, SIZE), 0);
	memory.base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   memory.fd, 0);
	assert_true(memory.base != MAP_FAILED);
	return memory;
}

static void drop_memory(struct guest_memory *memory)
{
	munmap(memory->base, SIZE);
	close(memory->fd);
}

static off_t allocated(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_blocks * 512;
}

/* Few pages here and there, both ends among them. */
static void write_pattern(uint8_t *base)
{
	for (size_t i = 0; i < SIZE / PAGE; i += i < 64 ? 1 : 97)
		if (i % 3 != 1)
			memset(base + i * PAGE, i + 1, PAGE - i % 7);
	base[SIZE - 1] = 42;
}

static void assert_pattern(const uint8_t *base)
{
	uint8_t *want = calloc(1, SIZE);

	write_pattern(want);
	assert_memory_equal(base, want, SIZE);
	free(want);
}

static int make_file(void)
{
	int fd = memfd_create("saved", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int save_pattern(void)
{
	struct guest_memory memory = make_memory();
	int fd = make_file();

	write_pattern(memory.base);
	assert_int_equal(snapshot_save_memory(&memory, fd, NULL), 0);
	drop_memory(&memory);
	return fd;
}

static void test_zero_pages_are_holes(void **state)
{
	struct guest_memory memory = make_memory();
	int fd = make_file();
	struct stat st;

	memory.base[3 * PAGE] = 1;
	memory.base[5 * PAGE] = 1;
	memory.base[5 * PAGE] = 0; /* there, but zeroes */
	assert_int_equal(allocated(memory.fd), 2 * PAGE);
	assert_int_equal(snapshot_save_memory(&memory, fd, NULL), 0);
	assert_int_equal(allocated(memory.fd), 2 * PAGE); /* as before */
	assert_int_equal(allocated(fd), PAGE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	drop_memory(&memory);
	close(fd);
}

/* A file of an earlier time is no part of the new. */
static void test_old_content_goes(void **state)
{
	struct guest_memory memory = make_memory();
	int fd = save_pattern();

	memory.base[0] = 7;
	assert_int_equal(snapshot_save_memory(&memory, fd, NULL), 0);
	assert_int_equal(allocated(fd), PAGE);
	drop_memory(&memory);
	close(fd);
}

static void test_file_cannot_be_written(void **state)
{
	struct guest_memory memory = make_memory();
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char *error = NULL;

	assert_true(snapshot_save_memory(&memory, fd, &error) < 0);
	assert_non_null(strstr(error, "cannot write the VM's memory"));
	free(error);
	close(fd);
	drop_memory(&memory);
}

static void test_restore_by_reading(void **state)
{
	struct guest_memory memory = make_memory();
	struct snapshot_restore *restore;
	int fd = save_pattern();
	off_t pages = allocated(fd);

	assert_int_equal(snapshot_restore_memory(&memory, fd, -1, NULL, NULL,
						 &restore, NULL),
			 0);
	assert_null(restore);
	assert_pattern(memory.base);
	assert_int_equal(snapshot_restore_wait(restore, NULL), 0);
	drop_memory(&memory);

	/* and again; what is zero takes no memory */
	memory = make_memory();
	assert_int_equal(snapshot_restore_memory(&memory, fd, -1, NULL, NULL,
						 &restore, NULL),
			 0);
	assert_int_equal(allocated(memory.fd), pages);
	drop_memory(&memory);
	close(fd);
}

static void test_wrong_size(void **state)
{
	struct guest_memory memory = make_memory();
	struct snapshot_restore *restore;
	int fd = save_pattern();
	char *error = NULL;

	assert_int_equal(ftruncate(fd, SIZE - PAGE), 0);
	assert_int_equal(snapshot_restore_memory(&memory, fd, -1, NULL, NULL,
						 &restore, &error),
			 -EINVAL);
	assert_non_null(strstr(error, "has 8384512 bytes, it is to have "
				      "8388608"));
	free(error);
	close(fd);
	drop_memory(&memory);
}

/* --- at once -------------------------------------------------------------- */

static int userfault(void)
{
	int fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		print_message("/dev/userfaultfd: %s\n", strerror(errno));
		skip();
	}
	return fd;
}

/* The last page is asked for at once, then all. */
static void test_restore_at_once(void **state)
{
	struct guest_memory memory = make_memory();
	struct snapshot_restore *restore;
	int faults = userfault(), fd = save_pattern();
	off_t pages = allocated(fd);

	assert_int_equal(snapshot_restore_memory(&memory, fd, faults, NULL,
						 NULL, &restore, NULL),
			 0);
	if (!restore) {
		print_message("no userfaultfd for this memory\n");
		skip();
	}
	assert_int_equal(memory.base[SIZE - 1], 42);
	assert_int_equal(snapshot_restore_wait(restore, NULL), 0);
	assert_int_equal(allocated(memory.fd), pages);
	assert_pattern(memory.base);
	memory.base[PAGE] = 9; /* nobody is asked any more */
	drop_memory(&memory);
	close(faults);
	close(fd);
}

struct touch {
	uint8_t *page;
	uint8_t value;
};

static void *touch(void *aux)
{
	struct touch *t = aux;

	t->value = *(volatile uint8_t *)t->page;
	return NULL;
}

/* Many threads touch all over while it is filled. */
static void test_touched_while_filled(void **state)
{
	struct guest_memory memory = make_memory();
	struct snapshot_restore *restore;
	int faults = userfault(), fd = save_pattern();
	uint8_t *want = calloc(1, SIZE);
	struct touch touches[16];
	pthread_t threads[16];

	write_pattern(want);
	assert_int_equal(snapshot_restore_memory(&memory, fd, faults, NULL,
						 NULL, &restore, NULL),
			 0);
	for (size_t i = 0; i < 16; i++) {
		touches[i].page = memory.base + (SIZE / 16) * (15 - i);
		assert_int_equal(
			pthread_create(&threads[i], NULL, touch, &touches[i]),
			0);
	}
	for (size_t i = 0; i < 16; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(touches[i].value,
				 want[(SIZE / 16) * (15 - i)]);
	}
	assert_int_equal(snapshot_restore_wait(restore, NULL), 0);
	assert_pattern(memory.base);
	free(want);
	drop_memory(&memory);
	close(faults);
	close(fd);
}

/* What the guest gives back meanwhile does not come again from the file. */
static void test_given_back_while_filled(void **state)
{
	struct guest_memory memory = make_memory();
	struct snapshot_restore *restore;
	int faults = userfault(), fd = save_pattern();

	assert_int_equal(snapshot_restore_memory(&memory, fd, faults, NULL,
						 NULL, &restore, NULL),
			 0);
	assert_int_equal(memory.base[2 * PAGE], 3);
	assert_int_equal(fallocate(memory.fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   2 * PAGE, PAGE),
			 0);
	assert_int_equal(memory.base[2 * PAGE], 0);
	assert_int_equal(snapshot_restore_wait(restore, NULL), 0);
	assert_int_equal(memory.base[2 * PAGE], 0);
	drop_memory(&memory);
	close(faults);
	close(fd);
}

static void post(void *aux)
{
	sem_post(aux);
}

static void test_notified_once(void **state)
{
	struct guest_memory memory = make_memory();
	struct snapshot_restore *restore;
	int faults = userfault(), fd = save_pattern(), n;
	sem_t done;

	sem_init(&done, 0, 0);
	assert_int_equal(snapshot_restore_memory(&memory, fd, faults, post,
						 &done, &restore, NULL),
			 0);
	sem_wait(&done);
	assert_pattern(memory.base); /* before the wait, too */
	assert_int_equal(snapshot_restore_wait(restore, NULL), 0);
	sem_getvalue(&done, &n);
	assert_int_equal(n, 0);
	sem_destroy(&done);
	drop_memory(&memory);
	close(faults);
	close(fd);
}

/* The file ends early: an error, and nobody is told zeroes. */
static void test_file_is_cut_off(void **state)
{
	struct guest_memory memory = make_memory();
	struct snapshot_restore *restore;
	int faults = userfault(), fd = save_pattern(), cut;
	char path[64], *error = NULL;

	/* a size that fits, of which nothing can be read */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	cut = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(cut >= 0);
	assert_int_equal(snapshot_restore_memory(&memory, cut, faults, NULL,
						 NULL, &restore, NULL),
			 0);
	assert_true(snapshot_restore_wait(restore, &error) < 0);
	assert_non_null(strstr(error, "cannot read the saved VM's memory"));
	free(error);
	drop_memory(&memory);
	close(cut);
	close(faults);
	close(fd);
}

/* --- bytes in JSON -------------------------------------------------------- */

static void test_bytes(void **state)
{
	json_t *json = snapshot_bytes("\x00\x9a\xff", 3);
	char data[3];

	assert_string_equal(json_string_value(json), "009aff");
	assert_int_equal(snapshot_from_bytes(json, data, 3), 0);
	assert_memory_equal(data, "\x00\x9a\xff", 3);
	assert_int_equal(snapshot_from_bytes(json, data, 2), -EINVAL);
	json_decref(json);
	json = snapshot_bytes(NULL, 0);
	assert_int_equal(snapshot_from_bytes(json, NULL, 0), 0);
	json_decref(json);
}

static void test_all_bytes(void **state)
{
	uint8_t data[256], got[256];
	json_t *json;

	for (int i = 0; i < 256; i++)
		data[i] = i * 7;
	json = snapshot_bytes(data, sizeof(data));
	assert_int_equal(snapshot_from_bytes(json, got, sizeof(got)), 0);
	assert_memory_equal(data, got, sizeof(got));
	json_decref(json);
}

static void test_bad_bytes(void **state)
{
	static const char *const texts[] = { "123",  "12345", "123g", "12 4",
					     "-123", "",      "12F4" };
	json_t *json = json_integer(1);
	char data[2];

	assert_int_equal(snapshot_from_bytes(NULL, data, 2), -EINVAL);
	assert_int_equal(snapshot_from_bytes(json, data, 2), -EINVAL);
	json_decref(json);
	json = json_stringn("12\0004", 4);
	assert_int_equal(snapshot_from_bytes(json, data, 2), -EINVAL);
	json_decref(json);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json = json_string(texts[i]);
		assert_int_equal(snapshot_from_bytes(json, data, 2), -EINVAL);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_pages_are_holes),
		cmocka_unit_test(test_old_content_goes),
		cmocka_unit_test(test_file_cannot_be_written),
		cmocka_unit_test(test_restore_by_reading),
		cmocka_unit_test(test_wrong_size),
		cmocka_unit_test(test_restore_at_once),
		cmocka_unit_test(test_touched_while_filled),
		cmocka_unit_test(test_given_back_while_filled),
		cmocka_unit_test(test_notified_once),
		cmocka_unit_test(test_file_is_cut_off),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_all_bytes),
		cmocka_unit_test(test_bad_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A front end's memory: which regions are taken, what an address leads to, and
 * a file that shrinks under the mapping. The dirty log.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost/dirty_log.h"
#include "vhost/mapping.h"
#include "vhost/memory.h"

#define PAGE 4096ull
#define MIB  (1ull << 20)

static struct vhost_memory *memory;
static char *message;
static int fd; /* a file of 1 MiB */

static int setup(void **state)
{
	memory = vhost_memory_create(NULL);
	fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, MIB), 0);
	return 0;
}

static int teardown(void **state)
{
	vhost_memory_destroy(memory);
	close(fd);
	free(message);
	message = NULL;
	return vhost_mapping_count();
}

static int add(uint64_t guest, uint64_t size, uint64_t user, uint64_t offset)
{
	return vhost_memory_add(memory, guest, size, user, offset, fd,
				&message);
}

static void both_kinds_of_addresses_lead_to_the_file(void **state)
{
	char *host;

	assert_int_equal(add(0x100000, 4 * PAGE, 0x7f0000000000, 8 * PAGE), 0);
	assert_int_equal(pwrite(fd, "hello", 5, 9 * PAGE), 5);
	host = vhost_memory_at(memory, 0x100000 + PAGE, 5);
	assert_memory_equal(host, "hello", 5);
	assert_ptr_equal(vhost_memory_at_user(memory, 0x7f0000001000, 5), host);
	host[0] = 'J';
	assert_int_equal(pread(fd, host + 100, 5, 9 * PAGE), 5);
	assert_memory_equal(host + 100, "Jello", 5);
}

static void a_range_ends_within_its_region(void **state)
{
	assert_int_equal(add(PAGE, 2 * PAGE, 0x10000, 0), 0);
	assert_non_null(vhost_memory_at(memory, PAGE, 2 * PAGE));
	assert_null(vhost_memory_at(memory, PAGE, 2 * PAGE + 1));
	assert_null(vhost_memory_at(memory, PAGE + 1, 2 * PAGE));
	assert_null(vhost_memory_at(memory, PAGE - 1, 1));
	assert_null(vhost_memory_at(memory, 3 * PAGE, 1));
	assert_null(vhost_memory_at(memory, PAGE, UINT64_MAX));
	assert_null(vhost_memory_at(memory, UINT64_MAX, 2));
	assert_non_null(vhost_memory_at(memory, 3 * PAGE, 0));
	assert_null(vhost_memory_at(memory, 3 * PAGE + 1, 0));
	assert_non_null(vhost_memory_at_user(memory, 0x10000, 2 * PAGE));
	assert_null(vhost_memory_at_user(memory, 0x10000, 2 * PAGE + 1));
	assert_null(vhost_memory_at_user(memory, 0x10000 - 1, 1));
	assert_null(vhost_memory_at_user(memory, 0x10001, UINT64_MAX));
	assert_non_null(vhost_memory_at_user(memory, 0x12000, 0));
	assert_null(vhost_memory_at_user(memory, 0x12001, 0));
}

static void regions_that_overlap_are_refused(void **state)
{
	assert_int_equal(add(4 * PAGE, 2 * PAGE, 0x100000, 0), 0);
	assert_int_equal(add(4 * PAGE, PAGE, 0x200000, 0), -EINVAL);
	assert_non_null(strstr(message, "guest addresses overlap"));
	assert_int_equal(add(5 * PAGE, 2 * PAGE, 0x200000, 0), -EINVAL);
	assert_int_equal(add(3 * PAGE, 2 * PAGE, 0x200000, 0), -EINVAL);
	assert_int_equal(add(3 * PAGE, 4 * PAGE, 0x200000, 0), -EINVAL);
	assert_int_equal(add(8 * PAGE, 2 * PAGE, 0x101000, 0), -EINVAL);
	assert_non_null(strstr(message, "user addresses overlap"));
	assert_int_equal(add(3 * PAGE, PAGE, 0x102000, 0), 0);
	assert_int_equal(add(6 * PAGE, PAGE, 0xff000, 0), 0);
	assert_int_equal(memory->n, 3);
	assert_int_equal(memory->regions[0].guest, 3 * PAGE);
	assert_int_equal(memory->regions[2].guest, 6 * PAGE);
}

static void sums_that_wrap_are_refused(void **state)
{
	assert_int_equal(add(UINT64_MAX - PAGE + 2, PAGE, 0, 0), -EINVAL);
	assert_int_equal(add(0, PAGE, UINT64_MAX - PAGE + 2, 0), -EINVAL);
	assert_int_equal(add(0, PAGE, 0, UINT64_MAX - PAGE + 2), -EINVAL);
	assert_int_equal(add(0, PAGE, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(add(0, 0, 0, 0), -EINVAL);
	assert_int_equal(add(0, UINT64_MAX, 0, 0), -EINVAL);
	assert_int_equal(memory->n, 0);
}

static void what_is_not_within_the_file_is_refused(void **state)
{
	int pipes[2];

	assert_int_equal(add(0, MIB + 1, 0, 0), -EINVAL);
	assert_int_equal(add(0, MIB, 0, 1), -EINVAL);
	assert_int_equal(add(0, PAGE, 0, MIB), -EINVAL);
	assert_int_equal(add(0, PAGE, 0, MIB + 1), -EINVAL);
	assert_int_equal(add(0, PAGE, 0, MIB - PAGE), 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(
		vhost_memory_add(memory, MIB, PAGE, MIB, 0, pipes[0], &message),
		-EINVAL);
	assert_non_null(strstr(message, "no memory file"));
	assert_true(vhost_memory_add(memory, MIB, PAGE, MIB, 0, -1, &message) <
		    0);
	close(pipes[0]);
	close(pipes[1]);
}

static void a_file_that_could_make_one_wait_is_refused(void **state)
{
	int proc = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	assert_true(proc >= 0);
	assert_int_equal(vhost_memory_add(memory, 0, PAGE, 0, 0, proc, NULL),
			 -EINVAL);
	close(proc);
}

static void a_read_only_file_is_refused(void **state)
{
	char path[32];
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(
		vhost_memory_add(memory, 0, PAGE, 0, 0, other, &message),
		-EACCES);
	close(other);
}

static void offsets_need_not_be_aligned(void **state)
{
	char *host;

	assert_int_equal(add(0x1234, PAGE, 0x5678, 0x234), 0);
	assert_int_equal(pwrite(fd, "odd", 3, 0x234), 3);
	host = vhost_memory_at(memory, 0x1234, PAGE);
	assert_memory_equal(host, "odd", 3);
	assert_int_equal((uintptr_t)host % PAGE, 0x234);
}

static void no_more_regions_than_the_table_has(void **state)
{
	for (unsigned i = 0; i < VHOST_REGIONS_MAX; i++)
		assert_int_equal(add(i * PAGE, PAGE, i * PAGE, 0), 0);
	assert_int_equal(add(MIB * PAGE, PAGE, MIB * PAGE, 0), -ENOSPC);
}

static void memory_has_a_limit_in_total(void **state)
{
	uint64_t size = 3ull << 40;

	if (ftruncate(fd, 2 * size))
		skip();
	assert_int_equal(add(0, 2 * size, 0, 0), -EINVAL);
	if (add(0, size, 0, 0) == -ENOMEM)
		skip(); /* a sanitizer has most of the address space */
	assert_int_equal(memory->n, 1);
	assert_int_equal(add(size, size, size, size), -EINVAL);
	assert_non_null(strstr(message, "TiB"));
}

static void a_copy_shares_its_mappings(void **state)
{
	struct vhost_memory *copy;
	void *host;

	assert_int_equal(add(0, PAGE, 0, 0), 0);
	assert_int_equal(add(PAGE, PAGE, PAGE, PAGE), 0);
	host = vhost_memory_at(memory, PAGE, PAGE);
	copy = vhost_memory_create(memory);
	assert_int_equal(vhost_mapping_count(), 2);
	assert_int_equal(vhost_memory_remove(copy, 0, PAGE, 0), 0);
	assert_int_equal(vhost_mapping_count(), 2);
	vhost_memory_destroy(memory);
	memory = copy;
	assert_int_equal(vhost_mapping_count(), 1);
	assert_null(vhost_memory_at(memory, 0, 1));
	assert_ptr_equal(vhost_memory_at(memory, PAGE, PAGE), host);
	memset(host, 1, PAGE);
}

static void only_the_very_region_is_removed(void **state)
{
	assert_int_equal(add(PAGE, PAGE, 0x10000, 0), 0);
	assert_int_equal(vhost_memory_remove(memory, 0, PAGE, 0x10000),
			 -ENOENT);
	assert_int_equal(vhost_memory_remove(memory, PAGE, 1, 0x10000),
			 -ENOENT);
	assert_int_equal(vhost_memory_remove(memory, PAGE, PAGE, 0), -ENOENT);
	assert_int_equal(vhost_memory_remove(memory, PAGE, PAGE, 0x10000), 0);
	assert_int_equal(memory->n, 0);
}

static void a_range_across_regions_is_taken_in_pieces(void **state)
{
	struct packet_segment pieces[3];

	/* The second lies elsewhere; the third follows a hole. */
	assert_int_equal(add(PAGE, PAGE, 0x10000, 0), 0);
	assert_int_equal(add(2 * PAGE, PAGE, 0x20000, 8 * PAGE), 0);
	assert_int_equal(add(4 * PAGE, PAGE, 0x30000, 9 * PAGE), 0);
	assert_int_equal(
		vhost_memory_pieces(memory, PAGE + 10, PAGE, pieces, 3), 2);
	assert_int_equal(pieces[0].len, PAGE - 10);
	assert_ptr_equal(pieces[0].data, vhost_memory_at(memory, PAGE + 10, 1));
	assert_int_equal(pieces[1].len, 10);
	assert_ptr_equal(pieces[1].data, vhost_memory_at(memory, 2 * PAGE, 1));
	assert_int_equal(
		vhost_memory_pieces(memory, PAGE + 10, PAGE, pieces, 1), 0);
	assert_int_equal(
		vhost_memory_pieces(memory, PAGE, 2 * PAGE + 1, pieces, 3), 0);
	assert_int_equal(vhost_memory_pieces(memory, 0, 1, pieces, 3), 0);
	assert_int_equal(
		vhost_memory_pieces(memory, 4 * PAGE, UINT64_MAX, pieces, 3),
		0);
	assert_int_equal(vhost_memory_pieces(memory, 2 * PAGE, 8, pieces, 3),
			 1);
	assert_int_equal(vhost_memory_pieces(memory, 5 * PAGE, 0, pieces, 3),
			 1);
	assert_int_equal(pieces[0].len, 0);
	assert_int_equal(
		vhost_memory_pieces(memory, 5 * PAGE + 1, 0, pieces, 3), 0);
}

static void a_window_follows_the_queue(void **state)
{
	struct vhost_window window = { 0 };

	assert_int_equal(add(PAGE, PAGE, 0x10000, 0), 0);
	assert_int_equal(add(4 * PAGE, PAGE, 0x20000, PAGE), 0);
	assert_ptr_equal(vhost_translate(&window, memory, PAGE + 1, 10),
			 memory->regions[0].host + 1);
	assert_int_equal(window.guest, PAGE);
	assert_null(vhost_translate(&window, memory, 2 * PAGE - 1, 2));
	assert_null(vhost_translate(&window, memory, PAGE + 1, UINT64_MAX));
	assert_ptr_equal(vhost_translate(&window, memory, 4 * PAGE, PAGE),
			 memory->regions[1].host);
	assert_int_equal(window.guest, 4 * PAGE);
	assert_null(vhost_translate(&window, memory, 0, 1));
}

/* --- files that shrink --- */

static void shrinking_is_sealed_off_where_it_can_be(void **state)
{
	int other = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(other, MIB), 0);
	assert_int_equal(vhost_memory_add(memory, 0, PAGE, 0, 0, other, NULL),
			 0);
	assert_int_equal(ftruncate(other, 0), -1);
	assert_int_equal(errno, EPERM);
	close(other);
}

static _Atomic bool stop;

static void *read_on(void *arg)
{
	const volatile uint8_t *at = arg;
	uint64_t sum = 0, laps = 0;

	while (!atomic_load(&stop) || !laps++)
		for (size_t i = 0; i < MIB; i += PAGE)
			sum += at[i];
	return (void *)sum;
}

static void a_file_that_shrinks_damages_its_memory_only(void **state)
{
	int other = memfd_create("other", MFD_CLOEXEC);
	struct vhost_memory *good = vhost_memory_create(NULL);
	uint8_t *at, *good_at;
	pthread_t reader;

	vhost_memory_guard();
	vhost_memory_guard();
	assert_int_equal(ftruncate(other, MIB), 0);
	assert_int_equal(vhost_memory_add(good, 0, MIB, 0, 0, other, NULL), 0);
	assert_int_equal(add(0, MIB, 0, 0), 0);
	at = vhost_memory_at(memory, 0, MIB);
	good_at = vhost_memory_at(good, 0, MIB);
	memset(at, 0, MIB);
	good_at[0] = 7;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&reader, NULL, read_on, at), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	/* Meanwhile others come and go in the table. */
	for (unsigned i = 0; i < 1000; i++) {
		struct vhost_memory *passing = vhost_memory_create(NULL);

		assert_int_equal(vhost_memory_add(passing, 0,
						  PAGE * (1 + i % 7), 0, 0,
						  other, NULL),
				 0);
		vhost_memory_destroy(passing);
	}
	atomic_store(&stop, true);
	pthread_join(reader, NULL);
	assert_true(vhost_memory_is_damaged(memory));
	assert_false(vhost_memory_is_damaged(good));
	memset(at, 1, MIB); /* ours now, to the end */
	assert_int_equal(good_at[0], 7);
	vhost_memory_destroy(good);
	close(other);
	/* The place of a damaged one is as new. */
	vhost_memory_destroy(memory);
	memory = vhost_memory_create(NULL);
	assert_int_equal(ftruncate(fd, MIB), 0);
	assert_int_equal(add(0, MIB, 0, 0), 0);
	assert_false(vhost_memory_is_damaged(memory));
}

static void huge_pages_are_mapped_and_replaced_whole(void **state)
{
	int huge = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	volatile uint8_t *at;

	/* The second region begins within a huge page, as QEMU's does. */
	if (huge < 0 || ftruncate(huge, 4 * MIB) ||
	    vhost_memory_add(memory, 0xc0000, 3 * MIB, 0, 0xc0000, huge,
			     NULL)) {
		close(huge);
		skip(); /* no huge pages here */
	}
	vhost_memory_guard();
	at = vhost_memory_at(memory, 0xc0000, 3 * MIB);
	assert_int_equal(ftruncate(huge, 0), 0);
	at[PAGE] = 1;
	at[3 * MIB - 1] = 1;
	assert_true(vhost_memory_is_damaged(memory));
	close(huge);
}

/* Runs in a child: how it ended. */
static int ends(void (*act)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct sigaction usual = { .sa_handler = SIG_DFL };

		sigaction(SIGBUS, &usual, NULL);
		vhost_memory_guard();
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void read_behind_an_end(void)
{
	int other = memfd_create("other", MFD_CLOEXEC);
	volatile char *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, other, 0);

	(void)at[0];
}

static void send_sigbus(void)
{
	raise(SIGBUS);
}

static void another_sigbus_is_as_it_would_have_been(void **state)
{
	int status = ends(read_behind_an_end);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = ends(send_sigbus);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* --- the dirty log --- */

static struct vhost_log dirty;

static void marks_cover_every_page_that_was_touched(void **state)
{
	assert_int_equal(vhost_log_map(&dirty, 4, 2 * PAGE, fd, NULL), 0);
	vhost_log_mark(&dirty, 0, 0);
	assert_int_equal(dirty.bits[0], 0);
	vhost_log_mark(&dirty, 3 * PAGE + 5, 1);
	assert_int_equal(dirty.bits[0], 1 << 3);
	vhost_log_mark(&dirty, 4 * PAGE - 1, 2);
	assert_int_equal(dirty.bits[0], 3 << 3);
	vhost_log_mark(&dirty, 7 * PAGE, 9 * PAGE + 1);
	assert_int_equal(dirty.bits[0], 3 << 3 | 1 << 7);
	assert_int_equal(dirty.bits[1], 0xff);
	assert_int_equal(dirty.bits[2], 1);
	vhost_log_unmap(&dirty);
	assert_null(dirty.bits);
	vhost_log_unmap(&dirty);
}

static void marks_beyond_the_log_are_left_out(void **state)
{
	uint8_t after;

	assert_int_equal(vhost_log_map(&dirty, 1, 0, fd, NULL), 0);
	vhost_log_mark(&dirty, 7 * PAGE, UINT64_MAX);
	assert_int_equal(dirty.bits[0], 1 << 7);
	vhost_log_mark(&dirty, 8 * PAGE, PAGE);
	vhost_log_mark(&dirty, UINT64_MAX, 1);
	vhost_log_mark(&dirty, UINT64_MAX, UINT64_MAX);
	assert_int_equal(pread(fd, &after, 1, 1), 1);
	assert_int_equal(after, 0);
	vhost_log_unmap(&dirty);
}

static void a_log_lies_within_its_file(void **state)
{
	assert_int_equal(vhost_log_map(&dirty, MIB + 1, 0, fd, &message),
			 -EINVAL);
	assert_int_equal(vhost_log_map(&dirty, PAGE, UINT64_MAX, fd, &message),
			 -EINVAL);
	assert_int_equal(vhost_log_map(&dirty, 0, 0, fd, &message), -EINVAL);
	assert_int_equal(vhost_log_map(&dirty, UINT64_MAX, 0, fd, &message),
			 -EINVAL);
	assert_null(dirty.bits);
}

static void a_log_that_shrinks_is_damaged(void **state)
{
	vhost_memory_guard();
	assert_int_equal(vhost_log_map(&dirty, PAGE, 0, fd, NULL), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_false(vhost_log_is_damaged(&dirty));
	/* A plain access: ThreadSanitizer's atomics may not fault. */
	(void)*(volatile uint8_t *)dirty.bits;
	vhost_log_mark(&dirty, 0, 1);
	assert_true(vhost_log_is_damaged(&dirty));
	vhost_log_unmap(&dirty);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: it has children that set the guard up anew. */
		TEST(another_sigbus_is_as_it_would_have_been),
		TEST(both_kinds_of_addresses_lead_to_the_file),
		TEST(a_range_ends_within_its_region),
		TEST(regions_that_overlap_are_refused),
		TEST(sums_that_wrap_are_refused),
		TEST(what_is_not_within_the_file_is_refused),
		TEST(a_file_that_could_make_one_wait_is_refused),
		TEST(a_read_only_file_is_refused),
		TEST(offsets_need_not_be_aligned),
		TEST(no_more_regions_than_the_table_has),
		TEST(memory_has_a_limit_in_total),
		TEST(a_copy_shares_its_mappings),
		TEST(only_the_very_region_is_removed),
		TEST(a_range_across_regions_is_taken_in_pieces),
		TEST(a_window_follows_the_queue),
		TEST(shrinking_is_sealed_off_where_it_can_be),
		TEST(a_file_that_shrinks_damages_its_memory_only),
		TEST(huge_pages_are_mapped_and_replaced_whole),
		TEST(marks_cover_every_page_that_was_touched),
		TEST(marks_beyond_the_log_are_left_out),
		TEST(a_log_lies_within_its_file),
		TEST(a_log_that_shrinks_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

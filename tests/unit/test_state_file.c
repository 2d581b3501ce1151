/* Files that outlive the daemon: whole or not at all, and checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "vswd/state_file.h"

#define KIND "a-kind"

static char dir[SCRATCH_SIZE], path[64];

static int setup(void **state)
{
	scratch_make(dir);
	snprintf(path, sizeof(path), "%s/sub/file", dir);
	return 0;
}

static int teardown(void **state)
{
	char sub[64];

	unlink(path);
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	rmdir(sub);
	return rmdir(dir);
}

static void write_file(const void *data, size_t len)
{
	struct state_writer *w;
	char *why = NULL;

	assert_int_equal(state_file_create(path, KIND, &w, &why), 0);
	assert_int_equal(state_file_write(w, data, len / 2), 0);
	assert_int_equal(state_file_write(w, (const char *)data + len / 2,
					  len - len / 2),
			 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(state_file_finish(w, true, &why), 0);
	assert_null(why);
}

/* What reading it says; its content must be data when it says nothing. */
static int read_file(const char *kind, size_t max, const void *data, size_t len)
{
	uint8_t *got = NULL;
	uint64_t age_ms;
	size_t n = 0;
	char *why = NULL;
	int error = state_file_read(path, kind, max, &got, &n, &age_ms, &why);

	assert_true(!why == (!error || error == -ENOENT));
	free(why);
	if (error)
		return error;
	assert_int_equal(n, len);
	assert_memory_equal(got, data, len);
	assert_true(age_ms < 60000);
	free(got);
	return 0;
}

static void what_was_written_is_read(void **state)
{
	static char large[200001];
	struct stat st;

	assert_int_equal(read_file(KIND, 100, "", 0), -ENOENT);
	write_file("hello", 5);
	assert_int_equal(read_file(KIND, 5, "hello", 5), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	memset(large, 'x', sizeof(large));
	unlink(path);
	write_file(large, sizeof(large));
	assert_int_equal(read_file(KIND, 1 << 20, large, sizeof(large)), 0);
	unlink(path);
	write_file("", 0);
	assert_int_equal(read_file(KIND, 0, "", 0), 0);
}

static void what_is_damaged_is_refused(void **state)
{
	uint8_t byte;
	int fd;

	write_file("hello", 5);
	assert_int_equal(read_file(KIND, 4, "", 0), -EBADMSG);
	assert_int_equal(read_file("other", 5, "", 0), -EBADMSG);
	fd = open(path, O_RDWR);
	for (off_t i = 0; i < 37; i++) {
		assert_int_equal(pread(fd, &byte, 1, i), 1);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, i), 1);
		assert_int_equal(read_file(KIND, 5, "", 0), -EBADMSG);
		byte ^= 4;
		assert_int_equal(pwrite(fd, &byte, 1, i), 1);
	}
	assert_int_equal(read_file(KIND, 5, "hello", 5), 0);
	for (off_t n = 36; n >= 0; n--) {
		assert_int_equal(ftruncate(fd, n), 0);
		assert_int_equal(read_file(KIND, 5, "", 0), -EBADMSG);
	}
	close(fd);
}

static void what_is_given_up_is_not_there(void **state)
{
	struct state_writer *w;

	assert_int_equal(state_file_create(path, KIND, &w, NULL), 0);
	assert_int_equal(state_file_write(w, "hello", 5), 0);
	assert_int_equal(state_file_finish(w, false, NULL), 0);
	assert_int_equal(read_file(KIND, 5, "", 0), -ENOENT);
	/* a link that somebody has put there is not followed */
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(read_file(KIND, 5, "", 0), -ELOOP);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read),
		TEST(what_is_damaged_is_refused),
		TEST(what_is_given_up_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

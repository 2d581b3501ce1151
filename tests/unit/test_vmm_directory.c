/* The directory that a VM is: what is removed, how it ended, what was saved. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"
#include "vmm/host/client.h"
#include "vmm/host/options.h"
#include "vmm/host/saved.h"

static char scratch[SCRATCH_SIZE];
static struct vm_directory dir;
static struct vm_config config;

static void put(const char *name, const char *text)
{
	int fd = openat(dir.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool exists(const char *name)
{
	return !faccessat(dir.fd, name, F_OK, 0);
}

static int set_up(void **state)
{
	char name[] = "--name=vm", kernel[] = "--kernel=/kernel",
	     *words[] = { name, kernel, NULL };
	struct vm_options options = { 0 };

	scratch_make(scratch);
	setenv("VSW_VMM_HOME", scratch, 1);
	vm_config_init(&options.config);
	assert_int_equal(vm_options_parse(&options, words, NULL), 0);
	config = options.config;
	assert_int_equal(vm_directory_open(&dir, "vm", true, true, NULL), 0);
	return vm_directory_store(&dir, &config, NULL);
}

static int tear_down(void **state)
{
	vm_config_uninit(&config);
	unlinkat(dir.fd, "disk", 0);
	vm_directory_remove(&dir, NULL);
	vm_directory_close(&dir, false);
	return rmdir(scratch);
}

static void assert_state(const char *expected)
{
	json_t *info = client_describe("vm", 1, NULL);

	assert_string_equal(json_string_value(json_object_get(info, "state")),
			    expected);
	json_decref(info);
}

/* Nothing goes when something has to stay. */
static void a_users_file_stays(void **state)
{
	char *error = NULL;

	put("root.qcow2", "");
	assert_int_equal(vm_directory_remove(&dir, &error), -ENOTEMPTY);
	assert_non_null(strstr(error, "/vm/root.qcow2 is not ours"));
	free(error);
	assert_true(exists("vm.json") && exists("lock"));
	unlinkat(dir.fd, "root.qcow2", 0);
	put("disks.json", "");
	put("ended.json", "");
	assert_int_equal(vm_directory_remove(&dir, NULL), 0);
}

static void its_end_is_told(void **state)
{
	char *error = NULL;
	int lock = dir.lock;

	assert_state("busy");
	put("api.sock", "");
	vm_directory_set_ending(&dir);
	assert_state("ending");
	assert_true(client_connect("vm", "api.sock", &error) < 0);
	assert_string_equal(error, "vm " VM_ENDING);
	free(error);
	error = NULL;
	vm_directory_set_ended(&dir, false, "it broke");
	vm_directory_set_ended(&dir, true, "who is late is not heard");
	assert_true(exists("machine.log"));
	dir.lock = -1;
	close(lock);
	assert_state("ending");
	vm_directory_clean(&dir);
	assert_state("failed");
	put("vm.json", "{");
	assert_null(client_describe("vm", 1, &error));
	assert_non_null(strstr(error, "vm.json line 1"));
	free(error);
}

static void a_disk_that_changed_is_seen(void **state)
{
	struct vm_disk *disk = &config.disks[config.n_disks++];
	char *error = NULL;

	disk->path = vm_directory_file(&dir, "disk");
	put("disk", "old");
	assert_int_equal(saved_check(&dir, &config, NULL), -ESTALE);
	assert_int_equal(saved_store(&dir, &config, NULL), 0);
	assert_int_equal(saved_check(&dir, &config, NULL), 0);
	put("disk", "newer");
	assert_int_equal(saved_check(&dir, &config, &error), -ESTALE);
	assert_non_null(strstr(error, "/vm/disk has changed since vm was"));
	free(error);
	disk->read_only = true;
	assert_int_equal(saved_check(&dir, &config, NULL), 0);
	assert_false(saved_discard(&dir));
	put("state.json", "");
	assert_true(saved_discard(&dir));
	assert_false(exists("state.json") || exists("disks.json"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_users_file_stays),
		TEST(its_end_is_told),
		TEST(a_disk_that_changed_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

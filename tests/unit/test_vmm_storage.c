/*
 * Disks of a real qemu-storage-daemon, made by qemu-img; skipped where these
 * are not installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "vmm/host/storage.h"

static char dir[SCRATCH_SIZE];

static int run(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A shell command in the directory. */
static int run(const char *fmt, ...)
{
	char *command = NULL, *line;
	va_list args;
	int status;

	va_start(args, fmt);
	if (vasprintf(&command, fmt, args) < 0)
		abort();
	va_end(args);
	line = xasprintf("cd %s && { %s; } >/dev/null 2>&1", dir, command);
	status = system(line);
	free(line);
	free(command);
	return status;
}

static int setup(void **state)
{
	scratch_make(dir);
	return 0;
}

static int teardown(void **state)
{
	char *command = xasprintf("rm -rf %s", dir);

	assert_int_equal(system(command), 0);
	free(command);
	return 0;
}

static void need_programs(void)
{
	if (run("type qemu-img qemu-storage-daemon"))
		skip();
}

static struct vm_disk disk_of(int n, const char *file, const char *format)
{
	struct vm_disk disk = { .format = (char *)format };

	snprintf(disk.id, sizeof(disk.id), "disk%d", n);
	disk.path = xasprintf("%s/%s", dir, file);
	return disk;
}

static struct vm_config *config_of(unsigned int n, ...)
{
	struct vm_config *config = xcalloc(1, sizeof(*config));
	va_list args;

	config->cpus = 2;
	va_start(args, n);
	for (unsigned int i = 0; i < n; i++) {
		const char *file = va_arg(args, const char *);

		config->disks[i] = disk_of(i, file, va_arg(args, char *));
	}
	va_end(args);
	config->n_disks = n;
	return config;
}

static void free_config(struct vm_config *config)
{
	for (unsigned int i = 0; i < config->n_disks; i++)
		free(config->disks[i].path);
	free(config);
}

static struct storage *start(struct vm_config *config, int disks[VM_MAX_DISKS])
{
	struct storage *storage;
	char *why = NULL;

	memset(disks, -1, sizeof(int) * VM_MAX_DISKS);
	if (storage_start(config, dir, disks, &storage, &why))
		fail_msg("%s", why);
	return storage;
}

static void fails(struct vm_config *config, int error, const char *text)
{
	int disks[VM_MAX_DISKS];
	struct storage *storage;
	char *why = NULL;

	memset(disks, -1, sizeof(disks));
	assert_int_equal(storage_start(config, dir, disks, &storage, &why),
			 error);
	if (!strstr(why, text) || strchr(why, '\n'))
		fail_msg("%s", why);
	assert_null(storage);
	for (int i = 0; i < VM_MAX_DISKS; i++)
		assert_int_equal(disks[i], -1);
	free(why);
	free_config(config);
}

struct vhost_message {
	uint32_t request, flags, size;
	uint64_t value;
} __attribute__((packed));

/* VHOST_USER_GET_FEATURES, whose answer has VIRTIO_F_VERSION_1. */
static void assert_serves(int fd)
{
	struct vhost_message message = { .request = 1, .flags = 1 };
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	ssize_t got;

	assert_int_equal(write(fd, &message, 12), 12);
	for (size_t n = 0; n < sizeof(message);) {
		assert_int_equal(poll(&ready, 1, 20000), 1);
		got = read(fd, (char *)&message + n, sizeof(message) - n);
		assert_true(got > 0);
		n += got;
	}
	assert_int_equal(message.request, 1);
	assert_true(message.value >> 32 & 1);
}

static void stop(struct storage *storage, int disks[VM_MAX_DISKS])
{
	for (int i = 0; i < VM_MAX_DISKS; i++)
		if (disks[i] >= 0)
			close(disks[i]);
	storage_stop(storage);
}

static void test_disks_are_served(void **state)
{
	struct vm_config *config =
		config_of(4, "a.qcow2", "qcow2", "b.vmdk", "vmdk", "c.vdi",
			  "vdi", "d", "raw");
	struct storage *storage;
	int disks[VM_MAX_DISKS];
	pid_t pid;

	need_programs();
	assert_int_equal(run("qemu-img create -f qcow2 a.qcow2 16M; "
			     "qemu-img create -f vmdk b.vmdk 16M; "
			     "qemu-img create -f vdi c.vdi 16M; "
			     "qemu-img create -f raw d 16M"),
			 0);
	config->disks[3].direct = true;
	config->disks[1].read_only = true;
	storage = start(config, disks);
	for (int i = 0; i < 4; i++)
		assert_serves(disks[i]);
	assert_int_not_equal(run("ls *.sock"), 0);
	pid = storage_pid(storage);
	stop(storage, disks);
	assert_int_equal(kill(pid, 0), -1);
	free_config(config);
}

/* A comma and quotes in a name are the name's. */
static void test_odd_name(void **state)
{
	struct vm_config *config = config_of(1, "a,b\"c d=on.qcow2", "qcow2");
	struct storage *storage;
	int disks[VM_MAX_DISKS];

	need_programs();
	assert_int_equal(run("qemu-img create -f qcow2 x 16M && "
			     "mv x 'a,b\"c d=on.qcow2'"),
			 0);
	storage = start(config, disks);
	assert_serves(disks[0]);
	stop(storage, disks);
	free_config(config);
}

static void test_none(void **state)
{
	struct vm_config *config = config_of(1, "raw", "raw");
	struct storage *storage;
	int disks[VM_MAX_DISKS];

	config->disks[0].kind = VM_DISK_RAW;
	storage = start(config, disks);
	assert_null(storage);
	assert_int_equal(disks[0], -1);
	storage_stop(storage);
	free_config(config);
}

static void test_backing_chain(void **state)
{
	struct vm_config *config = config_of(1, "top.qcow2", "qcow2"),
			 *other = config_of(1, "second.qcow2", "qcow2");
	int disks[VM_MAX_DISKS], others[VM_MAX_DISKS];
	struct storage *storage, *more;

	need_programs();
	assert_int_equal(
		run("qemu-img create -f raw base 16M && "
		    "qemu-img create -f qcow2 -b base -F raw mid.qcow2 && "
		    "qemu-img create -f qcow2 -b mid.qcow2 -F qcow2 "
		    "top.qcow2 && "
		    "qemu-img create -f qcow2 -b mid.qcow2 -F qcow2 "
		    "second.qcow2"),
		0);
	storage = start(config, disks);
	more = start(other, others); /* they share what they only read */
	assert_serves(disks[0]);
	assert_serves(others[0]);
	stop(more, others);
	stop(storage, disks);
	free_config(config);
	free_config(other);
	/* nobody writes to what others stand on */
	config = config_of(1, "top.qcow2", "qcow2");
	storage = start(config, disks);
	fails(config_of(1, "mid.qcow2", "qcow2"), -EBUSY, "is in use");
	stop(storage, disks);
	free_config(config);
}

/* The base's format would have to be guessed: by qcow2's header without it. */
static void test_backing_format_is_not_probed(void **state)
{
	need_programs();
	/* the header's extension that states it becomes an unknown one */
	assert_int_equal(
		run("qemu-img create -f raw base 16M && "
		    "qemu-img create -f qcow2 -b base -F raw u.qcow2 && "
		    "printf ABCD | dd of=u.qcow2 bs=1 seek=112 conv=notrunc"),
		0);
	fails(config_of(1, "u.qcow2", "qcow2"), -EINVAL,
	      "u.qcow2 does not state the format of its backing file base;");
	/* nor further down */
	assert_int_equal(run("qemu-img create -f qcow2 -b u.qcow2 -F qcow2 "
			     "top.qcow2"),
			 0);
	fails(config_of(1, "top.qcow2", "qcow2"), -EINVAL,
	      "u.qcow2 does not state the format of its backing file base;");
}

/* A header can name anything; the daemon gets plain files only. */
static void test_backing_is_a_file(void **state)
{
	static const char *const names[] = { "nbd://127.0.0.1/x",
					     "json:{\"driver\":\"null-co\"}",
					     "file:base", "fat:rw:/etc" };

	need_programs();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(run("qemu-img create -u -f qcow2 -b '%s' "
				     "-F raw x.qcow2 16M",
				     names[i]),
				 0);
		fails(config_of(1, "x.qcow2", "qcow2"), -EINVAL,
		      "what backs it is no file's name");
	}
	assert_int_equal(run("qemu-img create -u -f qcow2 -b loop.qcow2 "
			     "-F qcow2 x.qcow2 16M && mv x.qcow2 loop.qcow2"),
			 0);
	fails(config_of(1, "loop.qcow2", "qcow2"), -EINVAL,
	      "too long a backing chain");
}

static void test_in_use(void **state)
{
	struct vm_config *config = config_of(1, "a.qcow2", "qcow2");
	struct storage *storage;
	int disks[VM_MAX_DISKS];
	char *text;

	need_programs();
	assert_int_equal(run("qemu-img create -f qcow2 a.qcow2 16M; "
			     "qemu-img create -f qcow2 b.qcow2 16M"),
			 0);
	storage = start(config, disks);
	text = xasprintf("disk %s/a.qcow2: it is in use, by another VM", dir);
	fails(config_of(2, "b.qcow2", "qcow2", "a.qcow2", "qcow2"), -EBUSY,
	      text);
	free(text);
	assert_serves(disks[0]);
	stop(storage, disks);
	storage = start(config, disks);
	stop(storage, disks);
	free_config(config);
}

/* A raw image, too, which the daemon itself would let others write to. */
static void test_raw_in_use(void **state)
{
	struct vm_config *config = config_of(1, "raw", "raw"),
			 *other = config_of(1, "raw", "raw");
	struct storage *storage, *second;
	int disks[VM_MAX_DISKS], others[VM_MAX_DISKS];

	need_programs();
	assert_int_equal(run("truncate -s 16M raw"), 0);
	storage = start(config, disks);
	fails(config_of(1, "raw", "raw"), -EBUSY, "/raw: it is in use");
	other->disks[0].read_only = true;
	fails(other, -EBUSY, "/raw: it is in use");
	stop(storage, disks);
	other = config_of(1, "raw", "raw");
	other->disks[0].read_only = config->disks[0].read_only = true;
	storage = start(config, disks);
	second = start(other, others);
	fails(config_of(1, "raw", "raw"), -EBUSY, "/raw: it is in use");
	stop(second, others);
	stop(storage, disks);
	free_config(config);
	free_config(other);
}

static void test_bad_disks(void **state)
{
	char *text = xasprintf("disk %s/none.qcow2: ", dir);

	need_programs();
	assert_int_equal(run("head -c 1M /dev/urandom >noise"), 0);
	fails(config_of(1, "none.qcow2", "qcow2"), -ENOENT, text);
	fails(config_of(1, "noise", "qcow2"), -EINVAL,
	      "/noise: Image is not in qcow2 format");
	fails(config_of(1, "noise", "elephant"), -EINVAL, "elephant");
	free(text);
}

static void test_no_program(void **state)
{
	char *path = xstrdup(getenv("PATH"));

	assert_int_equal(run(": >a"), 0);
	setenv("PATH", "/nonexistent", 1);
	fails(config_of(1, "a", "raw"), -EINVAL,
	      "No such file or directory; its package is qemu-system-common");
	setenv("PATH", path, 1);
	free(path);
}

static void test_daemon_ends(void **state)
{
	struct vm_config *config = config_of(1, "a", "raw");
	struct storage *storage;
	int disks[VM_MAX_DISKS];

	need_programs();
	assert_int_equal(run("qemu-img create -f raw a 16M"), 0);
	storage = start(config, disks);
	kill(storage_pid(storage), SIGKILL);
	assert_int_equal(waitpid(storage_pid(storage), NULL, 0),
			 storage_pid(storage));
	storage_ended(storage);
	assert_int_equal(storage_pid(storage), 0);
	stop(storage, disks);
	free_config(config);
}

/* The keeper is killed: the socket's other end closes. */
static void test_daemon_dies_with_keeper(void **state)
{
	struct vm_config *config = config_of(1, "a", "raw");
	int sockets[2], disks[VM_MAX_DISKS];
	char byte;
	pid_t keeper;

	need_programs();
	assert_int_equal(run("qemu-img create -f raw a 16M"), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	keeper = fork();
	if (!keeper) {
		/* which the daemon inherits, and nobody else keeps */
		start(config, disks);
		close(sockets[0]);
		if (write(sockets[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(sockets[1]);
	assert_int_equal(read(sockets[0], &byte, 1), 1);
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
	assert_int_equal(read(sockets[0], &byte, 1), 0);
	close(sockets[0]);
	free_config(config);
}

/* --- raw files of our own ------------------------------------------------- */

static int open_raw(const char *file, bool read_only, char **errp)
{
	struct vm_disk disk = disk_of(0, file, "raw");
	int fd;

	disk.kind = VM_DISK_RAW;
	disk.read_only = read_only;
	fd = storage_open_raw(&disk, errp);
	free(disk.path);
	return fd;
}

static void test_raw_locks(void **state)
{
	int writer, reader, second;
	char *why = NULL;

	assert_int_equal(run("truncate -s 1M raw"), 0);
	writer = open_raw("raw", false, &why);
	assert_true(writer >= 0);
	assert_int_equal(open_raw("raw", false, &why), -EBUSY);
	assert_non_null(strstr(why, "/raw: it is in use, by another VM"));
	free(why);
	assert_int_equal(open_raw("raw", true, NULL), -EBUSY);
	close(writer);
	reader = open_raw("raw", true, NULL);
	second = open_raw("raw", true, NULL);
	assert_true(reader >= 0 && second >= 0);
	assert_int_equal(open_raw("raw", false, NULL), -EBUSY);
	close(reader);
	close(second);
}

/* Either keeps the other out. */
static void test_raw_against_daemon(void **state)
{
	struct vm_config *config = config_of(1, "raw", "raw");
	struct storage *storage;
	int disks[VM_MAX_DISKS], fd;

	need_programs();
	assert_int_equal(run("truncate -s 1M raw"), 0);
	storage = start(config, disks);
	assert_int_equal(open_raw("raw", false, NULL), -EBUSY);
	assert_int_equal(open_raw("raw", true, NULL), -EBUSY);
	stop(storage, disks);
	fd = open_raw("raw", false, NULL);
	assert_true(fd >= 0);
	fails(config, -EBUSY, "/raw: it is in use");
	assert_int_not_equal(run("qemu-img convert -f raw raw copy"), 0);
	close(fd);
	assert_int_equal(run("qemu-img convert -f raw raw copy"), 0);
	/* readers beside a reader of the daemon's */
	config = config_of(1, "raw", "raw");
	config->disks[0].read_only = true;
	storage = start(config, disks);
	fd = open_raw("raw", true, NULL);
	assert_true(fd >= 0);
	assert_int_equal(open_raw("raw", false, NULL), -EBUSY);
	close(fd);
	stop(storage, disks);
	free_config(config);
}

static void test_raw_is_no_file(void **state)
{
	char *why = NULL;

	assert_int_equal(run("mkfifo fifo"), 0);
	assert_int_equal(open_raw("fifo", false, &why), -ENOTSUP);
	assert_non_null(strstr(why, "neither a file nor a block device"));
	assert_int_equal(open_raw("none", false, &why), -ENOENT);
	assert_non_null(strstr(why, "/none: No such file"));
	free(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)
		TEST(test_disks_are_served),
		TEST(test_odd_name),
		TEST(test_none),
		TEST(test_backing_chain),
		TEST(test_backing_format_is_not_probed),
		TEST(test_backing_is_a_file),
		TEST(test_in_use),
		TEST(test_raw_in_use),
		TEST(test_bad_disks),
		TEST(test_no_program),
		TEST(test_daemon_ends),
		TEST(test_daemon_dies_with_keeper),
		TEST(test_raw_locks),
		TEST(test_raw_against_daemon),
		TEST(test_raw_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

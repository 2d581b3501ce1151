/*
 * The keeper with a machine that only pretends, in a process of its own as the
 * real one, and with ports that are only remembered: its start and end, API
 * socket, events, console, cards, saving, and what it leaves when it is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"
#include "vmm/host/client.h"
#include "vmm/host/keeper.h"
#include "vmm/host/options.h"
#include "vmm/host/storage.h"
#include "vmm/host/wiring.h"
#include "vmm/machine/machine.h"

static char scratch[SCRATCH_SIZE];

/* --- the machine ---------------------------------------------------------- */

static void say(int link, const char *text)
{
	assert_int_equal(send(link, text, strlen(text), 0), strlen(text));
}

static void answer(int link, const json_t *request, const char *error)
{
	json_t *reply =
		json_pack("{s:O, s:o}", "id", json_object_get(request, "id"),
			  error ? "error" : "result",
			  error ? json_string(error) : json_object());
	char *text = json_dumps(reply, 0);

	say(link, text);
	free(text);
	json_decref(reply);
}

static int receive(int link, char *buf, size_t size, int fds[2])
{
	char control[CMSG_SPACE(18 * sizeof(int))];
	struct iovec iov = { buf, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int n = (int)recvmsg(link, &msg, 0);

	if (n > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&msg)), 2 * sizeof(int));
	return n;
}

/* What a command does besides being answered. -1: go on, else the status. */
static int act(int link, const json_t *request, const int fds[2])
{
	const char *cmd = json_string_value(json_object_get(request, "cmd"));

	if (!strcmp(cmd, "reset")) {
		answer(link, request, "this guest cannot be reset");
		return -1;
	}
	if (!strcmp(cmd, "pause"))
		say(link, "{\"event\": \"paused\"}");
	if (!strcmp(cmd, "save"))
		assert_true(write(fds[0], "{}", 2) == 2 &&
			    write(fds[1], "memory", 6) == 6);
	for (int i = 0; i < 1000 && !strcmp(cmd, "set-link"); i++)
		say(link, "{\"event\": \"net-lost\", \"net\": \"net0\"}");
	answer(link, request, NULL);
	if (!strcmp(cmd, "del-net"))
		say(link, "{\"event\": \"net-removed\", \"net\": \"net0\"}");
	if (!strcmp(cmd, "balloon")) /* something that is no message */
		say(link, "\x01\x02{{{{");
	return strcmp(cmd, "shutdown") ? -1 : EXIT_SUCCESS;
}

int machine_main(const struct vm_config *config, struct machine_files *files,
		 int (*confine)(char **errp))
{
	char buf[4096];
	json_t *request;
	int n, status = -1, fds[2] = { -1, -1 };

	if (!strcmp(config->name, "broken")) {
		say(files->link,
		    "{\"event\": \"crashed\", \"why\": \"that is no kernel\"}");
		return EXIT_FAILURE;
	}
	say(files->link, "{\"event\": \"started\"}");
	if (files->restore_memory >= 0 &&
	    read(files->restore_memory, buf, 6) != 6)
		return EXIT_FAILURE;
	assert_int_equal(write(files->serial, "login: ", 7), 7);
	while (status < 0) {
		n = receive(files->link, buf, sizeof(buf), fds);
		if (n <= 0)
			return EXIT_FAILURE;
		request = json_loadb(buf, (size_t)n, 0, NULL);
		status = act(files->link, request, fds);
		json_decref(request);
	}
	return status;
}

/* --- ports: files in the scratch directory -------------------------------- */

static char *port_path(const char *port)
{
	return xasprintf("%s/port-%s", scratch, port);
}

struct wiring *wiring_create(struct event_base *loop, const char *db,
			     const char *vm_name, const char *vm_uuid)
{
	return NULL;
}

void wiring_destroy(struct wiring *wiring)
{
}

int wiring_wait(struct wiring *wiring, unsigned int timeout_ms, char **errp)
{
	return 0;
}

int wiring_add(struct wiring *wiring, struct vm_net *net, const char *socket,
	       int *taps, char **errp)
{
	char *path;

	free(net->port);
	net->port = xasprintf("vm-%s", net->id);
	path = port_path(net->port);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	free(path);
	net->mac[5] = 7;
	return 0;
}

int wiring_remove(struct wiring *wiring, const char *port,
		  unsigned int timeout_ms, char **errp)
{
	for (int i = 0; i < 4; i++) {
		char *name = port ? xstrdup(port) : xasprintf("vm-net%d", i);
		char *path = port_path(name);

		unlink(path);
		free(path);
		free(name);
	}
	return 0;
}

char *wiring_client_socket(const struct wiring *wiring, const char *port)
{
	return xasprintf("%s/vswd.sock", scratch);
}

json_t *wiring_port_info(const struct wiring *wiring, const char *port)
{
	return json_object();
}

int storage_start(const struct vm_config *config, const char *directory,
		  int disks[VM_MAX_DISKS], struct storage **storage,
		  char **errp)
{
	return 0;
}

pid_t storage_pid(const struct storage *storage)
{
	return -1;
}

void storage_ended(struct storage *storage)
{
}

void storage_stop(struct storage *storage)
{
}

int storage_open_raw(const struct vm_disk *disk, char **errp)
{
	return -1;
}

/* --- helpers -------------------------------------------------------------- */

static bool exists(const char *name)
{
	char *path = xasprintf("%s/%s", scratch, name);
	bool there = !access(path, F_OK);

	free(path);
	return there;
}

/* `vsw-vmm run`, in the background. */
static pid_t run(const char *name, bool restore, int *error_pipe)
{
	char *kernel = xasprintf("--kernel=%s/kernel", scratch),
	     *name_option = xasprintf("--name=%s", name), *error = NULL;
	char serial[] = "--serial=socket", net[] = "--net=br0,client",
	     *args[] = { name_option, kernel, serial, net, NULL };
	struct vm_options options = { 0 };
	struct vm_directory dir;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	if (strcmp(name, "client"))
		strcpy(net, "--net=br0");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		vm_config_init(&options.config);
		if (vm_options_parse(&options, args, &error) ||
		    vm_directory_open(&dir, name, true, true, &error)) {
			fprintf(stderr, "%s\n", error);
			_exit(EXIT_FAILURE);
		}
		_exit(keeper_run(&dir, &options.config, false, restore));
	}
	close(ends[1]);
	if (error_pipe)
		*error_pipe = ends[0];
	else
		close(ends[0]);
	free(kernel);
	free(name_option);
	return pid;
}

static json_t *call(const char *vm, const char *command, const char *key,
		    const char *value, char **errp)
{
	json_t *request = json_pack("{s:s, s:s*}", "cmd", command,
				    key ? key : "x", value);

	return client_call(vm, request, 10, NULL, errp);
}

static const char *state_of(const char *vm, char buf[16])
{
	json_t *info = call(vm, "info", NULL, NULL, NULL);
	const char *state = json_string_value(json_object_get(info, "state"));

	snprintf(buf, 16, "%s", state ? state : "");
	json_decref(info);
	return buf;
}

/* Waits for a state that it comes to soon. */
static void await(const char *vm, const char *state)
{
	char buf[16];

	for (int i = 0; i < 2000 && strcmp(state_of(vm, buf), state); i++)
		poll(NULL, 0, 5);
	assert_string_equal(buf, state);
}

static int end_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void do_command(const char *vm, const char *command)
{
	char *error = NULL;
	json_t *result = call(vm, command, NULL, NULL, &error);

	if (!result)
		fail_msg("%s", error);
	json_decref(result);
}

/* What `vsw-vmm info` says of a VM that does not run. */
static void assert_stopped(const char *vm, const char *state, const char *why)
{
	json_t *info = client_describe(vm, 10, NULL);
	const char *said_state, *said_why;

	assert_int_equal(json_unpack(info, "{s:s, s:{s:s}}", "state",
				     &said_state, "ended", "why", &said_why),
			 0);
	assert_string_equal(said_state, state);
	assert_string_equal(said_why, why);
	json_decref(info);
}

/* --- tests ---------------------------------------------------------------- */

static void test_life(void **state)
{
	pid_t pid = run("vm", false, NULL);
	char *error = NULL;

	await("vm", "running");
	assert_true(exists("vms/vm/vm.json") && exists("port-vm-net0"));
	do_command("vm", "pause");
	await("vm", "paused");
	assert_null(call("vm", "reset", NULL, NULL, &error));
	assert_string_equal(error, "vm: this guest cannot be reset");
	free(error);
	do_command("vm", "shutdown");
	assert_int_equal(end_of(pid), 0);
	assert_false(exists("port-vm-net0"));
	assert_false(exists("vms/vm/api.sock"));
	assert_true(exists("vms/vm/vm.json"));
}

/* A VM that does not start leaves nothing, and says why in one line. */
static void test_broken(void **state)
{
	char text[256];
	int fd;
	pid_t pid = run("broken", false, &fd);
	ssize_t n;

	assert_int_not_equal(end_of(pid), 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
	assert_string_equal(text, "vsw-vmm: broken: it did not start: that is "
				  "no kernel\n");
	assert_false(exists("vms/broken"));
	assert_false(exists("port-vm-net0"));
}

static void test_second(void **state)
{
	pid_t pid = run("vm", false, NULL), second;

	await("vm", "running");
	second = run("vm", false, NULL);
	assert_int_not_equal(end_of(second), 0);
	await("vm", "running");
	do_command("vm", "kill");
	assert_int_equal(end_of(pid), 0);
}

static void test_cards(void **state)
{
	pid_t pid = run("vm", false, NULL);
	char *error = NULL;

	await("vm", "running");
	json_decref(call("vm", "add-net", "net", "br1,tag=10", &error));
	assert_null(error);
	assert_true(exists("port-vm-net1") && exists("vms/vm/net1.sock"));
	assert_null(call("vm", "add-net", "net", "br1,tga=10", &error));
	assert_string_equal(error, "vm: \"tga\" is not known; did you mean "
				   "\"tag\"?");
	free(error);
	error = NULL;
	assert_null(call("vm", "add-net", "net", "br1,id=net1", &error));
	assert_string_equal(error, "vm: id: two devices are called net1");
	free(error);
	assert_true(exists("vms/vm/net1.sock"));
	json_decref(call("vm", "del-net", "net", "net0", NULL));
	for (int i = 0; i < 2000 && exists("port-vm-net0"); i++)
		poll(NULL, 0, 5);
	assert_false(exists("port-vm-net0"));
	assert_true(exists("port-vm-net1"));
	do_command("vm", "kill");
	assert_int_equal(end_of(pid), 0);
}

static void test_save(void **state)
{
	pid_t pid = run("vm", false, NULL);

	await("vm", "running");
	do_command("vm", "save");
	assert_int_equal(end_of(pid), 0);
	assert_true(exists("vms/vm/state.json") && exists("vms/vm/memory"));
	assert_stopped("vm", "saved", "it was saved");
	pid = run("vm", true, NULL);
	await("vm", "running");
	do_command("vm", "kill");
	assert_int_equal(end_of(pid), 0);
	assert_stopped("vm", "saved", "it was told to end");
	/* started anew, it is another guest */
	pid = run("vm", false, NULL);
	await("vm", "running");
	do_command("vm", "shutdown");
	assert_int_equal(end_of(pid), 0);
	assert_false(exists("vms/vm/state.json") || exists("vms/vm/memory"));
	assert_stopped("vm", "ended", "the guest shut down");
}

static void test_events(void **state)
{
	pid_t pid = run("vm", false, NULL);
	char line[256];
	FILE *stream;

	await("vm", "running");
	json_decref(client_call("vm", json_pack("{s:s}", "cmd", "events"), 10,
				&stream, NULL));
	do_command("vm", "pause");
	assert_non_null(fgets(line, sizeof(line), stream));
	assert_non_null(strstr(line, "\"event\":\"paused\""));
	do_command("vm", "shutdown");
	assert_non_null(fgets(line, sizeof(line), stream));
	assert_non_null(strstr(line, "\"event\":\"ended\""));
	assert_null(fgets(line, sizeof(line), stream));
	fclose(stream);
	assert_int_equal(end_of(pid), 0);
}

static void test_console(void **state)
{
	pid_t pid = run("vm", false, NULL);
	char text[16] = "";
	int fd;

	await("vm", "running");
	fd = client_connect("vm", "console.sock", NULL);
	assert_true(fd >= 0);
	assert_int_equal(recv(fd, text, 7, MSG_WAITALL), 7);
	assert_string_equal(text, "login: ");
	close(fd);
	do_command("vm", "kill");
	assert_int_equal(end_of(pid), 0);
}

/* Bytes that are no message: the machine is ended, and its ports go. */
static void test_hostile_machine(void **state)
{
	pid_t pid = run("vm", false, NULL);

	await("vm", "running");
	json_decref(call("vm", "balloon", NULL, NULL, NULL));
	assert_int_not_equal(end_of(pid), 0);
	assert_false(exists("port-vm-net0"));
}

/* However often it says that a card has lost vswd: we connect once. */
static void test_lost(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), n = 0;
	pid_t pid;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/vswd.sock", scratch);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)),
			 0);
	assert_int_equal(listen(listener, 100), 0);
	pid = run("client", false, NULL);
	await("client", "running");
	do_command("client", "set-link");
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; n++)
		close(fd);
	assert_int_equal(n, 2); /* the first one, at its start */
	do_command("client", "kill");
	assert_int_equal(end_of(pid), 0);
	close(listener);
	unlink(addr.sun_path);
}

static void test_hostile_client(void **state)
{
	static const char deep[] =
		"{\"cmd\":{\"cmd\":{\"cmd\":{\"cmd\":{\"cmd\":{\"cmd\":"
		"{\"cmd\":{\"cmd\":{\"cmd\":1}}}}}}}}}\n";
	static const char *const requests[] = { "x\n", deep,
						"{\"a\":\"\xff\"}\n" };
	pid_t pid = run("vm", false, NULL);
	char buf[16];

	await("vm", "running");
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		int fd = client_connect("vm", "api.sock", NULL);

		assert_true(fd >= 0);
		assert_true(write(fd, requests[i], strlen(requests[i])) > 0);
		assert_true(read(fd, buf, sizeof(buf)) <= 0);
		close(fd);
	}
	do_command("vm", "kill");
	assert_int_equal(end_of(pid), 0);
}

static void test_killed(void **state)
{
	pid_t pid = run("vm", false, NULL);

	await("vm", "running");
	kill(pid, SIGKILL);
	end_of(pid);
	for (int i = 0; i < 2000 && exists("vms/vm/api.sock"); i++)
		poll(NULL, 0, 5);
	assert_false(exists("port-vm-net0"));
	assert_false(exists("vms/vm/api.sock"));
	assert_stopped("vm", "failed", "vsw-vmm was killed");
}

static int set_up(void **state)
{
	char *path;

	scratch_make(scratch);
	path = xasprintf("%s/vms", scratch);
	setenv("VSW_VMM_HOME", path, 1);
	free(path);
	path = xasprintf("%s/kernel", scratch);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	free(path);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	return nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),	   TEST(test_broken),
		TEST(test_second),	   TEST(test_cards),
		TEST(test_save),	   TEST(test_events),
		TEST(test_console),	   TEST(test_hostile_machine),
		TEST(test_hostile_client), TEST(test_lost),
		TEST(test_killed),
	};

	if (access("/dev/kvm", R_OK | W_OK)) {
		printf("skipped: no /dev/kvm\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

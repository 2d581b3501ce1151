/* The life of a VM as the keeper sees it: see keeper.h. */
#include "vmm/host/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/daemon.h"
#include "vmm/host/keeper_private.h"
#include "vmm/host/reaper.h"
#include "vmm/host/sandbox.h"
#include "vmm/host/saved.h"

#define SHUTDOWN_S 30 /* that a guest has, when we are told to end */
#define REMOVE_MS  5000

static const int signal_numbers[4] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };

/* A line to the user, on a terminal that may be raw. */
static void say(const struct keeper *k, const char *what, const char *why)
{
	char *line;

	fprintf(stderr, "vsw-vmm: %s: %s%s%s%s\n", k->config->name, what,
		why ? ": " : "", why ? why : "", k->started ? "\r" : "");
	if (!k->started || k->dir->fd < 0)
		return;
	line = xasprintf("%s%s%s", what, why ? ": " : "", why ? why : "");
	vm_directory_log(k->dir, line);
	free(line);
}

static void kill_machine(const struct keeper *k)
{
	if (k->machine > 0) /* 0 would be our process group */
		kill(k->machine, SIGKILL);
}

void keeper_kill(struct keeper *k)
{
	k->ending = true;
	kill_machine(k);
}

static void quit(void *aux)
{
	keeper_kill(aux);
}

/* --- events of the machine ------------------------------------------------ */

static void tell(struct keeper *k, const json_t *event)
{
	json_t *copy = json_copy((json_t *)event);

	json_object_set_new(copy, "time", json_integer(time(NULL)));
	api_event(k->api, copy);
	json_decref(copy);
}

static void show_console(struct keeper *k)
{
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "vsw-vmm: %s: Ctrl-] q ends it\n",
			k->config->name);
	console_show(k->serial, quit, k);
}

static void started(struct keeper *k)
{
	char *error = NULL;

	if (k->started)
		return;
	if (vm_directory_store(k->dir, k->config, &error)) {
		free(k->why);
		k->why = error;
		kill_machine(k);
		return;
	}
	k->started = true;
	unlinkat(k->dir->fd, "ended.json", 0);
	if (!k->restore && saved_discard(k->dir))
		say(k, "what was saved of it is discarded", NULL);
	if (k->detach)
		daemon_ready();
	else if (k->serial && k->config->serial == VM_SERIAL_TERMINAL)
		show_console(k);
}

static void on_boot(struct keeper *k, const json_t *event)
{
	char text[64];

	if (k->booted) /* the guest may say it as often as it likes */
		return;
	k->booted = true;
	snprintf(text, sizeof(text), "%.3f ms from start to init",
		 (double)json_integer_value(json_object_get(event, "us")) /
			 1000);
	say(k, text, NULL);
}

static void on_event(void *aux, const json_t *event)
{
	static const struct {
		const char *event, *state;
	} states[] = {
		{ "started", "running" },   { "paused", "paused" },
		{ "resumed", "running" },   { "reset", "running" },
		{ "panicked", "panicked" }, { "crashed", "crashed" },
		{ "shutdown", "ended" },
	};
	struct keeper *k = aux;
	const char *name = json_string_value(json_object_get(event, "event")),
		   *id = json_string_value(json_object_get(event, "net")),
		   *why = json_string_value(json_object_get(event, "why")),
		   *before = k->state;

	if (!name) { /* the link has ended, and so will the machine */
		kill_machine(k);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (!strcmp(states[i].event, name))
			k->state = states[i].state;
	if (!strcmp(name, "started"))
		started(k);
	else if (!strcmp(name, "boot"))
		on_boot(k, event);
	else if (!strcmp(name, "net-lost") && id)
		keeper_net_lost(k, id);
	else if (!strcmp(name, "net-removed") && id)
		keeper_net_removed(k, id);
	else if (!strcmp(name, "panicked") && strcmp(before, name))
		say(k, "the guest's kernel panicked", NULL);
	else if (!strcmp(name, "crashed") && k->started && strcmp(before, name))
		say(k, "the guest crashed", why);
	if (!strcmp(name, "crashed") && !k->why)
		k->why = xstrdup(why ? why : "it crashed");
	tell(k, event);
}

/* --- signals and processes ------------------------------------------------ */

static void machine_ended(struct keeper *k, int status)
{
	k->machine = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status)) {
		k->ending = true;
		if (!k->why)
			k->why = xstrdup("the guest shut down");
	} else if (!k->why && !k->ending) {
		k->why = WIFSIGNALED(status)
				 ? xasprintf("the VM's process was ended by "
					     "signal %d (%s)",
					     WTERMSIG(status),
					     strsignal(WTERMSIG(status)))
				 : xasprintf("the VM's process ended with "
					     "status %d; machine.log may say "
					     "why",
					     WEXITSTATUS(status));
	}
	event_base_loopbreak(k->base);
}

static void on_child(evutil_socket_t fd, short what, void *aux)
{
	struct keeper *k = aux;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->machine) {
			machine_ended(k, status);
		} else if (k->storage && pid == storage_pid(k->storage)) {
			storage_ended(k->storage);
			free(k->why);
			k->why = xstrdup("qemu-storage-daemon, which serves "
					 "its disks, ended");
			kill_machine(k);
		}
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *aux)
{
	keeper_kill(aux);
}

/* The guest is asked to shut down; at the second time it is not asked. */
static void on_end_signal(evutil_socket_t fd, short what, void *aux)
{
	const struct timeval time = { .tv_sec = SHUTDOWN_S };
	struct keeper *k = aux;

	if (!k->started || evtimer_pending(k->deadline, NULL) ||
	    strcmp(k->state, "running")) {
		keeper_kill(k);
		return;
	}
	k->ending = true;
	evtimer_add(k->deadline, &time);
	link_call(k->link, json_pack("{s:s}", "cmd", "shutdown"), NULL, 0, NULL,
		  NULL);
}

static void watch_signals(struct keeper *k)
{
	k->deadline = evtimer_new(k->base, on_deadline, k);
	for (size_t i = 0; i < ARRAY_SIZE(signal_numbers); i++) {
		k->signals[i] = evsignal_new(
			k->base, signal_numbers[i],
			signal_numbers[i] == SIGCHLD ? on_child : on_end_signal,
			k);
		evsignal_add(k->signals[i], NULL);
	}
}

/* --- the machine's process ------------------------------------------------ */

static const struct vm_config *machine_config;

static int confine(char **errp)
{
	return vm_sandbox_confine(machine_config->user, errp);
}

/* The child: nothing of the keeper's is left open but what it is given. */
static _Noreturn void be_machine(struct keeper *k)
{
	struct machine_files *files = &k->files;

	for (size_t i = 0; i < ARRAY_SIZE(signal_numbers); i++)
		signal(signal_numbers[i], SIG_DFL);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	dup2(k->log_end, STDOUT_FILENO);
	dup2(k->log_end, STDERR_FILENO);
	if (k->restore)
		files->userfault =
			(int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	vm_sandbox_close_others((const int *)files,
				sizeof(*files) / sizeof(int));
	machine_config = k->config;
	_exit(machine_main(k->config, files, confine));
}

/* Closes what the machine has by now; what has come in is the machine's. */
static void close_files(struct keeper *k)
{
	int *fds = (int *)&k->files;

	for (size_t i = 0; i < sizeof(k->files) / sizeof(int); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	memset(fds, 0xff, sizeof(k->files));
	if (k->log_end >= 0)
		close(k->log_end);
	k->log_end = -1;
}

static int start_machine(struct keeper *k, char **errp)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return set_error(errp, -errno, "socketpair: %s",
				 strerror(errno));
	k->link = link_create(k->base, ends[0], on_event, k);
	k->files.link = ends[1];
	fflush(stdout);
	k->machine = vm_sandbox_fork(errp);
	if (!k->machine)
		be_machine(k);
	close_files(k);
	return k->machine < 0 ? k->machine : 0;
}

/* --- all of it ------------------------------------------------------------ */

/* Returns whether the ports are gone. */
static bool remove_ports(struct keeper *k)
{
	char *error = NULL;

	if (!k->wired || !vm_remove_ports(k->config, NULL, REMOVE_MS, &error))
		return true;
	say(k, "its ports are still on vswd", error);
	free(error);
	return false;
}

static void tidy_up(struct keeper *k)
{
	char *why = NULL;
	bool clean;

	vm_directory_set_ending(k->dir);
	close_files(k);
	console_destroy(k->serial);
	console_destroy(k->hvc);
	console_destroy(k->log);
	link_destroy(k->link);
	storage_stop(k->storage);
	if (k->saved && saved_store(k->dir, k->config, &why))
		say(k, why, NULL);
	free(why);
	clean = remove_ports(k) && !k->stale;
	if (clean)
		vm_directory_clean(k->dir);
	vm_directory_close(k->dir, !k->started && clean);
	if (k->reaper >= 0 && clean)
		reaper_dismiss(k->reaper);
	/* who waits for the VM's end finds its directory free */
	api_destroy(k->api);
	for (size_t i = 0; i < ARRAY_SIZE(k->signals); i++)
		event_free(k->signals[i]);
	event_free(k->deadline);
	event_base_free(k->base);
}

static void report_end(struct keeper *k)
{
	json_t *event;

	if (!k->why)
		k->why = xstrdup(k->saved    ? "it was saved"
				 : k->ending ? "it was told to end"
					     : "it ended by itself");
	event = json_pack("{s:s, s:b, s:s}", "event", "ended", "well",
			  (int)k->ending, "why", k->why);
	if (k->started)
		vm_directory_set_ended(k->dir, k->ending, k->why);
	tell(k, event);
	json_decref(event);
}

int keeper_run(struct vm_directory *dir, struct vm_config *config, bool detach,
	       bool restore)
{
	const struct daemon_options daemon = { .detach = detach,
					       .no_chdir = true };
	struct keeper k = { .dir = dir,
			    .config = config,
			    .detach = detach,
			    .restore = restore,
			    .reaper = -1,
			    .log_end = -1,
			    .state = "starting" };

	memset(&k.files, 0xff, sizeof(k.files));
	signal(SIGPIPE, SIG_IGN);
	if (detach && daemon_start(&daemon, &k.why)) {
		say(&k, k.why, NULL);
		vm_directory_close(dir, true);
		return EXIT_FAILURE;
	}
	k.base = event_base_new();
	watch_signals(&k);
	if (!keeper_prepare(&k, &k.why) && !k.ending &&
	    !start_machine(&k, &k.why))
		event_base_dispatch(k.base);
	report_end(&k);
	tidy_up(&k);
	if (!k.started || !k.ending)
		say(&k, k.started ? "it ended" : "it did not start", k.why);
	free(k.why);
	return k.ending && k.started ? EXIT_SUCCESS : EXIT_FAILURE;
}

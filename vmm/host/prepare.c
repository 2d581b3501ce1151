/*
 * What a VM needs before it starts: files, ports, disks, sockets. Whatever
 * fails here is the user's to hear of in one line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ovsdb-lite/stream.h"
#include "vmm/host/keeper_private.h"
#include "vmm/host/reaper.h"
#include "vmm/host/saved.h"
#include "vmm/x86/cpu.h"

#define STALE_MS 3000

static int open_file(int *fd, const char *path, const char *what, char **errp)
{
	struct stat st;

	if (!path)
		return 0;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return set_error(errp, -errno, "%s %s: %s", what, path,
				 strerror(errno));
	if (fstat(*fd, &st) || !S_ISREG(st.st_mode))
		return set_error(errp, -EINVAL, "%s %s: not a regular file",
				 what, path);
	return 0;
}

/* Of a keeper that was killed, when its reaper could do nothing either. */
static int tidy_before(struct keeper *k, char **errp)
{
	char *why = NULL;

	if (!faccessat(k->dir->fd, "api.sock", F_OK, 0) &&
	    vm_remove_ports(k->config, NULL, STALE_MS, &why) &&
	    vm_directory_has_cards(k->dir)) {
		k->stale = true;
		set_error(errp, -EBUSY,
			  "its ports on vswd are still to be removed: %s", why);
		free(why);
		return -EBUSY;
	}
	free(why);
	vm_directory_clean(k->dir);
	return 0;
}

static int open_files(struct keeper *k, char **errp)
{
	struct machine_files *files = &k->files;
	char *state = k->restore ? vm_directory_file(k->dir, "state.json")
				 : NULL,
	     *memory = k->restore ? vm_directory_file(k->dir, "memory") : NULL;
	const struct {
		int *fd;
		const char *path, *what;
	} all[] = {
		{ &files->kernel, k->config->kernel, "kernel" },
		{ &files->initrd, k->config->initrd, "initrd" },
		{ &files->restore_state, state, "saved state" },
		{ &files->restore_memory, memory, "saved memory" },
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(all); i++)
		error = open_file(all[i].fd, all[i].path, all[i].what, errp);
	if (!error && k->restore)
		error = saved_check(k->dir, k->config, errp);
	free(state);
	free(memory);
	if (error)
		return error;
	files->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (files->kvm < 0)
		return set_error(errp, -errno,
				 "/dev/kvm: %s; its group (kvm) may use it",
				 strerror(errno));
	return 0;
}

char *keeper_net_socket(const struct keeper *k, const struct vm_net *net)
{
	return xasprintf("%s/%s.sock", k->dir->path, net->id);
}

int keeper_open_net(struct keeper *k, struct wiring *wiring,
		    const struct vm_net *net, struct machine_net_files *files,
		    char **errp)
{
	char *path;
	int *fd = net->client ? &files->connected : &files->listener;

	if (net->kind != VM_NET_VHOST)
		return 0;
	path = net->client ? wiring_client_socket(wiring, net->port)
			   : keeper_net_socket(k, net);
	if (!path)
		return set_error(errp, -ENOENT,
				 "vswd does not say where it listens for %s",
				 net->port);
	*fd = net->client ? stream_connect_unix(path, errp)
			  : stream_listen_unix(path, errp);
	free(path);
	return *fd < 0 ? *fd : 0;
}

int keeper_plug_net(struct keeper *k, struct wiring *wiring, struct vm_net *net,
		    struct machine_net_files *files, char **errp)
{
	char *path = keeper_net_socket(k, net);
	int error = 0;

	if (!net->client)
		error = keeper_open_net(k, NULL, net, files, errp);
	if (!error) {
		error = wiring_add(wiring, net, path, files->taps, errp);
		k->wired |= !error; /* whatever fails then */
	}
	if (!error && net->client)
		error = keeper_open_net(k, wiring, net, files, errp);
	free(path);
	return error;
}

static int plug_nets(struct keeper *k, char **errp)
{
	struct wiring *wiring = k->config->n_nets ? vm_wiring(k->config) : NULL;
	int error = 0;

	for (unsigned int i = 0; !error && i < k->config->n_nets; i++)
		error = keeper_plug_net(k, wiring, &k->config->nets[i],
					&k->files.nets[i], errp);
	wiring_destroy(wiring);
	return error;
}

static int open_disks(struct keeper *k, char **errp)
{
	const struct vm_config *config = k->config;

	for (unsigned int i = 0; i < config->n_disks; i++) {
		if (config->disks[i].kind != VM_DISK_RAW)
			continue;
		k->files.disks[i] = storage_open_raw(&config->disks[i], errp);
		if (k->files.disks[i] < 0)
			return k->files.disks[i];
	}
	return storage_start(config, k->dir->path, k->files.disks, &k->storage,
			     errp);
}

/* One end is the machine's, *fd; the other a console's. Both names of files
 * may be NULL. */
static int open_console(struct keeper *k, struct console **console, int *fd,
			const char *socket, const char *log, char **errp)
{
	char *path = socket ? vm_directory_file(k->dir, socket) : NULL,
	     *log_path = log ? vm_directory_file(k->dir, log) : NULL;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       ends))
		return set_error(errp, -errno, "socketpair: %s",
				 strerror(errno));
	*fd = ends[1];
	*console = console_create(k->base, ends[0], path, log_path, errp);
	free(path);
	free(log_path);
	return *console ? 0 : -EIO;
}

static int open_consoles(struct keeper *k, char **errp)
{
	enum vm_serial_kind kind = k->config->serial;
	int error = open_console(k, &k->log, &k->log_end, NULL, "machine.log",
				 errp);

	if (!error && kind != VM_SERIAL_NONE)
		error = open_console(
			k, &k->serial, &k->files.serial, "console.sock",
			kind == VM_SERIAL_LOG ? "serial.log" : NULL, errp);
	if (!error && k->config->console)
		error = open_console(k, &k->hvc, &k->files.console, "hvc0.sock",
				     NULL, errp);
	return error;
}

/*
 * Host programs that the guest may connect to listen in a directory of their
 * own. It is given by its name: the machine's process makes a mount of it, out
 * of which ".." does not lead (vm_sandbox_directory()).
 */
static int open_vsock(struct keeper *k, char **errp)
{
	char *path;
	int error = 0;

	if (!k->config->vsock_cid)
		return 0;
	path = vm_directory_file(k->dir, "vsock.sock");
	k->files.vsock_listener = stream_listen_unix(path, errp);
	free(path);
	if (k->files.vsock_listener < 0)
		return k->files.vsock_listener;
	if (mkdirat(k->dir->fd, "vsock", 0755) && errno != EEXIST)
		return set_error(errp, -errno, "making %s/vsock: %s",
				 k->dir->path, strerror(errno));
	path = vm_directory_file(k->dir, "vsock");
	k->files.vsock_directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (k->files.vsock_directory < 0)
		error = set_error(errp, -errno, "%s: %s", path,
				  strerror(errno));
	free(path);
	return error;
}

static int open_api(struct keeper *k, char **errp)
{
	char *path = vm_directory_file(k->dir, "api.sock");

	k->api = api_create(k->base, path, keeper_command, k, errp);
	free(path);
	return k->api ? 0 : -EIO;
}

static int note_processor(struct keeper *k, char **errp)
{
	if (!x86_has_virtualisation())
		vm_directory_log(k->dir, "this processor has neither vmx nor "
					 "svm: a stock kernel will not run");
	return 0;
}

static int start_reaper(struct keeper *k, char **errp)
{
	k->reaper = reaper_start(k->config, errp);
	return k->reaper < 0 ? k->reaper : 0;
}

int keeper_prepare(struct keeper *k, char **errp)
{
	static int (*const steps[])(struct keeper * k, char **errp) = {
		open_files,	tidy_before,   start_reaper,
		note_processor, plug_nets,     open_disks,
		open_vsock,	open_consoles, open_api,
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(steps); i++)
		error = steps[i](k, errp);
	return error;
}

/*
 * The link to the keeper: its commands are carried out one by one, in the
 * control thread, and what happens is told (machine.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/host/options.h"
#include "vmm/machine/internal.h"

LOG_MODULE(control);

enum { MESSAGE_SIZE = 128 << 10 }; /* more than the API takes */

struct request {
	struct machine *machine;
	json_t *json;
	int fds[MACHINE_MAX_FDS]; /* -1 where somebody took it */
	json_t *result;		  /* NULL: nothing to tell */
};

static int take_fd(struct request *request, unsigned int i)
{
	int fd = request->fds[i];

	request->fds[i] = -1;
	return fd;
}

/* The card a request names; NULL with a message. */
static struct machine_device *find_net(struct request *request, char **errp)
{
	const char *id =
		json_string_value(json_object_get(request->json, "net"));
	struct machine_device *device =
		id ? machine_find(request->machine, id) : NULL;

	if (device && device->is_net)
		return device;
	if (id)
		set_error(errp, -ENOENT, "the VM has no card %s", id);
	else
		set_error(errp, -EINVAL,
			  "the request needs \"net\", a card's name");
	return NULL;
}

static int shutdown_vm(struct request *request, char **errp)
{
	if (request->machine->state != MACHINE_RUNNING)
		return set_error(errp, -EINVAL,
				 "the VM does not run, so its guest cannot "
				 "shut down");
	chipset_power_button(request->machine->chipset);
	return 0;
}

static int info(struct request *request, char **errp)
{
	static const char *const states[] = { "starting", "running", "paused",
					      "crashed", "ended" };
	struct machine *machine = request->machine;

	request->result =
		json_pack("{ss,si,sI,sI,so}", "state", states[machine->state],
			  "cpus", machine->config->cpus, "memory_mib",
			  (json_int_t)machine->config->memory_mib, "exits",
			  (json_int_t)vcpus_exits(machine->vcpus), "devices",
			  machine_devices_info(machine));
	return 0;
}

static int set_link(struct request *request, char **errp)
{
	struct machine_device *net = find_net(request, errp);
	const json_t *up = json_object_get(request->json, "up");

	if (!net)
		return -ENOENT;
	if (!json_is_boolean(up))
		return set_error(errp, -EINVAL,
				 "the request needs \"up\", true or false");
	virtio_net_set_link(net->virtio, json_is_true(up));
	return 0;
}

static int add_net(struct request *request, char **errp)
{
	struct machine_net_files files = { .connected = -1, .listener = -1 };
	struct vm_net net;
	int error = vm_net_from_json(
		&net, json_object_get(request->json, "net"), errp);

	if (error) {
		vm_net_uninit(&net);
		return error;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(files.taps); i++)
		files.taps[i] =
			net.kind == VM_NET_TAP ? take_fd(request, i) : -1;
	if (net.kind == VM_NET_VHOST && net.client)
		files.connected = take_fd(request, 0);
	else if (net.kind == VM_NET_VHOST)
		files.listener = take_fd(request, 0);
	error = machine_add_net(request->machine, &net, &files, errp);
	vm_net_uninit(&net);
	return error;
}

static int del_net(struct request *request, char **errp)
{
	struct machine_device *net = find_net(request, errp);

	return net ? machine_eject_net(request->machine, net->id, errp)
		   : -ENOENT;
}

static int connect_net(struct request *request, char **errp)
{
	struct machine_device *net = find_net(request, errp);

	return net ? virtio_net_connected(net->virtio, take_fd(request, 0),
					  errp)
		   : -ENOENT;
}

static int balloon(struct request *request, char **errp)
{
	struct machine_device *device =
		machine_find(request->machine, "balloon");
	json_t *mib = json_object_get(request->json, "mib");

	if (!device)
		return set_error(errp, -ENOENT,
				 "the VM has no balloon: start it with "
				 "--balloon");
	if (!json_is_integer(mib) || json_integer_value(mib) < 0)
		return set_error(errp, -EINVAL,
				 "the request needs \"mib\", a number");
	virtio_balloon_set_target(device->virtio,
				  (uint64_t)json_integer_value(mib));
	return 0;
}

static int save(struct request *request, char **errp)
{
	return machine_save(request->machine, request->fds[0], request->fds[1],
			    errp);
}

static const struct {
	const char *name;
	int (*run)(struct request *request, char **errp);
	int (*run_plain)(struct machine *machine, char **errp);
} commands[] = {
	{ "pause", NULL, machine_pause },
	{ "resume", NULL, machine_resume },
	{ "reset", NULL, machine_reset },
	{ "shutdown", shutdown_vm, NULL },
	{ "info", info, NULL },
	{ "set-link", set_link, NULL },
	{ "add-net", add_net, NULL },
	{ "del-net", del_net, NULL },
	{ "connect-net", connect_net, NULL },
	{ "balloon", balloon, NULL },
	{ "save", save, NULL },
};

static int run_command(struct request *request, char **errp)
{
	const char *name =
		json_string_value(json_object_get(request->json, "cmd"));

	for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name))
			continue;
		return commands[i].run
			       ? commands[i].run(request, errp)
			       : commands[i].run_plain(request->machine, errp);
	}
	return set_error(errp, -EINVAL, "the machine has no command %s",
			 name ? name : "");
}

/* --- messages ------------------------------------------------------------- */

/* Takes `json` over. */
static void send_message(struct machine *machine, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	if (text &&
	    send(machine->files->link, text, strlen(text), MSG_NOSIGNAL) < 0)
		log_warn_limited("the keeper cannot be told: %s",
				 strerror(errno));
	free(text);
	json_decref(json);
}

void machine_event(struct machine *machine, const char *name, json_t *more)
{
	json_t *json = json_pack("{ss}", "event", name);

	if (more)
		json_object_update(json, more);
	json_decref(more);
	send_message(machine, json);
}

static void answer(struct request *request)
{
	json_t *id = json_object_get(request->json, "id");
	json_t *reply = json_object();
	char *error = NULL;

	if (run_command(request, &error))
		json_object_set_new(reply, "error",
				    json_string(error ? error : "it failed"));
	else
		json_object_set_new(reply, "result",
				    request->result ? request->result
						    : json_object());
	if (id)
		json_object_set(reply, "id", id);
	send_message(request->machine, reply);
	free(error);
}

/* Fills request->fds and returns the length of the text, or -1. */
static ssize_t receive(struct machine *machine, char *text,
		       struct request *request)
{
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(MACHINE_MAX_FDS * sizeof(int))];
	} control;
	struct iovec part = { text, MESSAGE_SIZE };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	ssize_t length = recvmsg(machine->files->link, &message,
				 MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	memset(request->fds, 0xff, sizeof(request->fds));
	if (length < 0)
		return length;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c;
	     c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(request->fds, CMSG_DATA(c),
			       c->cmsg_len - CMSG_LEN(0));
	}
	return length;
}

static void on_message(evutil_socket_t fd, short what, void *aux)
{
	struct machine *machine = aux;
	struct request request = { .machine = machine };
	char *text = xmalloc(MESSAGE_SIZE);
	ssize_t length = receive(machine, text, &request);

	if (length > 0) {
		request.json = json_loadb(text, (size_t)length, 0, NULL);
		answer(&request);
		json_decref(request.json);
	} else if (!length || (errno != EAGAIN && errno != EINTR)) {
		/* The keeper has gone, and with it who cleans up after us. */
		machine_end(machine, EXIT_FAILURE);
	}
	for (size_t i = 0; i < MACHINE_MAX_FDS; i++) {
		if (request.fds[i] >= 0)
			close(request.fds[i]);
	}
	free(text);
}

int machine_open_link(struct machine *machine, char **errp)
{
	machine->link = event_new(machine->control, machine->files->link,
				  EV_READ | EV_PERSIST, on_message, machine);
	if (!machine->link || event_add(machine->link, NULL))
		return set_error(errp, -ENOMEM, "the link cannot be watched");
	return 0;
}

void machine_close_link(struct machine *machine)
{
	if (machine->link)
		event_free(machine->link);
	machine->link = NULL;
}

/*
 * What the API socket asks for. Most of it is the machine's to do; cards come
 * and go with a port on vswd, and a change of a card is kept in vm.json.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/host/keeper_private.h"
#include "vmm/host/options.h"
#include "vmm/host/reaper.h"

#define INFO_MS	  1000
#define REMOVE_MS 5000

/* A request that waits for the machine. */
struct asked {
	struct keeper *k;
	struct api_request *request;
	json_t *message;
	int fds[2]; /* of files being saved; -1: none */
};

static struct asked *ask(struct keeper *k, struct api_request *request,
			 const json_t *message)
{
	struct asked *asked = xmalloc(sizeof(*asked));

	*asked = (struct asked){
		k, request, json_incref((json_t *)message), { -1, -1 }
	};
	return asked;
}

static void answer(struct asked *asked, json_t *result, const char *error)
{
	api_reply(asked->request, result, error);
	json_decref(asked->message);
	for (int i = 0; i < 2; i++)
		if (asked->fds[i] >= 0)
			close(asked->fds[i]);
	free(asked);
}

static struct vm_net *find_net(struct keeper *k, const char *id)
{
	for (unsigned int i = 0; id && i < k->config->n_nets; i++)
		if (!strcmp(k->config->nets[i].id, id))
			return &k->config->nets[i];
	return NULL;
}

/* vm.json as it now is; that it could not be written is no reason to stop. */
static void store(struct keeper *k)
{
	char *error = NULL;

	if (vm_directory_store(k->dir, k->config, &error))
		fprintf(stderr, "vsw-vmm: %s\r\n", error);
	free(error);
}

/* --- what the machine does -------------------------------------------------
 */

/* A cable stays as it was put, also when the VM is started again. */
static void keep_link(struct keeper *k, const json_t *message)
{
	const char *id = json_string_value(json_object_get(message, "net"));
	const json_t *up = json_object_get(message, "up");
	struct vm_net *net = up ? find_net(k, id) : NULL;

	if (net) {
		net->link_down = !json_is_true(up);
		store(k);
	}
}

static void passed_on(void *aux, const json_t *result, const char *error)
{
	struct asked *asked = aux;

	if (!error)
		keep_link(asked->k, asked->message);
	answer(asked, json_incref((json_t *)result), error);
}

static void pass_on(struct keeper *k, struct api_request *request,
		    const json_t *message)
{
	link_call(k->link, json_copy((json_t *)message), NULL, 0, passed_on,
		  ask(k, request, message));
}

static void kill_vm(struct keeper *k, struct api_request *request,
		    const json_t *message)
{
	api_reply(request, NULL, NULL);
	keeper_kill(k);
}

/* --- info ----------------------------------------------------------------- */

static void info_done(void *aux, const json_t *result, const char *error)
{
	struct asked *asked = aux;
	struct keeper *k = asked->k;
	json_t *ports = json_object(), *info;
	struct wiring *wiring = k->config->n_nets ? vm_wiring(k->config) : NULL;

	if (wiring)
		wiring_wait(wiring, INFO_MS, NULL);
	for (unsigned int i = 0; i < k->config->n_nets; i++) {
		const struct vm_net *net = &k->config->nets[i];
		json_t *port = wiring_port_info(wiring, net->port);

		json_object_set_new(ports, net->id, port ? port : json_null());
	}
	wiring_destroy(wiring);
	info = json_pack("{s:s, s:s, s:i, s:o, s:o, s:O?}", "name",
			 k->config->name, "state", k->state, "pid",
			 (int)getpid(), "config", vm_config_to_json(k->config),
			 "ports", ports, "machine", result);
	if (error)
		json_object_set_new(info, "machine_error", json_string(error));
	answer(asked, info, NULL);
}

static void info(struct keeper *k, struct api_request *request,
		 const json_t *message)
{
	link_call(k->link, json_pack("{s:s}", "cmd", "info"), NULL, 0,
		  info_done, ask(k, request, message));
}

/* --- cards ---------------------------------------------------------------- */

/* A card that is being added. */
struct net_change {
	struct asked *asked;
	struct vm_net net;
	struct machine_net_files files;
};

static void unplug(const struct keeper *k, const struct vm_net *net,
		   bool listens)
{
	char *path = keeper_net_socket(k, net);

	if (listens) /* else it may be another's */
		unlink(path);
	free(path);
	if (net->port)
		vm_remove_ports(k->config, net->port, REMOVE_MS, NULL);
}

static void net_added(void *aux, const json_t *result, const char *error)
{
	struct net_change *change = aux;
	struct keeper *k = change->asked->k;
	int *fds = (int *)&change->files;

	for (size_t i = 0; i < sizeof(change->files) / sizeof(int); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (error) {
		unplug(k, &change->net, change->files.listener >= 0);
		answer(change->asked, NULL, error);
		vm_net_uninit(&change->net);
	} else {
		k->config->nets[k->config->n_nets++] = change->net;
		store(k);
		answer(change->asked, vm_net_to_json(&change->net), NULL);
	}
	k->adding = false;
	free(change);
}

/* Parses what the request says into the change. */
static int read_net(struct keeper *k, struct net_change *change,
		    const json_t *message, char **errp)
{
	struct vm_config *config = k->config;
	int error;

	if (config->n_nets == VM_MAX_NETS)
		return set_error(errp, -EINVAL, "it has %d cards already",
				 VM_MAX_NETS);
	error = vm_net_from_json(&change->net, json_object_get(message, "net"),
				 errp);
	free(change->net.port); /* is chosen, and may be another's */
	change->net.port = NULL;
	if (error)
		return error;
	/* its name is found, or checked, as one of the list */
	config->nets[config->n_nets++] = change->net;
	error = vm_config_name_devices(config, errp);
	change->net = config->nets[--config->n_nets];
	return error;
}

static void add_net(struct keeper *k, struct api_request *request,
		    const json_t *message)
{
	struct net_change *change;
	struct wiring *wiring;
	unsigned int n = 0;
	int *fds, open[18];
	char *why = NULL;

	if (k->adding) {
		api_reply(request, NULL, "another card is being added");
		return;
	}
	k->adding = true;
	change = xcalloc(1, sizeof(*change));
	change->asked = ask(k, request, message);
	memset(&change->files, 0xff, sizeof(change->files));
	wiring = vm_wiring(k->config);
	if (read_net(k, change, message, &why) ||
	    keeper_plug_net(k, wiring, &change->net, &change->files, &why)) {
		net_added(change, NULL, why);
	} else {
		fds = (int *)&change->files;
		for (size_t i = 0; i < ARRAY_SIZE(open); i++)
			if (fds[i] >= 0)
				open[n++] = fds[i];
		link_call(k->link,
			  json_pack("{s:s, s:o}", "cmd", "add-net", "net",
				    vm_net_to_json(&change->net)),
			  open, n, net_added, change);
	}
	wiring_destroy(wiring);
	free(why);
}

void keeper_net_removed(struct keeper *k, const char *id)
{
	struct vm_net *net = find_net(k, id);

	if (!net)
		return;
	unplug(k, net, net->kind == VM_NET_VHOST && !net->client);
	vm_net_uninit(net);
	k->config->n_nets--;
	memmove(net, net + 1,
		(size_t)((char *)&k->config->nets[k->config->n_nets] -
			 (char *)net));
	store(k);
}

/* vswd made the socket, and is gone: a card is connected again when it is
 * back. */
struct lost_net {
	struct keeper *k;
	char id[sizeof(((struct vm_net *)NULL)->id)];
	struct lost_net *next;
};

static void forget_lost(struct lost_net *lost)
{
	struct lost_net **p = &lost->k->lost;

	while (*p != lost)
		p = &(*p)->next;
	*p = lost->next;
	free(lost);
}

static void connect_again(evutil_socket_t fd, short what, void *aux);

static void connect_later(struct lost_net *lost)
{
	const struct timeval wait = { .tv_usec = 500000 };

	event_base_once(lost->k->base, -1, EV_TIMEOUT, connect_again, lost,
			&wait);
}

/* A vswd that is ending still takes connections, and closes them. */
static void connected(void *aux, const json_t *result, const char *error)
{
	struct lost_net *lost = aux;

	if (error && find_net(lost->k, lost->id))
		connect_later(lost);
	else
		forget_lost(lost);
}

static void connect_again(evutil_socket_t fd, short what, void *aux)
{
	struct lost_net *lost = aux;
	struct keeper *k = lost->k;
	struct vm_net *net = find_net(k, lost->id);
	struct wiring *wiring;
	struct machine_net_files files;
	int error;

	if (!net) {
		forget_lost(lost);
		return;
	}
	wiring = vm_wiring(k->config);
	error = wiring_wait(wiring, INFO_MS, NULL);
	if (!error)
		error = keeper_open_net(k, wiring, net, &files, NULL);
	wiring_destroy(wiring);
	if (error) {
		connect_later(lost);
		return;
	}
	link_call(k->link,
		  json_pack("{s:s, s:s}", "cmd", "connect-net", "net", net->id),
		  &files.connected, 1, connected, lost);
	close(files.connected);
}

void keeper_net_lost(struct keeper *k, const char *id)
{
	struct vm_net *net = find_net(k, id);
	struct lost_net *lost;

	if (!net || !net->client)
		return;
	/* However often the machine says so, it is connected once. */
	for (lost = k->lost; lost; lost = lost->next)
		if (!strcmp(lost->id, id))
			return;
	lost = xcalloc(1, sizeof(*lost));
	lost->k = k;
	strcpy(lost->id, net->id);
	lost->next = k->lost;
	k->lost = lost;
	connect_again(-1, 0, lost);
}

/* --- save ----------------------------------------------------------------- */

static const struct {
	const char *name, *temporary;
} saved[] = { { "state.json", "state.json.new" }, { "memory", "memory.new" } };

/*
 * The state takes its place last, and what was there has gone before: whenever
 * this ends, a state that is there belongs to the memory beside it.
 */
static void save_done(void *aux, const json_t *result, const char *error)
{
	struct asked *asked = aux;
	struct keeper *k = asked->k;
	int dir = k->dir->fd;

	k->saving = false;
	if (!error)
		unlinkat(dir, saved[0].name, 0);
	for (size_t i = ARRAY_SIZE(saved); i-- > 0;) {
		if (error)
			unlinkat(dir, saved[i].temporary, 0);
		else if (fsync(asked->fds[i]) ||
			 renameat(dir, saved[i].temporary, dir, saved[i].name))
			error = strerror(errno);
	}
	answer(asked, NULL, error);
	k->saved |= !error;
	if (!error)
		keeper_kill(k);
}

static void save(struct keeper *k, struct api_request *request,
		 const json_t *message)
{
	struct asked *asked;

	if (k->saving) {
		api_reply(request, NULL, "it is being saved already");
		return;
	}
	asked = ask(k, request, message);
	for (size_t i = 0; i < ARRAY_SIZE(saved); i++) {
		asked->fds[i] =
			openat(k->dir->fd, saved[i].temporary,
			       O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (asked->fds[i] < 0) {
			answer(asked, NULL, strerror(errno));
			return;
		}
	}
	k->saving = true;
	link_call(k->link, json_pack("{s:s}", "cmd", "save"), asked->fds, 2,
		  save_done, asked);
}

/* -------------------------------------------------------------------------- */

void keeper_command(struct api_request *request, const char *command,
		    const json_t *message, void *keeper)
{
	static const struct {
		const char *name;
		void (*run)(struct keeper *k, struct api_request *request,
			    const json_t *message);
	} commands[] = {
		{ "pause", pass_on },	 { "resume", pass_on },
		{ "shutdown", pass_on }, { "reset", pass_on },
		{ "balloon", pass_on },	 { "del-net", pass_on },
		{ "kill", kill_vm },	 { "info", info },
		{ "set-link", pass_on }, { "add-net", add_net },
		{ "save", save },
	};
	struct keeper *k = keeper;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, command))
			continue;
		if (!k->link || !k->machine)
			api_reply(request, NULL, "it does not run");
		else
			commands[i].run(k, request, message);
		return;
	}
	api_reply(request, NULL, "there is no such command");
}

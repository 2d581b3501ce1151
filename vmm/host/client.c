/* The other end of the API socket: see client.h. */
#include "vmm/host/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ovsdb-lite/stream.h"
#include "vmm/host/options.h"

#define LIST_TIMEOUT_S 2

int client_connect(const char *vm, const char *socket, char **errp)
{
	struct vm_directory dir;
	char *path;
	int fd;

	fd = vm_directory_open(&dir, vm, false, false, errp);
	if (fd)
		return fd;
	path = vm_directory_file(&dir, socket);
	fd = stream_connect_unix(path, NULL);
	if (fd < 0)
		set_error(errp, fd, "%s %s", vm,
			  fd == -EACCES ? "is another user's"
			  : vm_directory_busy(&dir)
				  ? "has nothing that listens for this"
				  : "does not run");
	else
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	free(path);
	vm_directory_close(&dir, false);
	return fd;
}

json_t *client_call(const char *vm, json_t *request, unsigned int timeout_s,
		    FILE **stream, char **errp)
{
	const struct timeval timeout = { .tv_sec = timeout_s };
	int fd = client_connect(vm, "api.sock", errp);
	json_t *reply = NULL, *result = NULL;
	char *line = NULL;
	size_t size = 0;
	FILE *file;

	if (fd < 0) {
		json_decref(request);
		return NULL;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	json_dumpfd(request, fd, JSON_COMPACT);
	file = fdopen(fd, "r");
	if (getline(&line, &size, file) > 0)
		reply = json_loads(line, 0, NULL);
	result = json_incref(json_object_get(reply, "result"));
	if (!reply)
		set_error(errp, -EPIPE, "%s does not answer", vm);
	else if (!result)
		set_error(errp, -EINVAL, "%s: %s", vm,
			  json_string_value(json_object_get(reply, "error")));
	if (result && stream)
		*stream = file;
	else
		fclose(file);
	json_decref(reply);
	json_decref(request);
	free(line);
	return result;
}

/* A line for what is a VM. */
static void print_vm(const char *name)
{
	const char *state = "ended", *bridge;
	json_t *info = NULL, *config, *nets = NULL, *net;
	int pid = 0, cpus = 1, memory = 256; /* as by default */
	struct vm_directory dir;
	char *path;
	size_t i;

	if (vm_directory_open(&dir, name, false, false, NULL))
		return;
	if (vm_directory_busy(&dir)) {
		state = "busy";
		info = client_call(name, json_pack("{s:s}", "cmd", "info"),
				   LIST_TIMEOUT_S, NULL, NULL);
	} else if (!faccessat(dir.fd, "state.json", F_OK, 0)) {
		state = "saved";
	}
	path = vm_directory_file(&dir, "vm.json");
	config = info ? json_incref(json_object_get(info, "config"))
		      : json_load_file(path, 0, NULL);
	json_unpack(info, "{s:s, s:i}", "state", &state, "pid", &pid);
	json_unpack(config, "{s?i, s?i, s?o}", "cpus", &cpus, "memory_mib",
		    &memory, "nets", &nets);
	if (config)
		printf("%-16s %-9s %8d %4d %6dM ", name, state, pid, cpus,
		       memory);
	json_array_foreach(nets, i, net)
		if (!json_unpack(net, "{s:s}", "bridge", &bridge))
			printf(" %s", bridge);
	if (config)
		putchar('\n');
	json_decref(config);
	json_decref(info);
	free(path);
	vm_directory_close(&dir, false);
}

static int visible(const struct dirent *entry)
{
	return vm_name_valid(entry->d_name);
}

int client_list(char **errp)
{
	struct dirent **names = NULL;
	char *home = vm_home();
	int n = scandir(home, &names, visible, alphasort), error = 0;

	if (n < 0 && errno != ENOENT)
		error = set_error(errp, -errno, "%s: %s", home,
				  strerror(errno));
	puts("NAME             STATE          PID CPUS  MEMORY  NETS");
	for (int i = 0; i < n; i++) {
		print_vm(names[i]->d_name);
		free(names[i]);
	}
	free(names);
	free(home);
	return error;
}

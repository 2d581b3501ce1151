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
			  fd == -EACCES		      ? "is another user's"
			  : vm_directory_ending(&dir) ? VM_ENDING
			  : !vm_directory_busy(&dir)  ? "does not run"
			  : !strcmp(socket, "hvc0.sock")
				  ? "has no virtio console; --console gives it"
				  : "has nothing that listens for this");
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

/* Of a VM that does not answer; NULL with a message. */
static json_t *describe_stopped(const struct vm_directory *dir,
				const char *name, char **errp)
{
	char *path = vm_directory_file(dir, "ended.json");
	bool busy = vm_directory_busy(dir);
	json_t *ended = busy ? NULL : json_load_file(path, 0, NULL),
	       *info = NULL;
	struct vm_config config;
	const char *state;

	if (vm_directory_ending(dir))
		state = "ending";
	else if (busy)
		state = "busy";
	else if (!faccessat(dir->fd, "state.json", F_OK, 0))
		state = "saved";
	else
		state = json_is_false(json_object_get(ended, "well")) ? "failed"
								      : "ended";
	vm_config_init(&config);
	if (!vm_directory_load(dir, &config, errp))
		info = json_pack("{s:s, s:s, s:o, s:O*}", "name", name, "state",
				 state, "config", vm_config_to_json(&config),
				 "ended", ended);
	vm_config_uninit(&config);
	json_decref(ended);
	free(path);
	return info;
}

json_t *client_describe(const char *name, unsigned int timeout_s, char **errp)
{
	struct vm_directory dir;
	json_t *info = NULL;
	bool runs;

	if (vm_directory_open(&dir, name, false, false, errp))
		return NULL;
	runs = vm_directory_busy(&dir) && !vm_directory_ending(&dir);
	if (runs)
		info = client_call(name, json_pack("{s:s}", "cmd", "info"),
				   timeout_s, NULL, timeout_s ? NULL : errp);
	if (!info && !(runs && !timeout_s))
		info = describe_stopped(&dir, name, errp);
	vm_directory_close(&dir, false);
	return info;
}

/* A line for what is a VM. */
static void print_vm(const char *home, const char *name)
{
	char *path = xasprintf("%s/%s/vm.json", home, name), *why = NULL;
	int pid = 0, cpus = 1, memory = 256; /* as by default */
	json_t *info = NULL, *nets = NULL, *net;
	const char *state = "unreadable", *bridge;
	bool is_vm = !access(path, F_OK);
	size_t i;

	free(path);
	if (is_vm)
		info = client_describe(name, LIST_TIMEOUT_S, &why);
	if (why)
		fprintf(stderr, "vsw-vmm: %s\n", why);
	free(why);
	if (!is_vm)
		return;
	json_unpack(info, "{s:s, s?i, s:{s?i, s?i, s?o}}", "state", &state,
		    "pid", &pid, "config", "cpus", &cpus, "memory_mib", &memory,
		    "nets", &nets);
	printf("%-16s %-10s %7d %4d %6dM ", name, state, pid, cpus, memory);
	json_array_foreach(nets, i, net)
		if (!json_unpack(net, "{s:s}", "bridge", &bridge))
			printf(" %s", bridge);
	putchar('\n');
	json_decref(info);
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
		print_vm(home, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	free(home);
	return error;
}

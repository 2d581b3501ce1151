/* The other end of the API socket: see client.h. */
#include "vmm/host/client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

int client_events(const char *vm, char **errp)
{
	FILE *stream = NULL;
	json_t *result = client_call(vm, json_pack("{s:s}", "cmd", "events"), 0,
				     &stream, errp);
	char *line = NULL;
	size_t size = 0;

	if (!result)
		return -EINVAL;
	while (getline(&line, &size, stream) > 0) {
		fputs(line, stdout);
		fflush(stdout);
	}
	json_decref(result);
	free(line);
	fclose(stream);
	return 0;
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

	if (vm_directory_open(&dir, name, false, false, errp))
		return NULL;
	if (vm_directory_busy(&dir) && !vm_directory_ending(&dir))
		info = client_call(name, json_pack("{s:s}", "cmd", "info"),
				   timeout_s, NULL, NULL);
	if (!info)
		info = describe_stopped(&dir, name, errp);
	vm_directory_close(&dir, false);
	return info;
}

/* One of the list, which also has those that cannot be read; NULL: no VM. */
static json_t *describe_any(const char *home, const char *name)
{
	char *path = xasprintf("%s/%s/vm.json", home, name), *why = NULL;
	json_t *info = NULL;

	if (!access(path, F_OK)) {
		info = client_describe(name, LIST_TIMEOUT_S, &why);
		if (!info) {
			fprintf(stderr, "vsw-vmm: %s\n", why);
			info = json_pack("{s:s, s:s, s:s}", "name", name,
					 "state", "unreadable", "why", why);
		}
	}
	free(why);
	free(path);
	return info;
}

static void print_line(const json_t *info)
{
	const json_t *config = json_object_get(info, "config"), *net,
		     *nets = json_object_get(config, "nets");
	json_int_t cpus = json_integer_value(json_object_get(config, "cpus")),
		   memory = json_integer_value(
			   json_object_get(config, "memory_mib"));
	const char *name = json_string_value(json_object_get(info, "name")),
		   *state = json_string_value(json_object_get(info, "state"));
	size_t i;

	/* what is as it is by default is not in vm.json */
	printf("%-16s %-10s %7" JSON_INTEGER_FORMAT " %4" JSON_INTEGER_FORMAT
	       " %6" JSON_INTEGER_FORMAT "M ",
	       name, state, json_integer_value(json_object_get(info, "pid")),
	       cpus ? cpus : 1, memory ? memory : 256);
	json_array_foreach(nets, i, net)
		printf(" %s",
		       json_string_value(json_object_get(net, "bridge")));
	putchar('\n');
}

static int visible(const struct dirent *entry)
{
	return vm_name_valid(entry->d_name);
}

int client_list(bool as_json, char **errp)
{
	json_t *list = json_array(), *info;
	struct dirent **names = NULL;
	char *home = vm_home();
	int n = scandir(home, &names, visible, alphasort);
	size_t i;

	if (n < 0 && errno != ENOENT)
		set_error(errp, -errno, "%s: %s", home, strerror(errno));
	for (int j = 0; j < n; j++) {
		info = describe_any(home, names[j]->d_name);
		if (info)
			json_array_append_new(list, info);
		free(names[j]);
	}
	free(names);
	free(home);
	if (as_json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		puts("NAME             STATE          PID CPUS  MEMORY  NETS");
		json_array_foreach(list, i, info)
			print_line(info);
	}
	json_decref(list);
	return 0;
}

/* The directory that a VM is: see directory.h. */
#include "vmm/host/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/host/options.h"

LOG_MODULE(directory);

/* Who was killed has its lock until the kernel has taken it apart. */
#define LOCK_TRIES   40
#define LOCK_WAIT_NS 50000000

/* Files of ours, and those of them that nobody needs once the VM has ended. */
static const char *const ours[] = { "vm.json",	 "lock",       "vm.json.new",
				    "*.log",	 "state.json", "memory",
				    "*.new",	 "vsock",      "disks.json",
				    "ended.json" };
static const char *const passing[] = { "*.sock", "*.pid", "*.new" };

char *vm_home(void)
{
	const char *home = getenv("VSW_VMM_HOME");

	if (home)
		return xstrdup(home);
	if (!geteuid())
		return xstrdup("/var/lib/vsw/vms");
	home = getenv("XDG_STATE_HOME");
	if (home)
		return xasprintf("%s/vsw/vms", home);
	home = getenv("HOME");
	return xasprintf("%s/.local/state/vsw/vms", home ? home : "");
}

/* Makes a directory with all that are above it. */
static int make_directories(char *path, char **errp)
{
	mode_t mode = 0755;

	for (char *p = path; p;) {
		p = strchr(p + 1, '/');
		if (p)
			*p = '\0';
		else
			mode = geteuid() ? 0700 : 0750;
		if (mkdir(path, mode) && errno != EEXIST)
			return set_error(errp, -errno,
					 "making the directory %s: %s", path,
					 strerror(errno));
		if (p)
			*p = '/';
	}
	return 0;
}

static int take_lock(struct vm_directory *dir, const char *name, char **errp)
{
	const struct timespec wait = { .tv_nsec = LOCK_WAIT_NS };
	int fd = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return set_error(errp, -errno, "%s/lock: %s", dir->path,
				 strerror(errno));
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (i == LOCK_TRIES) {
			close(fd);
			return vm_directory_ending(dir)
				       ? set_error(errp, -EBUSY, "%s %s", name,
						   VM_ENDING)
				       : set_error(errp, -EBUSY,
						   "%s runs already; \"vsw-vmm "
						   "kill %s\" would end it",
						   name, name);
		}
		nanosleep(&wait, NULL);
	}
	if (ftruncate(fd, 0))
		log_warn("%s/lock: %m", dir->path);
	dir->lock = fd;
	return 0;
}

static int open_directory(struct vm_directory *dir, const char *name, bool make,
			  bool lock, char **errp)
{
	int error = 0;

	if (!vm_name_valid(name))
		return set_error(errp, -EINVAL, "\"%s\" is no name for a VM",
				 name);
	if (make) {
		dir->made = access(dir->path, F_OK) != 0;
		error = make_directories(dir->path, errp);
	}
	if (error)
		return error;
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0)
		return set_error(errp, -errno, "%s: there is no such VM: %s",
				 dir->path, strerror(errno));
	return lock ? take_lock(dir, name, errp) : 0;
}

int vm_directory_open(struct vm_directory *dir, const char *name, bool make,
		      bool lock, char **errp)
{
	char *home = vm_home();
	int error;

	*dir = (struct vm_directory){ .fd = -1, .lock = -1 };
	dir->path = xasprintf("%s/%s", home, name);
	free(home);
	error = open_directory(dir, name, make, lock, errp);
	if (error)
		vm_directory_close(dir, true);
	return error;
}

void vm_directory_close(struct vm_directory *dir, bool undo)
{
	if (undo && dir->made && (dir->lock >= 0 || dir->fd < 0))
		vm_directory_remove(dir, NULL);
	if (dir->fd >= 0)
		close(dir->fd);
	if (dir->lock >= 0)
		close(dir->lock);
	free(dir->path);
	*dir = (struct vm_directory){ .fd = -1, .lock = -1 };
}

bool vm_directory_busy(const struct vm_directory *dir)
{
	int fd = openat(dir->fd, "lock", O_RDWR | O_CLOEXEC);
	bool busy = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB);

	if (fd >= 0)
		close(fd);
	return busy;
}

void vm_directory_set_ending(const struct vm_directory *dir)
{
	if (pwrite(dir->lock, "ending\n", 7, 0) < 0)
		log_warn("%s/lock: %m", dir->path);
}

void vm_directory_set_ended(const struct vm_directory *dir, bool well,
			    const char *why)
{
	json_t *json = json_pack("{s:b, s:s, s:I}", "well", (int)well, "why",
				 why, "time", (json_int_t)time(NULL));
	int fd = openat(dir->fd, "ended.json",
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd >= 0) {
		json_dumpfd(json, fd, JSON_INDENT(2));
		close(fd);
		vm_directory_log(dir, why);
	}
	json_decref(json);
}

void vm_directory_log(const struct vm_directory *dir, const char *line)
{
	int fd = openat(dir->fd, "machine.log",
			O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return;
	dprintf(fd, "vsw-vmm: %s\n", line);
	close(fd);
}

bool vm_directory_ending(const struct vm_directory *dir)
{
	struct stat st;

	return !faccessat(dir->fd, "api.sock", F_OK, 0) &&
	       ((!fstatat(dir->fd, "lock", &st, 0) && st.st_size) ||
		!vm_directory_busy(dir));
}

char *vm_directory_file(const struct vm_directory *dir, const char *name)
{
	return xasprintf("%s/%s", dir->path, name);
}

int vm_directory_load(const struct vm_directory *dir, struct vm_config *config,
		      char **errp)
{
	char *path = vm_directory_file(dir, "vm.json"), *why = NULL;
	json_error_t problem;
	json_t *json;
	int error = 0;

	json = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
	if (!json)
		error = set_error(errp, -EINVAL, "%s line %d: %s", path,
				  problem.line, problem.text);
	else if (vm_config_from_json(config, json, &why))
		error = set_error(errp, -EINVAL, "%s: %s", path, why);
	json_decref(json);
	free(why);
	free(path);
	return error;
}

bool vm_directory_has_cards(const struct vm_directory *dir)
{
	struct vm_config now;
	bool has;

	vm_config_init(&now);
	has = vm_directory_load(dir, &now, NULL) || now.n_nets;
	vm_config_uninit(&now);
	return has;
}

int vm_directory_store(const struct vm_directory *dir,
		       const struct vm_config *config, char **errp)
{
	json_t *json = vm_config_to_json(config);
	char *text = json_dumps(json, JSON_INDENT(2));
	int fd = openat(dir->fd, "vm.json.new",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int error = 0;

	if (fd < 0 || dprintf(fd, "%s\n", text) < 0 || fdatasync(fd) ||
	    renameat(dir->fd, "vm.json.new", dir->fd, "vm.json"))
		error = set_error(errp, -errno, "writing %s/vm.json: %s",
				  dir->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(text);
	json_decref(json);
	return error;
}

static bool matches(const char *name, const char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!fnmatch(patterns[i], name, 0))
			return true;
	return false;
}

static bool is_passing(const char *name)
{
	return matches(name, passing, ARRAY_SIZE(passing));
}

static bool is_ours(const char *name)
{
	return is_passing(name) || matches(name, ours, ARRAY_SIZE(ours));
}

static void remove_files(const struct vm_directory *dir,
			 bool (*which)(const char *name))
{
	DIR *stream = opendir(dir->path);
	struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		const char *name = entry->d_name;

		if (which(name) && unlinkat(dirfd(stream), name, 0))
			unlinkat(dirfd(stream), name, AT_REMOVEDIR);
	}
	if (stream)
		closedir(stream);
}

void vm_directory_clean(const struct vm_directory *dir)
{
	remove_files(dir, is_passing);
}

static int is_foreign(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
	       !is_ours(entry->d_name);
}

int vm_directory_remove(const struct vm_directory *dir, char **errp)
{
	struct dirent **names = NULL;
	int n = scandir(dir->path, &names, is_foreign, alphasort);

	if (n > 0)
		set_error(errp, -ENOTEMPTY,
			  "%s/%s is not ours, so nothing was removed; move or "
			  "remove it first",
			  dir->path, names[0]->d_name);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	if (n > 0)
		return -ENOTEMPTY;
	remove_files(dir, is_ours);
	if (!rmdir(dir->path))
		return 0;
	return set_error(errp, -errno, "%s: %s; what is left is not ours",
			 dir->path, strerror(errno));
}

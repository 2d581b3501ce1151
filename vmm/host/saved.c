/* Whether disks are as they were when a VM was saved: see saved.h. */
#include "vmm/host/saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "disks.json"

/* "SIZE SECONDS.NANOSECONDS", as a text; NULL: there is no such disk. */
static json_t *look_of(const struct vm_disk *disk)
{
	struct stat st;

	if (stat(disk->path, &st))
		return NULL;
	return json_sprintf("%lld %lld.%09ld", (long long)st.st_size,
			    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

int saved_store(const struct vm_directory *dir, const struct vm_config *config,
		char **errp)
{
	char *path = vm_directory_file(dir, FILE_NAME);
	json_t *disks = json_object();
	int error = 0;

	for (unsigned int i = 0; i < config->n_disks; i++)
		if (!config->disks[i].read_only)
			json_object_set_new(disks, config->disks[i].path,
					    look_of(&config->disks[i]));
	if (json_dump_file(disks, path, JSON_INDENT(2)))
		error = set_error(errp, -EIO, "%s cannot be written", path);
	json_decref(disks);
	free(path);
	return error;
}

int saved_check(const struct vm_directory *dir, const struct vm_config *config,
		char **errp)
{
	char *path = vm_directory_file(dir, FILE_NAME);
	json_t *disks = json_load_file(path, 0, NULL), *look;
	int error = 0;

	for (unsigned int i = 0; !error && i < config->n_disks; i++) {
		const struct vm_disk *disk = &config->disks[i];

		if (disk->read_only)
			continue;
		look = look_of(disk);
		if (!look ||
		    !json_equal(look, json_object_get(disks, disk->path)))
			error = set_error(
				errp, -ESTALE,
				"disk %s has changed since %s was saved: put "
				"back a copy of then (cp -p), or \"vsw-vmm "
				"start %s\" boots it and discards what was "
				"saved",
				disk->path, config->name, config->name);
		json_decref(look);
	}
	json_decref(disks);
	free(path);
	return error;
}

bool saved_discard(const struct vm_directory *dir)
{
	bool was = !unlinkat(dir->fd, "state.json", 0);

	unlinkat(dir->fd, "memory", 0);
	unlinkat(dir->fd, FILE_NAME, 0);
	return was;
}

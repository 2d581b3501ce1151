/*
 * What of an image the daemon has to be told, so that it guesses nothing: its
 * files, and what backs it, by the format that a qcow2 header states (QEMU's
 * docs/interop/qcow2.txt). Left to itself, QEMU would guess where none is
 * stated, by bytes that may be a guest's, and open whatever a header names.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/host/storage_private.h"

enum { CHAIN_MAX = 32, NAME_MAX_LENGTH = 1023, EXTENSIONS_MAX = 64 };

#define BACKING_FORMAT 0xe2792acaU

static json_t *node_of(const char *path, const char *driver, bool read_only,
		       bool direct)
{
	struct stat st;
	bool device = !stat(path, &st) && S_ISBLK(st.st_mode);

	return json_pack("{s:s, s:b, s:s, s:{s:b}, s:{s:s, s:s, s:b, s:s, "
			 "s:{s:b}}}",
			 "driver", driver, "read-only", read_only, "discard",
			 "unmap", "cache", "direct", direct, "file", "driver",
			 device ? "host_device" : "file", "filename", path,
			 "read-only", read_only, "discard", "unmap", "cache",
			 "direct", direct);
}

static uint32_t be32_at(int fd, uint64_t offset)
{
	uint32_t value = 0;

	return pread(fd, &value, sizeof(value), offset) == sizeof(value)
		       ? be32toh(value)
		       : 0;
}

/* A string of the file's; NULL: none of that length. */
static char *string_at(int fd, uint64_t offset, uint32_t length)
{
	char *text;

	if (!length || length > NAME_MAX_LENGTH || offset > INT64_MAX)
		return NULL;
	text = xcalloc(length + 1, 1);
	if (pread(fd, text, length, offset) == length && strlen(text) == length)
		return text;
	free(text);
	return NULL;
}

/* The header's extension, or NULL. */
static char *backing_format(int fd)
{
	uint64_t at = be32_at(fd, 4) >= 3 ? be32_at(fd, 100) : 72;

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		uint32_t type = be32_at(fd, at), length = be32_at(fd, at + 4);

		if (type == BACKING_FORMAT)
			return string_at(fd, at + 8, length);
		if (!type)
			break;
		at += 8 + ((uint64_t)length + 7) / 8 * 8;
	}
	return NULL;
}

/* As the header has it, beside the image when it is relative. */
static char *beside(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');

	return *name == '/' || !slash
		       ? xstrdup(name)
		       : xasprintf("%.*s/%s", (int)(slash - image), image,
				   name);
}

static json_t *image_of(const char *path, const char *format, bool read_only,
			bool direct, int depth, char **errp);

/* What backs a qcow2 image, null when nothing does; NULL with a message. */
static json_t *backing_of(const char *path, bool direct, int depth, char **errp)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *name = NULL, *format = NULL, *file = NULL;
	json_t *json = NULL;
	uint64_t at;

	if (fd < 0) {
		set_error(errp, -errno, "disk %s: %m", path);
		return NULL;
	}
	at = (uint64_t)be32_at(fd, 8) << 32 | be32_at(fd, 12);
	if (be32_at(fd, 0) != 0x514649fb || !at) {
		close(fd); /* what is no qcow2 the daemon refuses */
		return json_null();
	}
	name = string_at(fd, at, be32_at(fd, 16));
	format = backing_format(fd);
	close(fd);
	if (!name || strcspn(name, ":") < strcspn(name, "/"))
		set_error(errp, -EINVAL,
			  "disk %s: what backs it is no file's name", path);
	else if (!format)
		set_error(errp, -EINVAL,
			  "disk %s does not state the format of its backing "
			  "file %s; \"qemu-img rebase -u -b FILE -F FORMAT\" "
			  "states it",
			  path, name);
	else if (depth == CHAIN_MAX)
		set_error(errp, -ELOOP, "disk %s: too long a backing chain",
			  path);
	else
		json = image_of((file = beside(path, name)), format, true,
				direct, depth + 1, errp);
	free(name);
	free(format);
	free(file);
	return json;
}

static json_t *image_of(const char *path, const char *format, bool read_only,
			bool direct, int depth, char **errp)
{
	json_t *json, *backing = NULL;

	if (!strcmp(format, "qcow2")) {
		backing = backing_of(path, direct, depth, errp);
		if (!backing)
			return NULL;
	} else if (!strcmp(format, "vmdk")) {
		backing = json_null(); /* its header states none */
	} else if (strcmp(format, "raw") && strcmp(format, "vdi") &&
		   strcmp(format, "vhdx") && strcmp(format, "vpc")) {
		set_error(errp, -EINVAL,
			  "disk %s: no such format: %s; there are raw, qcow2, "
			  "vmdk, vdi, vhdx and vpc",
			  path, format);
		return NULL;
	}
	json = node_of(path, format, read_only, direct);
	if (!json)
		set_error(errp, -EINVAL, "disk %s: its name is no UTF-8", path);
	if (backing) /* goes with it */
		json_object_set_new(json, "backing", backing);
	return json;
}

json_t *storage_image(const struct vm_disk *disk, char **errp)
{
	return image_of(disk->path, disk->format, disk->read_only, disk->direct,
			0, errp);
}

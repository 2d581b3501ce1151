/*
 * A disk image's header, which a guest or whoever made the image wrote. What
 * the daemon is told must leave it nothing to guess: whatever may have a
 * backing file says which, or that there is none. Backed by "100" an image is
 * its own, until the chain is too long.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/host/storage_private.h"

enum { FD = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const json_t *node)
{
	const char *driver = json_string_value(json_object_get(node, "driver"));
	const json_t *backing = json_object_get(node, "backing");

	if (!driver || !json_object_get(node, "file"))
		abort();
	if ((!strcmp(driver, "qcow2") || !strcmp(driver, "vmdk")) && !backing)
		abort();
	if (json_is_object(backing))
		check(backing);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[] = "/proc/self/fd/100", format[] = "qcow2";
	const struct vm_disk disk = { .path = path, .format = format };
	int fd = memfd_create("image", MFD_CLOEXEC);
	char *error = NULL;
	json_t *node;

	if (fd < 0 || dup2(fd, FD) != FD ||
	    write(fd, data, size) != (ssize_t)size)
		abort();
	node = storage_image(&disk, &error);
	if (!node != !!error)
		abort();
	if (node)
		check(node);
	json_decref(node);
	free(error);
	close(fd);
	close(FD);
	return 0;
}

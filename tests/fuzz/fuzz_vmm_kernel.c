/*
 * Files that are to be kernels. The first two bytes: the memory's size in MiB,
 * and how much of the input's end is the initrd; the rest is the kernel. What
 * must hold of one that was loaded: it starts in memory, its description lies
 * where it was said to, and the initrd lies behind the kernel, byte for byte.
 */
#include <asm/bootparam.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz_input.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 20 };

static struct guest_memory memory;
static int kernel, initrd;

static void set_up(void)
{
	char *error = NULL;

	if (memory.base)
		return;
	MUST(!guest_memory_create(&memory, MEMORY, false, &error));
	kernel = memfd_create("kernel", MFD_CLOEXEC);
	initrd = memfd_create("initrd", MFD_CLOEXEC);
	MUST(kernel >= 0 && initrd >= 0);
}

static void fill(int fd, const uint8_t *data, size_t size)
{
	MUST(!ftruncate(fd, 0));
	MUST(pwrite(fd, data, size, 0) == (ssize_t)size);
}

static void check(const struct boot_entry *entry, const uint8_t *data,
		  size_t size)
{
	const struct boot_params *params =
		guest_memory_at(&memory, entry->info, sizeof(*params));
	const void *at;

	MUST(guest_memory_at(&memory, entry->rip, 1));
	MUST(entry->rip >= LAYOUT_KERNEL);
	MUST(params);
	if (entry->mode == BOOT_PVH)
		return;
	MUST(params->e820_entries);
	MUST(params->hdr.ramdisk_size == size);
	at = guest_memory_at(&memory, params->hdr.ramdisk_image, size);
	MUST(!size || (at && !memcmp(at, data, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_entry entry = { 0 };
	char *error = NULL;
	size_t n_initrd;
	uint8_t head[2];
	int err;

	set_up();
	fuzz_take(&data, &size, head, sizeof(head));
	memory.regions[0].size = (uint64_t)MAX(head[0] % 65, 1) << 20;
	n_initrd = MIN((size_t)head[1] * 16, size);
	size -= n_initrd;
	fill(kernel, data, size);
	fill(initrd, data + size, n_initrd);
	err = boot_load(&memory, kernel, n_initrd ? initrd : -1, "quiet",
			LAYOUT_ACPI, &entry, &error);
	MUST(err <= 0 && !err == !error);
	if (!err)
		check(&entry, data + size, n_initrd);
	free(error);
	return 0;
}

/*
 * Linux's own image, started in 64-bit mode: the kernel's
 * Documentation/arch/x86/boot.rst, protocol 2.12 and later (Linux 3.8).
 */
#include "vmm/x86/boot_image.h"

#include <errno.h>
#include <string.h>

#include "vmm/x86/layout.h"

enum {
	HEADER_OFFSET = offsetof(struct boot_params, hdr),
	HEADER_SIZE_MAX = sizeof(struct setup_header),
	SECTOR = 512,
	ENTRY_64 = 0x200, /* behind the start of the protected-mode part */
	LOADER_UNKNOWN = 0xff,
};

_Static_assert(HEADER_OFFSET + HEADER_SIZE_MAX <= BOOT_HEAD_SIZE,
	       "the header lies within what is read first");

static struct setup_header header_of(const struct boot_image *image)
{
	struct setup_header header;

	memcpy(&header, image->head + HEADER_OFFSET, sizeof(header));
	return header;
}

bool boot_is_bzimage(const struct boot_image *image)
{
	struct setup_header header = header_of(image);

	return header.boot_flag == 0xaa55 && !memcmp(&header.header, "HdrS", 4);
}

int boot_bzimage_load(struct boot_image *image, struct boot_entry *entry,
		      char **errp)
{
	struct setup_header header = header_of(image);
	/* 0 stands for 4, for compatibility. */
	uint64_t start =
		((header.setup_sects ? header.setup_sects : 4) + 1) * SECTOR;
	uint64_t size, need;
	void *to;

	if (header.version < 0x020c || !(header.xloadflags & XLF_KERNEL_64) ||
	    image->size < start + ENTRY_64 + 1)
		return set_error(errp, -ENOEXEC,
				 "it has no 64-bit entry: Linux 3.8 has");
	size = image->size - start;
	if (size < header.syssize * 16ULL)
		return set_error(errp, -EINVAL, "it ends too early");
	need = MAX(size, header.init_size);
	to = boot_place(image, header.pref_address, need, errp);
	if (!to)
		return -E2BIG;
	image->end = header.pref_address + need;
	image->initrd_max = header.initrd_addr_max;
	image->command_line_max = header.cmdline_size;
	entry->mode = BOOT_LONG_MODE;
	entry->rip = header.pref_address + ENTRY_64;
	return boot_read(image->file, start, to, size, errp);
}

void boot_bzimage_tell(const struct boot_image *image, void *page)
{
	struct boot_params *params = page;
	/* The second byte of its jump says where the header ends. */
	size_t end = 0x202 + image->head[0x201];

	memcpy(&params->hdr, image->head + HEADER_OFFSET,
	       MIN(end - HEADER_OFFSET, HEADER_SIZE_MAX));
	params->hdr.type_of_loader = LOADER_UNKNOWN;
	params->hdr.setup_data = 0;
	params->hdr.cmd_line_ptr = LAYOUT_COMMAND_LINE;
	params->hdr.ramdisk_image = image->initrd;
	params->hdr.ramdisk_size = image->initrd_size;
	params->acpi_rsdp_addr = image->rsdp;
	params->e820_entries = image->n_map;
	memcpy(params->e820_table, image->map, sizeof(image->map));
}

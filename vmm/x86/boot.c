/*
 * Putting a kernel, its initrd and its command line into memory, with all that
 * both boot protocols want besides: memory map, page tables, GDT.
 */
#include "vmm/x86/boot_image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/x86/layout.h"

enum {
	PAGE = 4096,
	E820_RAM = 1,
	E820_RESERVED = 2,
	/* Identity: 4 GiB by entries of 2 MiB, four tables of them. */
	PTE_PRESENT_WRITABLE = 3,
	PTE_LARGE = 0x80,
	TABLE_ENTRIES = PAGE / 8,
};

int boot_read(int file, uint64_t offset, void *to, uint64_t length, char **errp)
{
	uint8_t *at = to;
	ssize_t got;

	if (offset > INT64_MAX)
		return set_error(errp, -EINVAL, "it ends too early");
	while (length) {
		got = pread(file, at, length, offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return set_error(errp, -errno, "it cannot be read: %s",
					 strerror(errno));
		if (!got)
			return set_error(errp, -EINVAL, "it ends too early");
		at += got;
		offset += got;
		length -= got;
	}
	return 0;
}

void *boot_place(const struct boot_image *image, uint64_t addr, uint64_t size,
		 char **errp)
{
	void *to = guest_memory_at(image->memory, addr, size);

	if (to && addr >= LAYOUT_KERNEL && addr < LAYOUT_LOW_END)
		return to;
	set_error(errp, -E2BIG,
		  "it needs %" PRIu64 " KiB of memory at 0x%" PRIx64 ": %s",
		  (size >> 10) + 1, addr,
		  to ? "that is not for kernels" : "give the guest more");
	return NULL;
}

/* The size of a file that is to be loaded; with a reason when it cannot be. */
static uint64_t file_size(int file, char **why)
{
	struct stat st;

	if (fstat(file, &st) || !S_ISREG(st.st_mode)) {
		set_error(why, -EINVAL, "it is no regular file");
		return 0;
	}
	return st.st_size;
}

static void add_range(struct boot_image *image, uint64_t start, uint64_t end,
		      uint32_t type)
{
	if (start < end)
		image->map[image->n_map++] =
			(struct boot_e820_entry){ start, end - start, type };
}

/* MCFG's window has to be reserved, or Linux does not believe in it. */
static void make_map(struct boot_image *image)
{
	const struct guest_memory *memory = image->memory;

	add_range(image, 0, 0xa0000, E820_RAM);
	add_range(image, LAYOUT_ACPI, LAYOUT_KERNEL, E820_RESERVED);
	add_range(image, LAYOUT_KERNEL, memory->regions[0].size, E820_RAM);
	add_range(image, LAYOUT_ECAM, LAYOUT_ECAM + 0x100000, E820_RESERVED);
	if (memory->n_regions > 1)
		add_range(image, LAYOUT_HIGH_START,
			  LAYOUT_HIGH_START + memory->regions[1].size,
			  E820_RAM);
}

static void write_page_tables(uint64_t *tables)
{
	uint64_t *pointers = tables + TABLE_ENTRIES;
	uint64_t *directory = pointers + TABLE_ENTRIES;

	memset(tables, 0, 2 * PAGE);
	tables[0] = (LAYOUT_PAGE_TABLES + PAGE) | PTE_PRESENT_WRITABLE;
	for (unsigned int i = 0; i < 4; i++)
		pointers[i] = (LAYOUT_PAGE_TABLES + (2 + i) * PAGE) |
			      PTE_PRESENT_WRITABLE;
	for (uint64_t i = 0; i < 4 * TABLE_ENTRIES; i++)
		directory[i] = i << 21 | PTE_LARGE | PTE_PRESENT_WRITABLE;
}

/* Selectors 0x10 and 0x18: flat code and data (boot.rst, 64-bit protocol). */
static void write_gdt(uint64_t *gdt, enum boot_mode mode)
{
	gdt[0] = 0;
	gdt[1] = 0;
	gdt[2] = mode == BOOT_PVH ? 0x00cf9b000000ffff : 0x00af9b000000ffff;
	gdt[3] = 0x00cf93000000ffff;
}

/* As high as it goes. */
static int load_initrd(struct boot_image *image, int initrd, char **why)
{
	const struct guest_memory *memory = image->memory;
	uint64_t size = file_size(initrd, why);
	uint64_t top = MIN(memory->regions[0].size, image->initrd_max + 1);

	image->initrd_size = size;
	image->initrd = (top - size) & -(uint64_t)PAGE;
	if (*why)
		return -EINVAL;
	if (size > top || image->initrd < image->end)
		return set_error(why, -E2BIG,
				 "its %" PRIu64 " KiB do not fit beside the "
				 "kernel: give the guest more memory",
				 size >> 10);
	return boot_read(initrd, 0,
			 guest_memory_at(memory, image->initrd, size), size,
			 why);
}

static int load_kernel(struct boot_image *image, struct boot_entry *entry,
		       char **why)
{
	int err;

	image->size = file_size(image->file, why);
	if (*why)
		return -EINVAL;
	err = boot_read(image->file, 0, image->head,
			MIN(image->size, BOOT_HEAD_SIZE), why);
	if (err)
		return err;
	if (boot_is_bzimage(image))
		return boot_bzimage_load(image, entry, why);
	if (boot_is_elf(image))
		return boot_pvh_load(image, entry, why);
	return set_error(why, -ENOEXEC, "it is neither a bzImage nor ELF");
}

int boot_load(struct guest_memory *memory, int kernel, int initrd,
	      const char *command_line, uint64_t rsdp, struct boot_entry *entry,
	      char **errp)
{
	struct boot_image image = { .memory = memory,
				    .file = kernel,
				    .rsdp = rsdp };
	size_t length = strlen(command_line);
	uint8_t *low = guest_memory_at(memory, 0, LAYOUT_KERNEL);
	const char *what = "kernel";
	char *why = NULL;
	int err;

	if (!low)
		return set_error(errp, -EINVAL,
				 "the guest has less than 1 MiB of memory");
	err = load_kernel(&image, entry, &why);
	if (!err && length > MIN(image.command_line_max, 0xffff))
		err = set_error(&why, -E2BIG,
				"its command line may have %" PRIu64
				" bytes, not %zu",
				MIN(image.command_line_max, 0xffff), length);
	if (!err && initrd >= 0) {
		what = "initrd";
		err = load_initrd(&image, initrd, &why);
	}
	if (err)
		set_error(errp, err, "the %s cannot be loaded: %s", what, why);
	free(why);
	if (err)
		return err;
	make_map(&image);
	memcpy(low + LAYOUT_COMMAND_LINE, command_line, length + 1);
	write_gdt((uint64_t *)(low + LAYOUT_GDT), entry->mode);
	write_page_tables((uint64_t *)(low + LAYOUT_PAGE_TABLES));
	memset(low + LAYOUT_ZERO_PAGE, 0, PAGE);
	if (entry->mode == BOOT_PVH)
		boot_pvh_tell(&image, low + LAYOUT_ZERO_PAGE);
	else
		boot_bzimage_tell(&image, low + LAYOUT_ZERO_PAGE);
	entry->info = LAYOUT_ZERO_PAGE;
	return 0;
}

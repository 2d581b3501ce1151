/* Kernels of both kinds, made here, and what is no kernel. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/x86/boot_image.h"
#include "vmm/x86/layout.h"

enum {
	MIB = 1 << 20,
	MEMORY = 64 * MIB,
	KERNEL_AT = 16 * MIB,
	KERNEL_SIZE = 5000, /* of the part that runs */
	KERNEL_NEEDS = 8 * MIB,
	SETUP = 2 * 512,
	RSDP = 0xe0000,
};

struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, command_line, rsdp, map;
	uint32_t n_map, reserved;
};

static struct guest_memory memory;

static int set_up(void **state)
{
	char *error = NULL;

	return guest_memory_create(&memory, MEMORY, false, &error);
}

static int tear_down(void **state)
{
	guest_memory_destroy(&memory);
	return 0;
}

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	return fd;
}

struct bzimage {
	uint8_t setup[SETUP];
	uint8_t kernel[KERNEL_SIZE];
};

static struct setup_header *header_of(struct bzimage *image)
{
	return (struct setup_header *)(image->setup + 0x1f1);
}

static struct bzimage bzimage(void)
{
	struct bzimage image = { .setup[0x201] = 0x6a };
	struct setup_header *header = header_of(&image);

	header->setup_sects = 1;
	header->boot_flag = 0xaa55;
	memcpy(&header->header, "HdrS", 4);
	header->version = 0x020f;
	header->xloadflags = XLF_KERNEL_64;
	header->pref_address = KERNEL_AT;
	header->init_size = KERNEL_NEEDS;
	header->initrd_addr_max = 0x7fffffff;
	header->cmdline_size = 2047;
	header->vid_mode = 0x1234;
	memset(image.kernel, 0xab, KERNEL_SIZE);
	return image;
}

/* Closes the files. What is said, or "" when it was loaded. */
static const char *load(int kernel, int initrd, const char *command_line,
			struct boot_entry *entry)
{
	static char *error;
	int err;

	free(error);
	error = NULL;
	err = boot_load(&memory, kernel, initrd, command_line, RSDP, entry,
			&error);
	assert_int_equal(!err, !error);
	assert_true(err <= 0);
	close(kernel);
	if (initrd >= 0)
		close(initrd);
	return error ? error : "";
}

static const char *load_bzimage(const struct bzimage *image)
{
	struct boot_entry entry;

	return load(file_of(image, sizeof(*image)), -1, "", &entry);
}

static void assert_says(const char *said, const char *part)
{
	if (!strstr(said, part))
		fail_msg("\"%s\" does not say \"%s\"", said, part);
}

/* The memory map covers all but the hole of old and the tables. */
static void check_ram(uint64_t covered)
{
	assert_int_equal(covered, MEMORY - (MIB - 0xa0000));
}

static void a_bzimage_is_loaded(void **state)
{
	struct bzimage image = bzimage();
	struct boot_params *params;
	char initrd[10000];
	struct boot_entry entry;
	uint64_t ram = 0;

	memset(initrd, 'i', sizeof(initrd));
	assert_string_equal(load(file_of(&image, sizeof(image)),
				 file_of(initrd, sizeof(initrd)),
				 "console=ttyS0", &entry),
			    "");
	assert_int_equal(entry.mode, BOOT_LONG_MODE);
	assert_int_equal(entry.rip, KERNEL_AT + 0x200);
	params = guest_memory_at(&memory, entry.info, sizeof(*params));
	assert_memory_equal(guest_memory_at(&memory, KERNEL_AT, KERNEL_SIZE),
			    image.kernel, KERNEL_SIZE);
	assert_string_equal(
		(char *)guest_memory_at(&memory, params->hdr.cmd_line_ptr, 14),
		"console=ttyS0");
	assert_int_equal(params->hdr.type_of_loader, 0xff);
	assert_int_equal(params->hdr.vid_mode, 0x1234);
	assert_int_equal(params->hdr.ramdisk_size, sizeof(initrd));
	assert_int_equal(params->hdr.ramdisk_image % 4096, 0);
	assert_true(params->hdr.ramdisk_image >= KERNEL_AT + KERNEL_NEEDS);
	assert_memory_equal(guest_memory_at(&memory, params->hdr.ramdisk_image,
					    sizeof(initrd)),
			    initrd, sizeof(initrd));
	assert_int_equal(params->acpi_rsdp_addr, RSDP);
	assert_int_equal(params->sentinel, 0);
	for (unsigned int i = 0; i < params->e820_entries; i++)
		if (params->e820_table[i].type == 1)
			ram += params->e820_table[i].size;
	check_ram(ram);
}

/* Every address below 4 GiB is its own. */
static void pages_are_mapped(void **state)
{
	struct bzimage image = bzimage();
	uint64_t addr = 0xfee12345, entry;

	assert_string_equal(load_bzimage(&image), "");
	entry = LAYOUT_PAGE_TABLES;
	for (int shift = 39; shift >= 21; shift -= 9) {
		uint64_t *table = guest_memory_at(
			&memory, entry & ~UINT64_C(0xfff), 4096);

		assert_non_null(table);
		entry = table[addr >> shift & 511];
		assert_true(entry & 1);
	}
	assert_int_equal(entry & ~UINT64_C(0xfff), addr & ~UINT64_C(0x1fffff));
}

static void bad_bzimages_are_refused(void **state)
{
	struct bzimage image = bzimage();
	struct boot_entry entry;
	char text[3000];

	header_of(&image)->xloadflags = 0;
	assert_says(load_bzimage(&image), "64-bit entry");
	image = bzimage();
	header_of(&image)->pref_address = 0x1000;
	assert_says(load_bzimage(&image), "not for kernels");
	header_of(&image)->pref_address = UINT64_MAX - 100;
	assert_says(load_bzimage(&image), "give the guest more");
	image = bzimage();
	header_of(&image)->init_size = UINT32_MAX;
	assert_says(load_bzimage(&image), "give the guest more");
	image = bzimage();
	header_of(&image)->setup_sects = 200;
	assert_says(load_bzimage(&image), "64-bit entry");
	image = bzimage();
	header_of(&image)->syssize = KERNEL_SIZE / 16;
	assert_string_equal(load_bzimage(&image), "");
	header_of(&image)->syssize++;
	assert_says(load_bzimage(&image), "ends too early");
	image = bzimage();
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	assert_says(load(file_of(&image, sizeof(image)), -1, text, &entry),
		    "command line");
}

static void an_initrd_has_to_fit(void **state)
{
	struct bzimage image = bzimage();
	struct boot_entry entry;
	int initrd = memfd_create("initrd", 0);

	assert_int_equal(ftruncate(initrd, MEMORY - KERNEL_AT - KERNEL_NEEDS),
			 0);
	assert_string_equal(
		load(file_of(&image, sizeof(image)), dup(initrd), "", &entry),
		"");
	assert_int_equal(
		ftruncate(initrd, MEMORY - KERNEL_AT - KERNEL_NEEDS + 1), 0);
	assert_says(
		load(file_of(&image, sizeof(image)), dup(initrd), "", &entry),
		"do not fit");
	assert_int_equal(ftruncate(initrd, INT64_MAX), 0);
	assert_says(load(file_of(&image, sizeof(image)), initrd, "", &entry),
		    "do not fit");
}

struct elf {
	Elf64_Ehdr header;
	Elf64_Phdr load, note;
	Elf64_Nhdr other;
	char other_name[8];
	Elf64_Nhdr xen;
	char xen_name[4];
	uint32_t entry[2]; /* as 64 bits, not aligned */
	uint8_t code[100];
};

static struct elf elf(void)
{
	struct elf image = {
		.header = { .e_ident = ELFMAG,
			    .e_machine = EM_X86_64,
			    .e_phoff = offsetof(struct elf, load),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 2 },
		.load = { .p_type = PT_LOAD,
			  .p_offset = offsetof(struct elf, code),
			  .p_paddr = 2 * MIB,
			  .p_filesz = 100,
			  .p_memsz = 2000 },
		.note = { .p_type = PT_NOTE,
			  .p_offset = offsetof(struct elf, other),
			  .p_filesz = offsetof(struct elf, code) -
				      offsetof(struct elf, other),
			  .p_align = 4 },
		.other = { .n_namesz = 6, .n_descsz = 0, .n_type = 18 },
		.other_name = "Other",
		.xen = { .n_namesz = 4, .n_descsz = 8, .n_type = 18 },
		.xen_name = "Xen",
		.entry = { 2 * MIB + 16 },
	};

	image.header.e_ident[EI_CLASS] = ELFCLASS64;
	image.header.e_ident[EI_DATA] = ELFDATA2LSB;
	memset(image.code, 0xcd, sizeof(image.code));
	return image;
}

static void a_pvh_kernel_is_loaded(void **state)
{
	struct elf image = elf();
	const struct start_info *info;
	struct boot_entry entry;
	uint64_t ram = 0, *row;
	const uint8_t *at = guest_memory_at(&memory, 2 * MIB, 2000);

	memset((void *)at, 0xff, 2000);
	assert_string_equal(load(file_of(&image, sizeof(image)),
				 file_of("initrd", 6), "quiet", &entry),
			    "");
	assert_int_equal(entry.mode, BOOT_PVH);
	assert_int_equal(entry.rip, image.entry[0]);
	assert_memory_equal(at, image.code, 100);
	for (int i = 100; i < 2000; i++)
		assert_int_equal(at[i], 0);
	info = guest_memory_at(&memory, entry.info, sizeof(*info));
	assert_int_equal(info->magic, 0x336ec578);
	assert_int_equal(info->version, 1);
	assert_int_equal(info->n_modules, 1);
	row = guest_memory_at(&memory, info->modules, 32);
	assert_int_equal(row[1], 6);
	assert_memory_equal(guest_memory_at(&memory, row[0], 6), "initrd", 6);
	assert_string_equal(
		(char *)guest_memory_at(&memory, info->command_line, 6),
		"quiet");
	assert_int_equal(info->rsdp, RSDP);
	for (unsigned int i = 0; i < info->n_map; i++) {
		row = guest_memory_at(&memory, info->map + 24 * i, 24);
		if ((uint32_t)row[2] == 1)
			ram += row[1];
	}
	check_ram(ram);
}

static const char *load_elf(const struct elf *image)
{
	struct boot_entry entry;

	return load(file_of(image, sizeof(*image)), -1, "", &entry);
}

static void bad_elfs_are_refused(void **state)
{
	struct elf image = elf();

	image.xen_name[0] = 'Y';
	assert_says(load_elf(&image), "no PVH entry");
	image = elf();
	image.other.n_namesz = UINT32_MAX;
	assert_says(load_elf(&image), "no PVH entry");
	image = elf();
	image.note.p_filesz = UINT64_MAX;
	assert_says(load_elf(&image), "too long");
	image = elf();
	image.entry[0] = 3 * MIB;
	assert_says(load_elf(&image), "outside");
	image = elf();
	image.load.p_paddr = 0x1000;
	assert_says(load_elf(&image), "not for kernels");
	image = elf();
	image.load.p_memsz = UINT64_MAX;
	assert_says(load_elf(&image), "give the guest more");
	image = elf();
	image.load.p_offset = UINT64_MAX;
	assert_says(load_elf(&image), "ends too early");
	image = elf();
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_says(load_elf(&image), "64-bit");
	image = elf();
	image.header.e_phnum = 60000;
	assert_says(load_elf(&image), "headers are damaged");
}

static void no_kernels_are_refused(void **state)
{
	struct boot_entry entry;
	int pipes[2];

	assert_says(load(file_of("", 0), -1, "", &entry), "neither");
	assert_says(load(file_of("#!/bin/sh\n", 10), -1, "", &entry),
		    "neither");
	assert_int_equal(pipe(pipes), 0);
	close(pipes[1]);
	assert_says(load(pipes[0], -1, "", &entry), "no regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bzimage_is_loaded),
		cmocka_unit_test(pages_are_mapped),
		cmocka_unit_test(bad_bzimages_are_refused),
		cmocka_unit_test(an_initrd_has_to_fit),
		cmocka_unit_test(a_pvh_kernel_is_loaded),
		cmocka_unit_test(bad_elfs_are_refused),
		cmocka_unit_test(no_kernels_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

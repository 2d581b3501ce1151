/*
 * ELF kernels that say by a note where their 32-bit entry is: Xen's PVH
 * (xen/include/public/elfnote.h and arch-x86/hvm/start_info.h, version 1).
 */
#include "vmm/x86/boot_image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/x86/layout.h"

enum {
	NOTE_PHYS32_ENTRY = 18,
	NOTES_SIZE_MAX = 64 << 10,
	HEADERS_MAX = 64,
};

struct hvm_start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, command_line, rsdp, map;
	uint32_t n_map, reserved;
};

struct hvm_module {
	uint64_t address, size, command_line, reserved;
};

struct hvm_map_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};

bool boot_is_elf(const struct boot_image *image)
{
	return !memcmp(image->head, ELFMAG, SELFMAG);
}

static int load_segment(struct boot_image *image, const Elf64_Phdr *header,
			char **errp)
{
	uint64_t in_file = MIN(header->p_filesz, header->p_memsz);
	uint8_t *to;

	if (!header->p_memsz)
		return 0;
	to = boot_place(image, header->p_paddr, header->p_memsz, errp);
	if (!to)
		return -E2BIG;
	image->end = MAX(image->end, header->p_paddr + header->p_memsz);
	memset(to + in_file, 0, header->p_memsz - in_file);
	return boot_read(image->file, header->p_offset, to, in_file, errp);
}

/* The next note of these, or false; alignment is a power of two. */
static bool next_note(const uint8_t *notes, uint64_t size, uint64_t *at,
		      uint64_t alignment, Elf64_Nhdr *note,
		      const uint8_t **name, const uint8_t **value)
{
	uint64_t value_at;

	if (*at > size || size - *at < sizeof(*note))
		return false;
	memcpy(note, notes + *at, sizeof(*note));
	*name = notes + *at + sizeof(*note);
	value_at = (*at + sizeof(*note) + note->n_namesz + alignment - 1) &
		   -alignment;
	if (value_at > size || size - value_at < note->n_descsz)
		return false;
	*value = notes + value_at;
	*at = (value_at + note->n_descsz + alignment - 1) & -alignment;
	return true;
}

static int find_entry(struct boot_image *image, const Elf64_Phdr *header,
		      uint64_t *entry, char **errp)
{
	uint64_t size = header->p_filesz, at = 0;
	const uint8_t *name, *value;
	Elf64_Nhdr note;
	uint8_t *notes;
	int err;

	if (size > NOTES_SIZE_MAX)
		return set_error(errp, -ENOEXEC, "its notes are too long");
	notes = xmalloc(size + 1);
	err = boot_read(image->file, header->p_offset, notes, size, errp);
	while (!err && next_note(notes, size, &at, header->p_align == 8 ? 8 : 4,
				 &note, &name, &value)) {
		if (note.n_type != NOTE_PHYS32_ENTRY || note.n_namesz != 4 ||
		    memcmp(name, "Xen", 4))
			continue;
		if (note.n_descsz == 4 || note.n_descsz == 8) {
			*entry = 0;
			memcpy(entry, value, note.n_descsz);
		}
	}
	free(notes);
	return err;
}

int boot_pvh_load(struct boot_image *image, struct boot_entry *entry,
		  char **errp)
{
	Elf64_Phdr headers[HEADERS_MAX];
	uint64_t rip = 0;
	Elf64_Ehdr elf;
	int err;

	memcpy(&elf, image->head, sizeof(elf));
	if (elf.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_machine != EM_X86_64)
		return set_error(errp, -ENOEXEC, "it is no 64-bit ELF for x86");
	if (elf.e_phentsize != sizeof(headers[0]) || elf.e_phnum > HEADERS_MAX)
		return set_error(errp, -ENOEXEC, "its headers are damaged");
	err = boot_read(image->file, elf.e_phoff, headers,
			elf.e_phnum * sizeof(headers[0]), errp);
	for (unsigned int i = 0; !err && i < elf.e_phnum; i++)
		if (headers[i].p_type == PT_NOTE)
			err = find_entry(image, &headers[i], &rip, errp);
	if (!err && !rip)
		err = set_error(errp, -ENOEXEC, "it has no PVH entry");
	for (unsigned int i = 0; !err && i < elf.e_phnum; i++)
		if (headers[i].p_type == PT_LOAD)
			err = load_segment(image, &headers[i], errp);
	if (err)
		return err;
	if (rip < LAYOUT_KERNEL || rip >= image->end)
		return set_error(errp, -ENOEXEC, "its PVH entry is outside");
	image->initrd_max = UINT32_MAX;
	image->command_line_max = UINT16_MAX;
	entry->mode = BOOT_PVH;
	entry->rip = rip;
	return 0;
}

void boot_pvh_tell(const struct boot_image *image, void *page)
{
	struct hvm_start_info *info = page;
	struct hvm_module *module = (struct hvm_module *)(info + 1);
	struct hvm_map_entry *map = (struct hvm_map_entry *)(module + 1);
	uint64_t module_at = LAYOUT_ZERO_PAGE + sizeof(*info);

	*info = (struct hvm_start_info){
		.magic = 0x336ec578,
		.version = 1,
		.n_modules = image->initrd_size ? 1 : 0,
		.modules = image->initrd_size ? module_at : 0,
		.command_line = LAYOUT_COMMAND_LINE,
		.rsdp = image->rsdp,
		.map = module_at + sizeof(*module),
		.n_map = image->n_map,
	};
	*module = (struct hvm_module){ .address = image->initrd,
				       .size = image->initrd_size };
	for (unsigned int i = 0; i < image->n_map; i++)
		map[i] = (struct hvm_map_entry){ image->map[i].addr,
						 image->map[i].size,
						 image->map[i].type, 0 };
}

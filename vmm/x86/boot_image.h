/*
 * Between boot.c and the two kinds of kernel: a kernel that is being loaded.
 */
#ifndef VMM_X86_BOOT_IMAGE_H
#define VMM_X86_BOOT_IMAGE_H

#include <asm/bootparam.h>

#include "vmm/x86/boot.h"

enum { BOOT_HEAD_SIZE = 1024, BOOT_MAP_MAX = 5 };

struct boot_image {
	struct guest_memory *memory;
	int file;
	uint64_t size;		      /* of the file */
	uint8_t head[BOOT_HEAD_SIZE]; /* its start, zeroes behind the end */

	/* What loading finds out. */
	uint64_t end;		   /* first byte that the kernel leaves free */
	uint64_t initrd_max;	   /* last byte that an initrd may have */
	uint64_t command_line_max; /* bytes without the NUL */

	/* What the kernel is then told. */
	uint64_t rsdp, initrd, initrd_size;
	struct boot_e820_entry map[BOOT_MAP_MAX];
	unsigned int n_map;
};

/*
 * Reads `length` bytes at `offset` of the file; 0, or -errno with a message
 * when not all are there.
 */
int boot_read(int file, uint64_t offset, void *to, uint64_t length,
	      char **errp);

/* Where `size` bytes of the kernel go; NULL with a message when it may not lie
 * there. */
void *boot_place(const struct boot_image *image, uint64_t addr, uint64_t size,
		 char **errp);

/* Whether it is of this kind; its load() and then tell() may be called. */
bool boot_is_bzimage(const struct boot_image *image);
int boot_bzimage_load(struct boot_image *image, struct boot_entry *entry,
		      char **errp);
/* Writes boot_params at LAYOUT_ZERO_PAGE, `page`, all zeroes. */
void boot_bzimage_tell(const struct boot_image *image, void *page);

bool boot_is_elf(const struct boot_image *image);
int boot_pvh_load(struct boot_image *image, struct boot_entry *entry,
		  char **errp);
/* The same with hvm_start_info. */
void boot_pvh_tell(const struct boot_image *image, void *page);

#endif

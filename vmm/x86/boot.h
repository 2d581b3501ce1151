/*
 * Loading a kernel: a bzImage by the 64-bit boot protocol (the kernel's
 * Documentation/arch/x86/boot.rst) or an ELF with a PVH note (Xen's
 * XEN_ELFNOTE_PHYS32_ENTRY, hvm_start_info). The file may be anything.
 */
#ifndef VMM_X86_BOOT_H
#define VMM_X86_BOOT_H

#include "vmm/machine/memory.h"

enum boot_mode { BOOT_LONG_MODE, BOOT_PVH };

struct boot_entry {
	enum boot_mode mode;
	uint64_t rip;
	uint64_t info; /* rsi: boot_params; or rbx: hvm_start_info */
};

/*
 * Reads kernel and initrd (-1: none) into memory, writes the command line and
 * what the boot protocol tells the kernel (memory map, RSDP), page tables and
 * GDT. Returns 0 or -errno with a message: no kernel, an initrd that does not
 * fit, a command line that is too long.
 */
int boot_load(struct guest_memory *memory, int kernel, int initrd,
	      const char *command_line, uint64_t rsdp, struct boot_entry *entry,
	      char **errp);

#endif

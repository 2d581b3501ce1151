/* What C and assembler share. */
#ifndef GUEST_DEFS_H
#define GUEST_DEFS_H

#define BOOTED_BY_PVH		1
#define BOOTED_BY_BOOT_PROTOCOL 2
#define OTHER_CPUS		0x8000

#endif

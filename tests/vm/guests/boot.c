/* What a loader leaves: hvm_start_info (PVH) or boot_params. */
#include "guest.h"

struct boot_info boot;

static uint64_t at32(uint64_t addr)
{
	return read_uint32_t(addr);
}

static void add_memory(uint64_t addr, uint64_t size, uint32_t type)
{
	if (boot.n_memory >= sizeof(boot.memory) / sizeof(boot.memory[0]))
		return;
	boot.memory[boot.n_memory].addr = addr;
	boot.memory[boot.n_memory].size = size;
	boot.memory[boot.n_memory++].type = type;
}

static void read_pvh(uint64_t info)
{
	uint64_t map = read_uint64_t(info + 40);
	uint64_t module = read_uint64_t(info + 16);

	CHECK(at32(info) == 0x336ec578, "hvm_start_info is %lx", at32(info));
	boot.command_line = (const char *)read_uint64_t(info + 24);
	boot.rsdp = read_uint64_t(info + 32);
	if (at32(info + 12)) {
		boot.initrd = read_uint64_t(module);
		boot.initrd_size = read_uint64_t(module + 8);
	}
	if (!at32(info + 4)) /* version 0 has no map */
		return;
	for (unsigned int i = 0; i < at32(info + 48); i++, map += 24)
		add_memory(read_uint64_t(map), read_uint64_t(map + 8),
			   at32(map + 16));
}

static void read_boot_params(uint64_t info)
{
	boot.command_line =
		(const char *)(at32(info + 0x228) | at32(info + 0xc8) << 32);
	boot.rsdp = read_uint64_t(info + 0x70);
	boot.initrd = at32(info + 0x218);
	boot.initrd_size = at32(info + 0x21c);
	for (unsigned int i = 0; i < read_uint8_t(info + 0x1e8); i++) {
		uint64_t entry = info + 0x2d0 + 20 * i;

		add_memory(read_uint64_t(entry), read_uint64_t(entry + 8),
			   at32(entry + 16));
	}
}

void boot_read(int by, uint64_t info)
{
	boot.by = by;
	boot.command_line = "";
	if (by == BOOTED_BY_PVH)
		read_pvh(info);
	else
		read_boot_params(info);
}

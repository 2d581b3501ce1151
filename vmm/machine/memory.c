/* The guest's memory: a sealed memfd and what of it the guest sees where. */
#include "vmm/machine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "vmm/x86/layout.h"

#define PAGE_2M (2ull << 20)

/* Memory that the host cannot have would end in somebody's death only later:
 * by the kernel's killer, or a SIGBUS. */
static int check_size(uint64_t size, char **errp)
{
	struct sysinfo info;
	uint64_t have;

	if (!size || size % PAGE_2M)
		return set_error(errp, -EINVAL,
				 "guest memory of %" PRIu64 " bytes is no "
				 "multiple of 2 MiB: give whole MiB, an even "
				 "number of them",
				 size);
	if (sysinfo(&info))
		return 0;
	have = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
	if (size > have)
		return set_error(errp, -ENOMEM,
				 "guest memory of %" PRIu64 " MiB: the host "
				 "has %" PRIu64 " MiB; give the guest less",
				 size >> 20, have >> 20);
	return 0;
}

static void set_regions(struct guest_memory *memory)
{
	uint64_t low = MIN(memory->size, (uint64_t)LAYOUT_LOW_END);

	memory->regions[0] = (struct guest_memory_region){ 0, low, 0 };
	memory->n_regions = 1;
	if (memory->size > low)
		memory->regions[memory->n_regions++] =
			(struct guest_memory_region){ LAYOUT_HIGH_START,
						      memory->size - low, low };
}

int guest_memory_create(struct guest_memory *memory, uint64_t size,
			bool hugepages, char **errp)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int error = check_size(size, errp);

	*memory = (struct guest_memory){ .fd = -1, .size = size };
	if (error)
		return error;
	if (hugepages)
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
	memory->fd = memfd_create("guest", flags);
	if (memory->fd < 0 || ftruncate(memory->fd, (off_t)size) ||
	    fcntl(memory->fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto fail;
	/* Huge pages are reserved here, so that there are enough of them. */
	memory->base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | (hugepages ? 0 : MAP_NORESERVE),
			    memory->fd, 0);
	if (memory->base == MAP_FAILED)
		goto fail;
	madvise(memory->base, size, MADV_DONTDUMP);
	set_regions(memory);
	return 0;
fail:
	error = errno;
	memory->base = NULL;
	guest_memory_destroy(memory);
	return set_error(errp, -error, "guest memory of %" PRIu64 " MiB: %s%s",
			 size >> 20, strerror(error),
			 hugepages ? "; free huge pages of 2 MiB are told by "
				     "/proc/meminfo, set by "
				     "/proc/sys/vm/nr_hugepages"
				   : "");
}

void guest_memory_destroy(struct guest_memory *memory)
{
	if (memory->base)
		munmap(memory->base, memory->size);
	if (memory->fd >= 0)
		close(memory->fd);
	*memory = (struct guest_memory){ .fd = -1 };
}

void *guest_memory_at(const struct guest_memory *memory, uint64_t guest_addr,
		      uint64_t length)
{
	for (unsigned int i = 0; i < memory->n_regions; i++) {
		const struct guest_memory_region *r = &memory->regions[i];

		if (guest_addr >= r->guest_addr &&
		    guest_addr - r->guest_addr < r->size) {
			uint64_t at = guest_addr - r->guest_addr;

			if (length > r->size - at)
				return NULL;
			return memory->base + r->offset + at;
		}
	}
	return NULL;
}

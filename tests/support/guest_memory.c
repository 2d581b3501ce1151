/* A guest's memory (guest_memory.h). */
#include "guest_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void *must_map(void *at, uint64_t size, int prot, int flags, int fd,
		      uint64_t offset)
{
	void *p = mmap(at, size, prot, flags, fd, offset);

	if (p == MAP_FAILED) {
		perror("guest_memory: mmap");
		abort();
	}
	return p;
}

/* The regions lie in reverse order, a page that faults behind each. */
static void map_view(struct guest_memory *m)
{
	uint64_t step = m->region_size + GUEST_PAGE;
	unsigned n = m->size / m->region_size;

	m->view = xcalloc(1, sizeof(*m->view));
	m->reserved_size = n * step + GUEST_PAGE;
	m->reserved =
		must_map(NULL, m->reserved_size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (unsigned i = 0; i < n; i++) {
		uint64_t offset = i * m->region_size;
		uint8_t *at = (uint8_t *)m->reserved + GUEST_PAGE +
			      (n - 1 - i) * step;

		m->view->regions[i] = (struct vhost_region){
			.guest = GUEST_BASE + offset,
			.size = m->region_size,
			.user = (uintptr_t)m->ram + offset,
			.host = must_map(at, m->region_size,
					 PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_FIXED, m->fd, offset),
		};
	}
	m->view->n = n;
}

void guest_memory_init(struct guest_memory *m, uint64_t size,
		       unsigned n_regions)
{
	uint64_t piece = DIV_ROUND_UP(size, n_regions);

	memset(m, 0, sizeof(*m));
	m->region_size = DIV_ROUND_UP(piece, GUEST_PAGE) * GUEST_PAGE;
	m->size = m->region_size * n_regions;
	m->fd = memfd_create("guest", MFD_CLOEXEC);
	if (m->fd < 0 || ftruncate(m->fd, m->size)) {
		perror("guest_memory: memfd");
		abort();
	}
	m->ram = must_map(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  m->fd, 0);
	map_view(m);
}

struct guest_view guest_memory_remap(struct guest_memory *m)
{
	struct guest_view old = { m->view, m->reserved, m->reserved_size };

	map_view(m);
	return old;
}

void guest_view_drop(struct guest_view old)
{
	munmap(old.reserved, old.reserved_size);
	free(old.view);
}

void guest_memory_fini(struct guest_memory *m)
{
	munmap(m->ram, m->size);
	guest_view_drop(
		(struct guest_view){ m->view, m->reserved, m->reserved_size });
	close(m->fd);
}

uint64_t guest_alloc(struct guest_memory *m, uint64_t len, uint64_t align)
{
	uint64_t at = DIV_ROUND_UP(m->used, align) * align;

	if (at + len > m->size) {
		fprintf(stderr, "guest_memory: %llu bytes are too few\n",
			(unsigned long long)m->size);
		abort();
	}
	m->used = at + len;
	return GUEST_BASE + at;
}

uint64_t guest_alloc_whole(struct guest_memory *m, uint64_t len, uint64_t align)
{
	uint64_t at = DIV_ROUND_UP(m->used, align) * align;

	if (len && at / m->region_size != (at + len - 1) / m->region_size)
		m->used = DIV_ROUND_UP(at, m->region_size) * m->region_size;
	return guest_alloc(m, len, align);
}

void *guest_seen_at(const struct guest_memory *m, uint64_t guest)
{
	uint64_t offset = guest - GUEST_BASE;

	return m->view->regions[offset / m->region_size].host +
	       offset % m->region_size;
}

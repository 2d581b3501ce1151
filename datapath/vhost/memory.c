/*
 * Tables of a front end's memory regions: what may be in one, and where an
 * address is (memory.h).
 *
 * A range that a queue asks for nearly always lies in one region, which its
 * window remembers. Else it is looked up here, by halving.
 */
#include "vhost/memory.h"

#include <errno.h>
#include <stdlib.h>

#include "vhost/mapping.h"

/*
 * All regions together: a front end shall not use up the address space that
 * the switch has for everybody (128 TiB).
 */
#define TOTAL_MAX (4ull << 40)

struct vhost_memory *vhost_memory_create(const struct vhost_memory *from)
{
	struct vhost_memory *memory = xcalloc(1, sizeof(*memory));

	if (!from)
		return memory;
	memory->n = from->n;
	for (unsigned i = 0; i < from->n; i++) {
		memory->regions[i] = from->regions[i];
		vhost_mapping_ref(memory->regions[i].mapping);
	}
	return memory;
}

void vhost_memory_destroy(struct vhost_memory *memory)
{
	if (!memory)
		return;
	for (unsigned i = 0; i < memory->n; i++)
		vhost_mapping_unref(memory->regions[i].mapping);
	free(memory);
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

static int check_region(const struct vhost_memory *memory, uint64_t guest,
			uint64_t size, uint64_t user, char **errp)
{
	uint64_t total = size;

	if (!size || guest + size < guest || user + size < user)
		return set_error(errp, -EINVAL,
				 "it has no end that an address could have");
	if (memory->n == VHOST_REGIONS_MAX)
		return set_error(errp, -ENOSPC, "there are %u already",
				 memory->n);
	for (unsigned i = 0; i < memory->n; i++) {
		const struct vhost_region *r = &memory->regions[i];

		if (overlap(guest, size, r->guest, r->size))
			return set_error(errp, -EINVAL,
					 "its guest addresses overlap those of "
					 "the one at %#jx",
					 (uintmax_t)r->guest);
		if (overlap(user, size, r->user, r->size))
			return set_error(errp, -EINVAL,
					 "its user addresses overlap those of "
					 "the one at %#jx",
					 (uintmax_t)r->guest);
		total += r->size; /* each is at most TOTAL_MAX */
	}
	if (size > TOTAL_MAX || total > TOTAL_MAX)
		return set_error(errp, -EINVAL,
				 "with it there is more than %llu TiB of "
				 "memory",
				 TOTAL_MAX >> 40);
	return 0;
}

int vhost_memory_add(struct vhost_memory *memory, uint64_t guest, uint64_t size,
		     uint64_t user, uint64_t offset, int fd, char **errp)
{
	struct vhost_mapping *mapping;
	char *why = NULL;
	uint8_t *host;
	unsigned i;
	int error;

	error = check_region(memory, guest, size, user, &why);
	if (!error)
		mapping = vhost_mapping_create(size, offset, fd, &host, &error,
					       &why);
	if (error) {
		set_error(errp, error,
			  "cannot take the memory region at guest address "
			  "%#jx, size %#jx: %s",
			  (uintmax_t)guest, (uintmax_t)size, why);
		free(why);
		return error;
	}
	for (i = memory->n++; i && memory->regions[i - 1].guest > guest; i--)
		memory->regions[i] = memory->regions[i - 1];
	memory->regions[i] =
		(struct vhost_region){ guest, size, user, host, mapping };
	return 0;
}

int vhost_memory_remove(struct vhost_memory *memory, uint64_t guest,
			uint64_t size, uint64_t user)
{
	for (unsigned i = 0; i < memory->n; i++) {
		const struct vhost_region *r = &memory->regions[i];

		if (r->guest != guest || r->size != size || r->user != user)
			continue;
		vhost_mapping_unref(r->mapping);
		memory->n--;
		memmove(&memory->regions[i], &memory->regions[i + 1],
			(memory->n - i) * sizeof(*r));
		return 0;
	}
	return -ENOENT;
}

/* --- where an address is --- */

/* The last region that begins at or before guest, or NULL. */
static const struct vhost_region *at_or_before(
	const struct vhost_memory *memory, uint64_t guest)
{
	unsigned low = 0, high = memory->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (memory->regions[middle].guest <= guest)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &memory->regions[low - 1] : NULL;
}

/*
 * How many bytes from `host` on are at guest addresses that follow each other,
 * up to len: those of region r from `at` on, and of the next ones.
 */
static bool one_piece(const struct vhost_memory *memory,
		      const struct vhost_region *r, uint64_t at, uint64_t len)
{
	const struct vhost_region *end = memory->regions + memory->n;

	if (at > r->size)
		return false;
	while (len > r->size - at) {
		const struct vhost_region *next = r + 1;

		if (next == end || next->guest != r->guest + r->size ||
		    next->host != r->host + r->size)
			return false;
		len -= r->size - at;
		at = 0;
		r = next;
	}
	return true;
}

void *vhost_memory_at(const struct vhost_memory *memory, uint64_t guest,
		      uint64_t len)
{
	const struct vhost_region *r = at_or_before(memory, guest);

	if (!r || !one_piece(memory, r, guest - r->guest, len))
		return NULL;
	return r->host + (guest - r->guest);
}

static const struct vhost_region *user_region(const struct vhost_memory *memory,
					      uint64_t user)
{
	const struct vhost_region *ends = NULL;

	for (unsigned i = 0; i < memory->n; i++) {
		const struct vhost_region *r = &memory->regions[i];

		if (user - r->user < r->size)
			return r;
		if (user - r->user == r->size)
			ends = r;
	}
	return ends;
}

void *vhost_memory_at_user(const struct vhost_memory *memory, uint64_t user,
			   uint64_t len)
{
	const struct vhost_region *r = user_region(memory, user);
	uint64_t left = len;
	uint8_t *host;

	if (!r)
		return NULL;
	host = r->host + (user - r->user);
	while (left > r->size - (user - r->user)) {
		const struct vhost_region *next;

		left -= r->size - (user - r->user);
		user = r->user + r->size;
		next = user_region(memory, user);
		if (!next || next->user != user ||
		    next->host != r->host + r->size)
			return NULL;
		r = next;
	}
	return host;
}

unsigned vhost_memory_pieces(const struct vhost_memory *memory, uint64_t guest,
			     uint64_t len, struct packet_segment pieces[],
			     unsigned max)
{
	const struct vhost_region *end = memory->regions + memory->n;
	const struct vhost_region *r = at_or_before(memory, guest);
	uint64_t at;
	unsigned n = 0;

	if (!r || len > UINT32_MAX || guest - r->guest > r->size)
		return 0;
	at = guest - r->guest;
	do {
		uint64_t here = MIN(len, r->size - at);

		/* Nothing of a region that ends where the range begins. */
		if (here || !len) {
			if (n == max)
				return 0;
			pieces[n].data = r->host + at;
			pieces[n++].len = here;
		}
		len -= here;
		if (!len)
			return n;
		at = 0;
		r++;
	} while (r != end && r->guest == r[-1].guest + r[-1].size);
	return 0;
}

void *vhost_translate_slow(struct vhost_window *window,
			   const struct vhost_memory *memory, uint64_t guest,
			   uint64_t len)
{
	const struct vhost_region *r = at_or_before(memory, guest);

	if (!r || !one_piece(memory, r, guest - r->guest, len))
		return NULL;
	window->guest = r->guest;
	window->size = r->size;
	window->host = r->host;
	return r->host + (guest - r->guest);
}

bool vhost_memory_is_damaged(const struct vhost_memory *memory)
{
	for (unsigned i = 0; i < memory->n; i++)
		if (vhost_mapping_is_damaged(memory->regions[i].mapping))
			return true;
	return false;
}

/*
 * What a killed daemon had learned (leftovers.h): its FDBs' entries at devices
 * where its programs still are. Its FDBs are in the kernel's memory, and are
 * mapped from there.
 *
 * Programs still refresh entries at the time; no other word of them changes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "fastpath/leftovers.h"

#define MAC_MASK ((1ull << FP_KEY_FID_SHIFT) - 1)

/* The ports of one bridge of an instance. */
struct numbers {
	int ifindex[FP_NUMBER_MAX + 1]; /* 0: none that we know */
};

static void add_heard(struct fastpath_leftovers *l, int ifindex, uint64_t key,
		      uint64_t value)
{
	struct fastpath_heard *heard;

	if (!(l->n_heard & (l->n_heard - 1)))
		l->heard = xrealloc(l->heard, MAX(2 * l->n_heard, 1u) *
						      sizeof(*l->heard));
	heard = &l->heard[l->n_heard++];
	*heard = (struct fastpath_heard){
		.ifindex = ifindex,
		.mac = key & MAC_MASK,
		.fid = (key & ~FP_KEY_IN_USE) >> FP_KEY_FID_SHIFT,
		.is_static = value & FP_VALUE_STATIC,
	};
}

static void read_bucket(struct fastpath_leftovers *l,
			const struct numbers *numbers,
			const struct fp_bucket *bucket)
{
	for (int i = 0; i < FP_BUCKET_SLOTS; i++) {
		uint64_t key = bucket->key[i];
		uint64_t value =
			__atomic_load_n(&bucket->value[i], __ATOMIC_RELAXED);
		uint64_t number = value & FP_VALUE_PORT;

		if (key & FP_KEY_IN_USE && value & FP_VALUE_LIVE &&
		    number <= FP_NUMBER_MAX && numbers->ifindex[number])
			add_heard(l, numbers->ifindex[number], key, value);
	}
}

static void read_fdb(struct fastpath_leftovers *l,
		     const struct numbers *numbers, int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	const struct fp_bucket *map;
	size_t bytes;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    info.value_size != sizeof(*map))
		return;
	bytes = info.max_entries * sizeof(*map);
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return;
	/* The first is the header. */
	for (uint32_t i = 1; i < info.max_entries; i++)
		read_bucket(l, numbers, &map[i]);
	munmap((void *)map, bytes);
}

/* Whether the instance has devices in the bridge. */
static bool find_numbers(const struct fastpath_leftovers *l,
			 const struct fastpath_instance *instance,
			 uint32_t bridge, struct numbers *numbers)
{
	bool any = false;

	memset(numbers, 0, sizeof(*numbers));
	for (size_t i = 0; i < l->n_devices; i++) {
		const struct fastpath_left *left = l->devices[i];
		uint16_t number = left->device.number;

		if (left->of != instance || left->device.bridge != bridge ||
		    !number || number > FP_NUMBER_MAX)
			continue;
		numbers->ifindex[number] = left->point.ifindex;
		any = true;
	}
	return any;
}

void fastpath_leftovers_read(struct fastpath_leftovers *l,
			     const struct fastpath_instance *instance)
{
	struct numbers *numbers = xmalloc(sizeof(*numbers));

	for (uint32_t bridge = 0; bridge < FP_BRIDGES; bridge++) {
		uint32_t id;
		int fd;

		if (!find_numbers(l, instance, bridge, numbers) ||
		    bpf_map_lookup_elem(instance->fdbs_fd, &bridge, &id))
			continue;
		fd = bpf_map_get_fd_by_id(id);
		if (fd < 0)
			continue;
		read_fdb(l, numbers, fd);
		close(fd);
	}
	free(numbers);
}

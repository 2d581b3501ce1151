/*
 * Finds what killed daemons have left (leftovers.h): goes over all programs of
 * the kernel, knows ours by the owner in their maps, and finds the devices that
 * they are at by fp_devices. Nothing of it is pinned anywhere, as a file system
 * for that is not to be had everywhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "fastpath/fastpath_internal.h"
#include "fastpath/leftovers.h"

#define MAPS_MAX     64 /* of one program; ours have eight */
#define PROGRAMS_MAX 64 /* at one hook */

static const char *const program_names[N_ATTACH_HOOKS] = {
	[ATTACH_INGRESS] = "fp_ingress",
	[ATTACH_EGRESS] = "fp_egress",
};

/* --- whose -----------------------------------------------------------------
 */

/* The maps of one program that matter here; -1: it has none such. */
struct maps {
	int owner, devices, places, fdbs;
	uint32_t owner_id;
};

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_maps(struct maps *m)
{
	close_fd(m->owner);
	close_fd(m->devices);
	close_fd(m->places);
	close_fd(m->fdbs);
}

static void keep_map(int *to, int fd)
{
	close_fd(*to);
	*to = fd;
}

static void take_map(struct maps *m, uint32_t id)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len)) {
		close(fd);
	} else if (!strcmp(info.name, "fp_owner")) {
		keep_map(&m->owner, fd);
		m->owner_id = id;
	} else if (!strcmp(info.name, "fp_devices")) {
		keep_map(&m->devices, fd);
	} else if (!strcmp(info.name, "fp_places")) {
		keep_map(&m->places, fd);
	} else if (!strcmp(info.name, "fp_fdbs")) {
		keep_map(&m->fdbs, fd);
	} else {
		close(fd);
	}
}

/* A map's value at a key, as much of it as there is room for. */
static int read_value(int fd, uint32_t key, void *to, size_t size)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	void *value;
	int error;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.key_size != sizeof(key))
		return -EINVAL;
	value = xcalloc(1, info.value_size);
	error = bpf_map_lookup_elem(fd, &key, value) ? -errno : 0;
	if (!error) {
		memset(to, 0, size);
		memcpy(to, value, MIN(size, info.value_size));
	}
	free(value);
	return error;
}

static bool read_owner(const struct maps *m, struct fp_owner *owner)
{
	if (m->owner < 0 || read_value(m->owner, 0, owner, sizeof(*owner)))
		return false;
	owner->run_dir[FP_OWNER_MAX - 1] = '\0';
	return owner->magic == FP_MAGIC;
}

/* --- programs --------------------------------------------------------------
 */

static struct fastpath_instance *find_instance(struct fastpath_leftovers *l,
					       const struct fp_owner *owner,
					       struct maps *m)
{
	struct fastpath_instance *in;

	for (size_t i = 0; i < l->n_instances; i++)
		if (l->instances[i]->owner_id == m->owner_id)
			return l->instances[i];
	in = xcalloc(1, sizeof(*in));
	in->owner_id = m->owner_id;
	in->same_layout = owner->version == FP_LAYOUT_VERSION;
	in->devices_fd = m->devices;
	in->places_fd = m->places;
	in->fdbs_fd = m->fdbs;
	m->devices = m->places = m->fdbs = -1;
	for (int hook = 0; hook < N_ATTACH_HOOKS; hook++)
		in->program_fds[hook] = -1;
	l->instances = xrealloc(l->instances,
				(l->n_instances + 1) * sizeof(*l->instances));
	l->instances[l->n_instances++] = in;
	return in;
}

static void add_stranger(struct fastpath_leftovers *l, uint32_t id)
{
	l->strangers = xrealloc(l->strangers,
				(l->n_strangers + 1) * sizeof(*l->strangers));
	l->strangers[l->n_strangers++] = id;
}

static int hook_of(const struct bpf_prog_info *info)
{
	for (int hook = 0; hook < N_ATTACH_HOOKS; hook++)
		if (info->type == BPF_PROG_TYPE_SCHED_CLS &&
		    !strcmp(info->name, program_names[hook]))
			return hook;
	return -1;
}

/* Whether the descriptor is kept. */
static bool take_ours(struct fastpath *fp, struct fastpath_leftovers *l,
		      struct maps *m, int hook, int fd, uint32_t id)
{
	struct fastpath_instance *in;
	struct fp_owner owner;

	if (!read_owner(m, &owner))
		return false;
	if (owner.netns != fp->netns || strcmp(owner.run_dir, fp->run_dir)) {
		add_stranger(l, id);
		return false;
	}
	in = find_instance(l, &owner, m);
	if (in->program_fds[hook] >= 0)
		return false;
	in->program_fds[hook] = fd;
	in->program_ids[hook] = id;
	return true;
}

static void look_at(struct fastpath *fp, struct fastpath_leftovers *l, int fd)
{
	struct maps m = {
		.owner = -1, .devices = -1, .places = -1, .fdbs = -1
	};
	uint32_t map_ids[MAPS_MAX];
	struct bpf_prog_info info = {
		.map_ids = (uintptr_t)map_ids,
		.nr_map_ids = MAPS_MAX,
	};
	uint32_t len = sizeof(info);
	bool kept = false;
	int hook = -1;

	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		hook = hook_of(&info);
	if (hook >= 0) {
		for (uint32_t i = 0; i < MIN(info.nr_map_ids, MAPS_MAX); i++)
			take_map(&m, map_ids[i]);
		kept = take_ours(fp, l, &m, hook, fd, info.id);
		close_maps(&m);
	}
	if (!kept)
		close(fd);
}

/* --- devices ---------------------------------------------------------------
 */

static bool has_program(const struct attach_point *point, uint32_t id)
{
	uint32_t ids[PROGRAMS_MAX];
	unsigned n = attach_list(point, ids, ARRAY_SIZE(ids));

	for (unsigned i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Whether the instance's program is there; then point is where. */
static bool find_point(const struct fastpath_instance *in,
		       struct attach_point *point)
{
	uint32_t id = in->program_ids[point->hook];

	if (in->program_fds[point->hook] < 0)
		return false;
	point->way = ATTACH_TCX;
	if (has_program(point, id))
		return true;
	point->way = ATTACH_FILTER;
	return has_program(point, id);
}

static void find_device(struct fastpath *fp, struct fastpath_leftovers *l,
			struct fastpath_instance *in, uint32_t ifindex)
{
	struct fastpath_left *left;

	for (int hook = 0; hook < N_ATTACH_HOOKS; hook++) {
		struct attach_point point = { .ifindex = ifindex,
					      .hook = hook };

		if (!find_point(in, &point))
			continue;
		left = xcalloc(1, sizeof(*left));
		left->fp = fp;
		left->of = in;
		if (in->same_layout)
			read_value(in->devices_fd, ifindex, &left->device,
				   sizeof(left->device));
		point.made_clsact = left->device.flags & FP_DEVICE_CLSACT;
		left->point = point;
		if (!if_indextoname(ifindex, left->name))
			left->name[0] = '\0';
		l->devices = xrealloc(l->devices,
				      (l->n_devices + 1) * sizeof(*l->devices));
		l->devices[l->n_devices++] = left;
	}
}

static void find_devices(struct fastpath *fp, struct fastpath_leftovers *l,
			 struct fastpath_instance *in)
{
	uint32_t key, *last = NULL;

	if (in->devices_fd < 0)
		return;
	/* The map does not change: its daemon is dead. */
	for (; !bpf_map_get_next_key(in->devices_fd, last, &key); last = &key)
		find_device(fp, l, in, key);
}

int fastpath_leftovers_look(struct fastpath *fp, struct fastpath_leftovers *l)
{
	uint32_t id = 0;
	int fd;

	/* In the order of their loading. */
	while (!bpf_prog_get_next_id(id, &id)) {
		fd = bpf_prog_get_fd_by_id(id);
		if (fd >= 0)
			look_at(fp, l, fd);
	}
	if (errno != ENOENT)
		return -errno;
	/* The latest knows best. */
	for (size_t i = l->n_instances; i--;) {
		struct fastpath_instance *in = l->instances[i];

		find_devices(fp, l, in);
		if (in->same_layout)
			fastpath_leftovers_read(l, in);
		close_fd(in->fdbs_fd);
		in->fdbs_fd = -1;
	}
	return 0;
}

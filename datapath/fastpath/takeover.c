/*
 * What killed daemons have left (takeover.h): claimed by ports that open, or
 * removed. The steps of a takeover, and why in that order, are in program.c.
 */
#include "fastpath/takeover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/log.h"
#include "base/netns_lock.h"
#include "fastpath/fastpath_internal.h"
#include "fastpath/left_tap.h"
#include "fastpath/leftovers.h"

LOG_MODULE(fastpath);

/* For one that is ending. */
#define WAIT_MS	     2000
#define WAIT_EACH_MS 20

/* --- the lock --------------------------------------------------------------
 */

/* Any path's length, in a name of a socket's: FNV-1a. */
static uint64_t hash_path(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *path; path++)
		hash = (hash ^ (uint8_t)*path) * 0x100000001b3;
	return hash;
}

static int take_lock(const struct fastpath *fp, pid_t *holder)
{
	const struct timespec each = { .tv_nsec = WAIT_EACH_MS * 1000000L };
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "vsw-fast-path-%016" PRIx64,
		 hash_path(fp->run_dir));
	for (int ms = 0;; ms += WAIT_EACH_MS) {
		fd = netns_lock(name, holder);
		if (fd != -EBUSY || ms >= WAIT_MS)
			return fd;
		nanosleep(&each, NULL);
	}
}

/* --- the end of it ---------------------------------------------------------
 */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool is_in_use(const struct fastpath_leftovers *l,
		      const struct fastpath_instance *instance)
{
	for (size_t i = 0; i < l->n_devices; i++)
		if (l->devices[i]->of == instance &&
		    l->devices[i]->state != LEFT_GONE)
			return true;
	return false;
}

/* Of a device that is in its map: the programs do nothing with its frames. */
static void forget_device(const struct fastpath_instance *instance,
			  uint32_t ifindex)
{
	uint32_t index = ifindex % FP_PLACES;
	uint64_t nobodys = 0;

	if (instance->same_layout && instance->places_fd >= 0)
		bpf_map_update_elem(instance->places_fd, &index, &nobodys,
				    BPF_ANY);
}

/*
 * Its programs are nowhere that we see. At a device that was moved to another
 * network namespace one may be, and is to do nothing there.
 */
static void end_instance(const struct fastpath *fp,
			 struct fastpath_instance *instance)
{
	uint32_t key;

	if (instance->devices_fd >= 0 && !fp->is_kept)
		while (!bpf_map_get_next_key(instance->devices_fd, NULL,
					     &key) &&
		       !bpf_map_delete_elem(instance->devices_fd, &key))
			forget_device(instance, key);
	close_fd(&instance->devices_fd);
	close_fd(&instance->places_fd);
	for (int hook = 0; hook < N_ATTACH_HOOKS; hook++)
		close_fd(&instance->program_fds[hook]);
}

/* Instances of which nothing is left go: they hold their FDBs' memory. */
static void end_unused(struct fastpath *fp)
{
	struct fastpath_leftovers *l = fp->leftovers;

	for (size_t i = 0; i < l->n_instances; i++)
		if (!is_in_use(l, l->instances[i]))
			end_instance(fp, l->instances[i]);
}

static void drop(struct fastpath_left *left)
{
	const struct attach_point *point = &left->point;

	if (point->hook != ATTACH_EGRESS || left_tap_remove(point->ifindex))
		attach_remove(point, fastpath_left_program(left));
	if (left->device.flags & FP_DEVICE_PROMISC)
		fastpath_set_promiscuous(point->ifindex, false);
	left->state = LEFT_GONE;
}

void fastpath_drop_leftovers(struct fastpath *fp)
{
	struct fastpath_leftovers *l = fp->leftovers;

	if (!l || l->dropped || fp->is_kept)
		return;
	l->dropped = true;
	for (size_t i = 0; i < l->n_devices; i++) {
		if (l->devices[i]->state != LEFT_THERE)
			continue;
		log_info("%s: the program that an earlier vswd has left in the "
			 "kernel is removed",
			 l->devices[i]->name);
		drop(l->devices[i]);
	}
	end_unused(fp);
	free(l->heard);
	l->heard = NULL;
	l->n_heard = 0;
}

/* --- finding ---------------------------------------------------------------
 */

int fastpath_leftovers_find(struct fastpath *fp, pid_t *holder)
{
	struct fastpath_leftovers *l;
	int fd = take_lock(fp, holder), error;

	if (fd < 0 && fd != -EPERM)
		return fd;
	l = xcalloc(1, sizeof(*l));
	l->lock_fd = MAX(fd, -1);
	fp->leftovers = l;
	error = fastpath_leftovers_look(fp, l);
	if (!error && l->n_devices)
		log_info("an earlier vswd has left its programs at %zu "
			 "device%s",
			 l->n_devices, l->n_devices == 1 ? "" : "s");
	return error;
}

void fastpath_leftovers_free(struct fastpath *fp)
{
	struct fastpath_leftovers *l = fp->leftovers;

	if (!l)
		return;
	fastpath_drop_leftovers(fp);
	for (size_t i = 0; i < l->n_instances; i++) {
		close_fd(&l->instances[i]->devices_fd);
		close_fd(&l->instances[i]->places_fd);
		for (int hook = 0; hook < N_ATTACH_HOOKS; hook++)
			close_fd(&l->instances[i]->program_fds[hook]);
		free(l->instances[i]);
	}
	for (size_t i = 0; i < l->n_devices; i++)
		free(l->devices[i]);
	close_fd(&l->lock_fd);
	free(l->instances);
	free(l->devices);
	free(l->heard);
	free(l->strangers);
	free(l);
	fp->leftovers = NULL;
}

/* --- claiming --------------------------------------------------------------
 */

struct fastpath_left *fastpath_left_claim(struct fastpath *fp,
					  struct attach_point *point)
{
	struct fastpath_leftovers *l = fp->leftovers;

	for (size_t i = 0; l && i < l->n_devices; i++) {
		struct fastpath_left *left = l->devices[i];

		if (left->state != LEFT_THERE ||
		    left->point.ifindex != point->ifindex ||
		    left->point.hook != point->hook)
			continue;
		left->state = LEFT_CLAIMED;
		*point = left->point;
		return left;
	}
	return NULL;
}

void fastpath_left_return(struct fastpath_left *left)
{
	left->state = LEFT_THERE;
	if (left->fp->leftovers->dropped) {
		drop(left);
		end_unused(left->fp);
	}
}

void fastpath_left_done(struct fastpath_left *left)
{
	left->state = LEFT_GONE;
	if (left->fp->leftovers->dropped)
		end_unused(left->fp);
}

int fastpath_left_program(const struct fastpath_left *left)
{
	return left->of->program_fds[left->point.hook];
}

uint32_t fastpath_left_flags(const struct fastpath_left *left)
{
	return left->device.flags;
}

bool fastpath_left_forwards(const struct fastpath_left *left)
{
	return left->of->same_layout;
}

void fastpath_strangers_remove(struct fastpath *fp,
			       const struct attach_point *point)
{
	const struct fastpath_leftovers *l = fp->leftovers;
	uint32_t ids[64];
	unsigned n;

	if (!l || !l->n_strangers)
		return;
	n = attach_list(point, ids, ARRAY_SIZE(ids));
	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < l->n_strangers; k++)
			if (ids[i] == l->strangers[k])
				attach_remove_by_id(point, ids[i]);
}

/* --- for others ------------------------------------------------------------
 */

bool fastpath_left_tap(const struct fastpath *fp, const char *name)
{
	const struct fastpath_leftovers *l = fp->leftovers;

	for (size_t i = 0; l && i < l->n_devices; i++)
		if (l->devices[i]->state == LEFT_THERE &&
		    l->devices[i]->point.hook == ATTACH_EGRESS &&
		    !strcmp(l->devices[i]->name, name))
			return true;
	return false;
}

void fastpath_for_each_heard(const struct fastpath *fp,
			     void (*cb)(const struct fastpath_heard *,
					void *aux),
			     void *aux)
{
	const struct fastpath_leftovers *l = fp->leftovers;

	for (size_t i = 0; l && i < l->n_heard; i++)
		cb(&l->heard[i], aux);
}

static int clean_up_error(int error, pid_t holder, const char *run_dir,
			  char **errp)
{
	if (error == -EBUSY)
		return set_error(errp, error,
				 "%s: vswd runs there (process %d); stop it "
				 "first",
				 run_dir, (int)holder);
	return set_error(errp, error,
			 "cannot look for what an earlier vswd has left: %s%s",
			 strerror(-error),
			 error == -EPERM ? ": CAP_SYS_ADMIN is needed" : "");
}

int fastpath_clean_up(const char *run_dir, char **errp)
{
	struct fastpath *fp = xcalloc(1, sizeof(*fp));
	char *why = fastpath_name_owner(fp, run_dir);
	pid_t holder;
	int result;

	if (why) {
		result = set_error(errp, -EINVAL, "%s", why);
	} else {
		result = fastpath_leftovers_find(fp, &holder);
		if (result)
			clean_up_error(result, holder, run_dir, errp);
		else
			result = fp->leftovers->n_devices;
	}
	free(why);
	fastpath_leftovers_free(fp);
	free(fp->run_dir);
	free(fp);
	return result;
}

/*
 * What was found of killed daemons, inside of takeover.c, which deals with it,
 * and leftovers_find.c and leftovers_fdb.c, which find it.
 *
 * An instance is one load of programs and maps. There may be several: a daemon
 * that was killed while it took over from another leaves devices of both.
 */
#ifndef FASTPATH_LEFTOVERS_H
#define FASTPATH_LEFTOVERS_H

#include <net/if.h>

#include "fastpath/attach.h"
#include "fastpath/fastpath.h"
#include "fastpath/takeover.h"

#define N_ATTACH_HOOKS (ATTACH_EGRESS + 1)

struct fastpath_instance {
	uint32_t owner_id; /* of its map fp_owner, by which it is known */
	bool same_layout;
	int devices_fd; /* fp_devices; -1: none */
	int places_fd;	/* fp_places; -1: none */
	int fdbs_fd;	/* fp_fdbs, until it has been read; -1: none */
	int program_fds[N_ATTACH_HOOKS]; /* -1: none */
	uint32_t program_ids[N_ATTACH_HOOKS];
};

enum fastpath_left_state {
	LEFT_THERE,
	LEFT_CLAIMED, /* a port is to replace it, or to remove it */
	LEFT_GONE,
};

struct fastpath_left {
	struct fastpath *fp;
	struct fastpath_instance *of;
	struct attach_point point;
	struct fp_device device; /* all zeros of another layout */
	char name[IF_NAMESIZE];
	enum fastpath_left_state state;
};

struct fastpath_leftovers {
	int lock_fd; /* -1: a stranger has it */
	bool dropped;
	struct fastpath_instance **instances;
	size_t n_instances;
	struct fastpath_left **devices;
	size_t n_devices;
	struct fastpath_heard *heard; /* latest instance's first */
	size_t n_heard;
	/* Programs of ours in other switches' hands, by id. */
	uint32_t *strangers;
	size_t n_strangers;
};

/* Fills l, which is empty. 0 or -errno: -EPERM without CAP_SYS_ADMIN. */
int fastpath_leftovers_look(struct fastpath *fp, struct fastpath_leftovers *l);
/* Reads what the instance's FDBs have of its devices, into l->heard. */
void fastpath_leftovers_read(struct fastpath_leftovers *l,
			     const struct fastpath_instance *instance);

#endif

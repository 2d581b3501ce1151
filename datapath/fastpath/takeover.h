/*
 * What a killed daemon of the same run directory and network namespace has left
 * at devices: found at the start, as that needs CAP_SYS_ADMIN, and taken over
 * port by port, or removed.
 *
 * It is a killed daemon's only if it is certain that none runs. A lock by the
 * run directory's name in the network namespace says so.
 */
#ifndef FASTPATH_TAKEOVER_H
#define FASTPATH_TAKEOVER_H

#include <sys/types.h>

#include "fastpath/attach.h"

struct fastpath;
struct fastpath_left; /* a device */

/*
 * Takes the lock and looks for what was left, for fp->run_dir and fp->netns. A
 * daemon that is about to end is waited for. 0; -EBUSY, and *holder is the
 * process (0: unknown); or -errno.
 */
int fastpath_leftovers_find(struct fastpath *fp, pid_t *holder);
/* Removes what nobody has claimed, unless fastpath_keep(). */
void fastpath_leftovers_free(struct fastpath *fp);

/*
 * The device's program of that hook, which point then tells how it is attached;
 * NULL: none. It stays in place.
 */
struct fastpath_left *fastpath_left_claim(struct fastpath *fp,
					  struct attach_point *point);
/* It is as if it had not been claimed. */
void fastpath_left_return(struct fastpath_left *left);
/* The program is not there any more, or it is no more to be removed. */
void fastpath_left_done(struct fastpath_left *left);
int fastpath_left_program(const struct fastpath_left *left);
/* enum fp_device_flags */
uint32_t fastpath_left_flags(const struct fastpath_left *left);
/* It goes by tables that we know; false: it is another version's. */
bool fastpath_left_forwards(const struct fastpath_left *left);

/*
 * Removes programs of switches that are not ours, which can only be killed
 * ones', for the device is ours.
 */
void fastpath_strangers_remove(struct fastpath *fp,
			       const struct attach_point *point);

#endif

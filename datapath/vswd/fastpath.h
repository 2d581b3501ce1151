/*
 * The kernel's fast path (fastpath/fastpath.h) as a part of the running switch:
 * whether it is wanted and to be had, which ports are on it and why others are
 * not, and what follows from each snapshot. Control thread.
 */
#ifndef VSWD_FASTPATH_H
#define VSWD_FASTPATH_H

#include "fastpath/fastpath.h"
#include "vswd/switch.h"

struct vfastpath;

/*
 * Loads it, if this kernel and our capabilities allow; else says so in the log.
 * Before capabilities are given up. Never NULL; outlives the switch.
 */
struct vfastpath *vfastpath_create(const char *run_dir);
/* Accepts NULL. When all ports are closed. */
void vfastpath_destroy(struct vfastpath *fast);

/*
 * What follows is of a switch, which may have none (vswitch.fastpath is NULL):
 * then nothing is done, and ports are not said to be on it or not.
 */

/* For ports and FDBs; NULL: it is off. */
struct fastpath *vfastpath_get(const struct vswitch *vs);
/* Why it is off, a sentence for people; NULL: it is on. */
const char *vfastpath_why_off(const struct vswitch *vs);
/* As the configuration wants it; before anything is made of that. */
void vfastpath_configure(struct vswitch *vs, const struct cfg_switch *config);
/*
 * Ports and FDBs that are otherwise are made anew; once the rest of the
 * configuration is taken over, and before a snapshot follows.
 */
void vfastpath_follow(struct vswitch *vs);
/* A snapshot is in force with the workers: it comes into force in the kernel.
 */
void vfastpath_publish(struct vswitch *vs);
/* The first configuration is carried out. */
void vfastpath_configured(struct vswitch *vs);
/* The daemon ends, and what forwards in the kernel is to go on. */
void vfastpath_keep(struct vswitch *vs);
bool vfastpath_is_kept(const struct vswitch *vs);

/* A bridge's index, VFASTPATH_NO_INDEX: there is none left; and its end. */
#define VFASTPATH_NO_INDEX FP_BRIDGES
unsigned vfastpath_take_index(struct vswitch *vs);
void vfastpath_free_index(struct vswitch *vs, unsigned index);

/* Why what comes in by an open port is not forwarded there; NULL: it is. */
const char *vfastpath_why_not_in(const struct vport *v);
const char *vfastpath_why_not_out(const struct vport *v);
/* Both in one text, the caller's: "yes", "no: ...". NULL without any. */
char *vfastpath_text(const struct vport *v);
/* Of an open port; zeros if it has no part in it. */
void vfastpath_counters(const struct vport *v, struct fp_counters *counters);

#endif

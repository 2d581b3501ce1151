/*
 * Mirrors whose settings contradict each other. Whether they go together can
 * only be said when all commands of the line have run. vswd would say the same
 * in Mirror:error, but only after it was stored.
 */
#ifndef CTL_MIRROR_CHECK_H
#define CTL_MIRROR_CHECK_H

struct ctl;

/* What commands on mirrors fetch of table Mirror; ends with NULL. */
extern const char *const mirror_columns[];

/*
 * Looks at each Mirror that the commands have changed; ends the program with
 * the reason, which names both settings, when one cannot be.
 */
void mirror_check(struct ctl *ctl);

#endif

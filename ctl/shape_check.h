/*
 * Shaping whose settings contradict each other. Whether they go together can
 * only be said when all commands of the line have run; vswd would say the same
 * in Interface:error, but only after it was stored.
 */
#ifndef CTL_SHAPE_CHECK_H
#define CTL_SHAPE_CHECK_H

struct ctl;

/*
 * Looks at each Port, QoS and Queue that the commands have changed; ends the
 * program with the reason when one cannot be.
 */
void shape_check(struct ctl *ctl);

#endif

/* Waiting until vswd has carried a change out, and what came of it. */
#ifndef CTL_RELOAD_H
#define CTL_RELOAD_H

#include "ctl/ctl.h"
#include "ctl/transact.h"

/*
 * Returns when cur_cfg has reached reload->next_cfg, then looks at the
 * interfaces of ctl_expect_iface() and the rows of ctl_expect_row() and reports
 * those that could not be made (ctl->exit_status becomes 1). When nobody is
 * there to carry the change out, ends the program with a message that says so.
 */
void reload_wait(struct ctl *ctl, struct reload *reload);

#endif

/* The events command, in ctl/events.c. */
#ifndef CTL_EVENTS_H
#define CTL_EVENTS_H

#include "ctl/options.h"

/*
 * Options as vswd wants them: "--follow" becomes "follow" and so on, in place.
 * Returns whether that is among them.
 */
bool events_take_options(int argc, char **argv);
/* Prints events as they come, until somebody interrupts. The exit status. */
int events_follow(const struct ctl_options *options, int argc, char **argv);

#endif

/* capture: packets of a port or bridge, written as pcapng or printed. */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include "ctl/options.h"

/* "capture BRIDGE|PORT [FILTER...] [-w FILE|-] [-c COUNT] [-s SNAPLEN]". */
int capture_run(const struct ctl_options *options, int argc, char **argv);

#endif

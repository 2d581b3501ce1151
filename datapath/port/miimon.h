/*
 * Asking a network device for its link, for those that send no event when it
 * changes.
 */
#ifndef PORT_MIIMON_H
#define PORT_MIIMON_H

#include <stdbool.h>

/*
 * Reads the device's MII status register (IEEE 802.3 clause 22.2.4.2), or what
 * ethtool calls its link where it has no MII. 0; -errno when the device says
 * neither, or there is none. Control thread.
 */
int miimon_read(const char *device, bool *link_up);

#endif

/*
 * A port without device and queues: it counts. A bond has one, for what ends at
 * the bond and not at one of its members.
 */
#ifndef PORT_COUNTING_H
#define PORT_COUNTING_H

#include "port/port.h"

/*
 * Control thread; port_close() ends it. What is sent to it counts as dropped
 * with DROP_TX_DOWN. n_threads as in port_config.
 */
struct port *port_counting_open(const char *name, unsigned n_threads);

#endif

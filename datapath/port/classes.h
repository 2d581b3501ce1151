/*
 * All kinds of ports. A kind defines `const struct port_class port_class_KIND`
 * in a file of its own and has its line here; port.c makes the table of it.
 */
#ifndef PORT_CLASSES_H
#define PORT_CLASSES_H

#include "port/port.h"

#ifdef HAVE_DPDK
#define PORT_CLASSES_DPDK(X) X(dpdk)
#else
#define PORT_CLASSES_DPDK(X)
#endif

#define PORT_CLASSES(X)                                                        \
	X(null)                                                                \
	X(device)                                                              \
	X(afxdp)                                                               \
	X(tap)                                                                 \
	X(internal)                                                            \
	X(patch)                                                               \
	X(gateway)                                                             \
	PORT_CLASSES_DPDK(X)                                                   \
	X(hostnet)                                                             \
	X(vhostuser)                                                           \
	X(vhostuserclient)                                                     \
	X(dpdkvhostuser)                                                       \
	X(dpdkvhostuserclient)                                                 \
	X(vxlan)                                                               \
	X(vxlan_station)                                                       \
	X(vxlan_udp)                                                           \
	/* end */

#define X(KIND) extern const struct port_class port_class_##KIND;
PORT_CLASSES(X)
#undef X

#endif

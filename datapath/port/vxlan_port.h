/*
 * Ports of VXLAN. Interface:type "vxlan" is a port without a device: what is
 * sent to it the pipeline encapsulates (forward/pipeline.c), what comes from a
 * remote VTEP comes in by the port of that remote. Both only count.
 *
 * Made up by vswd, in no row:
 *
 *	"vxlan-udp"	a UDP socket of the host, in the bridge "vxlan.host":
 *			outer frames are sent and received by it
 *	"vxlan-station" an address on an uplink's bridge: outer frames leave and
 *			come in by that bridge; as "gateway", it has no device
 *
 * Options of vxlan-udp: local_ip (empty or missing: any), ip_version (4 or 6),
 * dst_port, df (true, false), csum (true: outer UDP checksums), groups (IP
 * addresses to join, comma), group_dev (device for them; optional).
 *
 * vxlan-udp gives and takes whole frames: Ethernet (any addresses; of what is
 * received 02:00:00:00:00:01 to 02:00:00:00:00:02), IP, UDP, payload. Received
 * datagrams get such headers, with the addresses, ports and TOS that the kernel
 * told, finished or vouched for (csum_valid); a GRO batch is one packet with
 * PACKET_GSO_UDP. Of what is sent, destination address and port, TOS and TTL
 * are told to the kernel, PACKET_GSO_UDP becomes UDP_SEGMENT, and the source
 * port chooses one of several sockets. Packets in a row to one place, of one
 * length, leave as a train as well. The datagrams of trains have checksums even
 * with csum=false: the kernel segments no others.
 *
 * Other options than those that it was opened with, vxlan-udp is opened anew
 * for. While its local_ip is none of the host's, opening fails (-EADDRNOTAVAIL)
 * and may be tried again; as with a port in use (-EADDRINUSE).
 */
#ifndef PORT_VXLAN_PORT_H
#define PORT_VXLAN_PORT_H

#include "port/port.h"

#define VXLAN_UDP_DEFAULT_PORT 4789

/*
 * The port of one remote VTEP of the "vxlan" port `parent`: it counts, and the
 * parent's counters have its own added (port_get_counters()), also when it is
 * closed. Control thread; port_close() ends it, before the parent's.
 */
struct port *vxlan_remote_open(struct port *parent, const char *name,
			       unsigned n_threads);

/*
 * The path MTU towards an address (4 or 16 bytes), as the host's kernel has it
 * for packets from `local` (len 0: any); 0: it has no route. Control thread.
 */
uint32_t vxlan_path_mtu(const uint8_t *ip, unsigned len, const uint8_t *local,
			unsigned local_len);

#endif

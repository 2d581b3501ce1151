/*
 * A port to the host's own sockets (type "hostnet"), by libslirp: what machines
 * behind a gateway send to it goes out as connections, datagrams and pings of
 * this process, on whatever network the host has, without any setting of the
 * host's and without privileges. It is the other end of a link to a router: it
 * takes IP packets addressed to HOSTNET_MAC (and answers ARP and neighbor
 * discovery for anybody), and sends IP packets to the MAC that the router uses.
 *
 * A thread of its own, with the system calls that it needs and no others, runs
 * libslirp; frames go to and from it by rings. So a slow connect() or a storm
 * of sockets holds up nobody else. TCP goes in large (GSO) frames both ways.
 *
 * The control thread calls what is here.
 */
#ifndef PORT_HOSTNET_PORT_H
#define PORT_HOSTNET_PORT_H

#include "port/port.h"

#define HOSTNET_MAC	     0x525600000002ull
#define HOSTNET_FORWARDS_MAX 4096 /* ports, a range counts each */

/*
 * Interface:options of such a port (all strings; it is made by vswd itself):
 *	ip4		the gateway's address and network, 10.20.0.1/24
 *	ip6		the same, fd20::1/64
 *	router-mac	where frames to the machines go
 *	mtu		of the segment: 1500
 *	way-out		"false": nothing leads outside, only the gateway's own
 *			address is served (forwards, TCP port 53)
 *	host-loopback	"true": the gateway's address is the host's loopback
 *	dns-socket	path of the unix stream socket that gets what comes to
 *			TCP port 53 of the gateway's addresses; without a slash
 *			in front, below port_config.run_dir
 *	sessions-max, client-sessions-max
 *			limits in total and for each inside address
 */

struct hostnet_forward {
	bool udp;
	uint8_t version;  /* 4 or 6 */
	uint8_t host[16]; /* the host's address; zero: all of them */
	uint16_t host_lo, host_hi;
	uint8_t inside[16];
	uint16_t inside_port; /* of host_lo */
};

/*
 * The forwards that there should be; those that were there and stay are not
 * touched. errors[i] gets NULL or why forward i is not in force (its port is
 * used by another program), the caller's to free. 0 or -errno of the whole.
 */
int hostnet_set_forwards(struct port *port,
			 const struct hostnet_forward *forwards, unsigned n,
			 char **errors);

struct hostnet_stats {
	uint64_t tcp, udp, icmp; /* sessions now */
	uint64_t refused;	 /* for a limit */
	int ping_error; /* errno: no socket for the last; 0: there was */
};
/* What to do about that. */
#define HOSTNET_PING_REMEDY                                                    \
	"sysctl -w net.ipv4.ping_group_range=\"0 2147483647\", "               \
	"or start vswd with CAP_NET_RAW"
void hostnet_get_stats(struct port *port, struct hostnet_stats *stats);
/* What libslirp knows of its connections, a text for people; to be freed. */
char *hostnet_show(struct port *port);

#endif

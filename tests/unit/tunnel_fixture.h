/*
 * Two VTEPs for tests: a VXLAN port with remotes 192.0.2.10 + i (or
 * 2001:db8::10 + i), and the demultiplexer of one of them, to whom the port's
 * own address, 192.0.2.1 (2001:db8::1), is remote 0.
 */
#ifndef TESTS_TUNNEL_FIXTURE_H
#define TESTS_TUNNEL_FIXTURE_H

#include "tunnel/tunnel.h"

#define TUNNEL_VNI  5000u /* of VLAN i: 5000 + i */
#define TUNNEL_HEAD 50u	  /* IPv4; IPv6: 70 */

struct tunnel_pair {
	struct tunnel_remote remotes[4];
	struct tunnel_config config;
	struct tunnel_network networks[64];
	struct tunnel_peer peers[4];
	uint8_t locals[2][16];
	struct tunnel_demux_config demux_config;
	struct vtep_map *map;
	struct tunnel *tunnel;
	struct tunnel_demux *demux;
	struct tunnel_scratch *scratch;
};

/* By the map: VLANs 1 to 40; else VNI 5000 and no tags. */
void tunnel_pair_prepare(struct tunnel_pair *pair, int version, bool mapped);
/* After changes to the configurations. */
void tunnel_pair_create(struct tunnel_pair *pair);
void tunnel_pair_free(struct tunnel_pair *pair);

/* The address of remote i; -1: the port's own. */
void tunnel_pair_address(int version, int i, uint8_t ip[16]);

#endif

/*
 * An EVPN fabric without machines: what FRR would install for so many remote
 * VTEPs, VNIs and stations comes as the kernel's netlink messages, and goes by
 * the switch's own code (evpn_parse(), a mirror for each VNI, the FDB, flood
 * lists) to what a snapshot has of it. One bridge with a VLAN for each VNI.
 *
 * The caller's thread does all, and time is what it is told to be.
 */
#ifndef TESTS_SUPPORT_FABRIC_H
#define TESTS_SUPPORT_FABRIC_H

#include "forward/fdb.h"
#include "tunnel/evpn_mirror.h"
#include "tunnel/tunnel.h"

struct fabric_config {
	uint32_t n_vteps;
	uint32_t n_vnis; /* at most VTEP_VLAN_MAX */
	uint32_t n_macs; /* remote ones, in turn one of each VNI */
	/* VTEPs that a VNI is at; VTEP i + k * (n_vteps / spread) for VNI i. */
	uint32_t spread;
};

struct fabric_overlay;

struct fabric {
	struct fabric_config config;
	struct fdb *fdb;
	struct vtep_map *map;
	struct fabric_overlay *overlays; /* by VNI */
	uint64_t now_ms;
	/* CPU time in what vswd would do; making up messages does not count. */
	double spent_s;
	uint64_t n_messages, n_news, n_refused;
	/* What a snapshot has; fabric_publish(). */
	struct tunnel *tunnel;
	struct tunnel_demux *demux;
};

/* The FDB has room for all of it from the start. */
struct fabric *fabric_create(const struct fabric_config *config);
void fabric_destroy(struct fabric *fabric);

/* Empty tables, as when FRR has just begun; before all else. */
void fabric_begin(struct fabric *fabric);
/* FRR installs, or takes back, all that n VTEPs from `first` on have. */
void fabric_announce(struct fabric *fabric, uint32_t first, uint32_t n);
void fabric_withdraw(struct fabric *fabric, uint32_t first, uint32_t n);
/* Another snapshot's tunnel and demux, in place of those before. */
void fabric_publish(struct fabric *fabric);

/* Where station i is. */
uint32_t fabric_vni(const struct fabric *fabric, uint32_t station);
uint32_t fabric_vtep(const struct fabric *fabric, uint32_t station);
uint64_t fabric_mac(const struct fabric *fabric, uint32_t station);
fdb_key fabric_key(const struct fabric *fabric, uint32_t station);
/* FDB number of a VTEP; its index in the tunnel is its own number here. */
uint16_t fabric_number(uint32_t vtep);
/* IPv4, four bytes. */
void fabric_ip(uint32_t vtep, uint8_t ip[16]);

/* CPU time of this thread, seconds. */
double fabric_clock(void);

#endif

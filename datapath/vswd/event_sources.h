/*
 * What the switch notes of itself (events.h): called where it happens, with
 * what is known there. Control thread.
 */
#ifndef VSWD_EVENT_SOURCES_H
#define VSWD_EVENT_SOURCES_H

#include "forward/punt.h"
#include "vswd/segment_nat.h"
#include "vswd/switch.h"
#include "vswd/vbond.h"

/* The port's link, or its guest, came or went. */
void event_link(const struct vport *v, bool up);
/* error: why the port is not what its row says, or NULL. */
void event_port(const struct vport *v, const char *error);
void event_port_added(const struct vport *v);
void event_port_removed(const struct vport *v);
/* Something about the bond has changed: what of it is news is noted. */
void event_bond(struct vbond *vb);
/* A station was heard behind another port; names of both. */
void event_moved(struct bridge *b, uint64_t mac, uint16_t fid, const char *from,
		 const char *to);
/* Once a second: whether the bridge's MAC table is full. */
void event_look_at_table(struct bridge *b);
/* And whether the sessions or ports of a gateway's NAT are used up. */
void event_look_at_nat(struct segment_nat *nat, const struct nat_stats *stats);
/* A port's policy forbade a frame: a record of PUNT_VIOLATION. */
void event_violation(struct vport *v, const struct punt_record *r);
/* Once a second: what is not told of yet, and storms that are over. */
void event_look_at_violations(struct vport *v);
/* The vport goes. */
void event_forget_violations(struct vport *v);

#endif

/*
 * Guard of a port: what its sender may claim to be. Immutable, made for a
 * snapshot; read by all workers.
 */
#ifndef POLICY_GUARD_H
#define POLICY_GUARD_H

#include "packet/packet.h"

struct guard;

/*
 * Of a packet that came in, its first PACKET_PULL bytes private: a drop
 * reason, or -1 when the guard has nothing against it. Any worker.
 */
int guard_judge(const struct guard *guard, struct packet *p);

#endif

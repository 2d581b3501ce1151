/*
 * Where frames are received to that a system call copies: one arena a thread
 * for all its ports, since a thread gives a burst back before it receives the
 * next. So the memory does not grow with the ports, and stays in the cache.
 *
 * A slot takes the longest frame there is (a GSO frame of 64 KiB with its
 * headers) and, in front, its virtio-net header. Slots lie an odd number of
 * cache lines apart, so that the frames' beginnings fall into different sets
 * of the cache. Pages are taken when first written to.
 */
#ifndef PORT_RX_ARENA_H
#define PORT_RX_ARENA_H

#include "packet/packet.h"

#define RX_ARENA_SLOTS	  64
#define RX_ARENA_HEADROOM 64 /* in front of the frame, its end for vnet */
#define RX_ARENA_ROOM	  (PACKET_LEN_MAX + 1) /* one more: was cut short */
#define RX_ARENA_STRIDE	  (1091 * CACHE_LINE)
/*
 * A burst ends when it has this much: about what stays in a core's second-level
 * cache together with the copies that sending makes.
 */
#define RX_ARENA_BURST_BYTES (256 << 10)

_Static_assert(RX_ARENA_STRIDE >= RX_ARENA_HEADROOM + RX_ARENA_ROOM, "fits");

/* The calling thread's arena, made at the first call; never NULL. */
uint8_t *rx_arena(void);

/* Where the frame of a slot begins (a cache line's beginning). */
static inline uint8_t *rx_arena_frame(uint8_t *arena, unsigned slot)
{
	return arena + (size_t)slot * RX_ARENA_STRIDE + RX_ARENA_HEADROOM;
}

#endif

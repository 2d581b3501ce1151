/*
 * For how long to poll what is empty, before it is armed and slept on.
 *
 * Polling pays when something comes meanwhile: it then comes through without
 * an interrupt of any kind. It is a waste when nothing does. So the window
 * follows what was seen: when something came after a time that was within the
 * limit, the window is opened that far and as much again; when it took longer,
 * polling would not have paid, and the window is halved, down to nothing. (KVM
 * adapts its halt polling in this way.) A packet a second, then, finds nobody
 * polling; a request and its answer, a few microseconds apart, find both ends
 * awake.
 */
#ifndef WORKER_WINDOW_H
#define WORKER_WINDOW_H

#include "worker/thread.h"

#define WINDOW_SMALLEST 16 /* this part of the limit; below that, none */

/* Something came `waited` ticks after the last, and it was polled for. */
static inline void window_learn(struct poll_window *window, uint64_t waited,
				uint64_t limit)
{
	if (waited <= window->ticks && window->ticks <= limit)
		return;
	if (waited <= limit) {
		window->ticks = MIN(2 * waited, limit);
		return;
	}
	window->ticks = MIN(window->ticks, limit) / 2;
	if (window->ticks < limit / WINDOW_SMALLEST)
		window->ticks = 0;
}

/* Whether it is still to be polled, after nothing came for so long. */
static inline bool window_open(const struct poll_window *window,
			       uint64_t waited, uint64_t limit)
{
	return waited < window->ticks && waited < limit;
}

#endif

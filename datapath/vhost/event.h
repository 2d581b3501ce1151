/*
 * Eventfds that a front end shares with the switch: kicks, calls, errors.
 *
 * O_NONBLOCK belongs to the open file, so a front end may clear it at any time,
 * and it may fill or empty the counter: a read or write of ours might wait for
 * ever, and all ports of that worker with it. So none here waits longer than
 * VHOST_EVENT_STUCK_MS, and after the first that did, none does at all.
 */
#ifndef VHOST_EVENT_H
#define VHOST_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#define VHOST_EVENT_STUCK_MS 100

/*
 * Control thread, before any descriptor is handed to the functions below; again
 * is fine. Starts the thread that looks after those who call them, and sleeps
 * while nobody does.
 */
void vhost_event_init(void);

enum vhost_event_result {
	VHOST_EVENT_DONE,
	VHOST_EVENT_NOT, /* nothing there, or no room: it is readable anyway */
	VHOST_EVENT_STUCK, /* it waited, and would again: do not use it more */
};

/* Any thread. Adds one to the counter. */
enum vhost_event_result vhost_event_signal(int fd);
/* Any thread. Takes what the counter has. */
enum vhost_event_result vhost_event_take(int fd, uint64_t *count);

#endif

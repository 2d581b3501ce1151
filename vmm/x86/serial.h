/*
 * A 16550A at LAYOUT_PORT_SERIAL. Output goes to a non-blocking stream socket;
 * what that does not take at once is kept (64 KiB, then dropped and counted).
 * Input waits in the socket while the FIFO is full. Registers are accessed by
 * vCPU threads, the socket by the I/O thread; it has a lock of its own.
 */
#ifndef VMM_X86_SERIAL_H
#define VMM_X86_SERIAL_H

#include <event2/event.h>
#include <jansson.h>

#include "vmm/machine/bus.h"
#include "vmm/machine/hypervisor.h"

struct serial;

struct serial *serial_create(struct bus *pio, struct hypervisor *hypervisor,
			     struct event_base *loop, int fd);
void serial_destroy(struct serial *serial);
void serial_reset(struct serial *serial);
json_t *serial_save(struct serial *serial);
int serial_restore(struct serial *serial, const json_t *state, char **errp);

#endif

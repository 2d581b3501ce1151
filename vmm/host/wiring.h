/*
 * The VM's ports on vswd, by way of its database: each card has a Port with one
 * Interface on the bridge (or segment) that was asked for, and both say whose
 * they are (external_ids iface-id, attached-mac, vm-id, vm-name). The rows stay
 * when vswd restarts, and go when they are removed here.
 *
 * Belongs to the keeper. Calls wait until everything is done, or has failed and
 * nothing is left; 0 or -errno with a message of one line.
 */
#ifndef VMM_HOST_WIRING_H
#define VMM_HOST_WIRING_H

#include <event2/event.h>

#include "vmm/host/config.h"

struct wiring;

/*
 * Begins to connect to the database `db` (config->db, "unix:PATH") for the VM
 * of that name and uuid, all copied. loop NULL: one of its own, which turns
 * only while a call waits.
 */
struct wiring *wiring_create(struct event_base *loop, const char *db,
			     const char *vm_name, const char *vm_uuid);
void wiring_destroy(struct wiring *wiring); /* NULL is fine */
/* Waits until there is a connection, or there can be none now. */
int wiring_wait(struct wiring *wiring, unsigned int timeout_ms, char **errp);

/*
 * Gives the card a port on net->bridge, within 10 s. Fills in
 *   net->port	a name that no other port has: VM and card
 *   net->mac	when all zeroes: of 08:00:27, in use nowhere on this vswd
 *   taps	of a card of kind tap: makes the device, net->queues descriptors
 *		(multi-queue, virtio-net header of 12 bytes; needs
 *		CAP_NET_ADMIN) that are the caller's. Else may be NULL.
 * `socket` is that of vhost-user, absolute: where we listen; with net->client
 * it is ignored, see wiring_client_socket(). A port of the same VM and card
 * that was left behind is replaced.
 */
int wiring_add(struct wiring *wiring, struct vm_net *net, const char *socket,
	       int *taps, char **errp);
/* The VM's port of this name; NULL: all that the VM has. One that is not there
 * is fine. Waits for a database that is away. */
int wiring_remove(struct wiring *wiring, const char *port,
		  unsigned int timeout_ms, char **errp);

/* Of a port with net->client that was added: the socket on which vswd listens,
 * allocated. NULL: vswd does not say. */
char *wiring_client_socket(const struct wiring *wiring, const char *port);
/* {"link": "up", "error": ..., "statistics": {"rx_packets": ...}} as the
 * database has it now; NULL: no such port. */
json_t *wiring_port_info(const struct wiring *wiring, const char *port);

#endif

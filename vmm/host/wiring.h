/*
 * The VM's ports on vswd, by way of its database: each card has a Port with one
 * Interface on the bridge (or segment) that was asked for, and both say whose
 * they are (external_ids iface-id, attached-mac, vm-id, vm-name). The rows stay
 * when vswd restarts, and go when they are removed here.
 *
 * Belongs to the keeper, in the thread of its event loop. Everything is done
 * when `done` is called, from the loop, never before the call that asked for it
 * has returned; or by then wiring_run() returns.
 */
#ifndef VMM_HOST_WIRING_H
#define VMM_HOST_WIRING_H

#include <event2/event.h>

#include "vmm/host/config.h"

struct wiring;

/* `error`: one line, of the callee only while it runs; NULL: it is done. */
typedef void wiring_done(void *aux, const char *error);

/*
 * Begins to connect to the database `db` (config->db, "unix:PATH") for the VM
 * of that name and uuid, all copied. Connects again by itself as long as it is.
 */
struct wiring *wiring_create(struct event_base *loop, const char *db,
			     const char *vm_name, const char *vm_uuid);
/* Outstanding calls end without `done`. NULL is fine. */
void wiring_destroy(struct wiring *wiring);

/*
 * Gives the card a port on net->bridge, and is done when vswd has carried it
 * out; within 10 s, or it fails and nothing is left. `net` and `taps` stay with
 * the caller and must live until then. Fills in
 *   net->port	a name that no other port has: VM and card
 *   net->mac	when all zeroes: of 08:00:27, in use nowhere on this vswd
 *   taps	of a card of kind tap: makes the device, net->queues descriptors
 *		(multi-queue, virtio-net header of 12 bytes; needs
 *CAP_NET_ADMIN) that are the caller's on success. Else may be NULL. `socket` is
 *that of vhost-user, absolute: where we listen; with net->client it is ignored,
 *see wiring_client_socket(). A port of the same VM and card that was left
 *behind is replaced.
 */
void wiring_add(struct wiring *wiring, struct vm_net *net, const char *socket,
		int *taps, wiring_done *done, void *aux);
/* The VM's port of this name; NULL: all that the VM has. One that is not there
 * is fine. `done` may be NULL. */
void wiring_remove(struct wiring *wiring, const char *port, wiring_done *done,
		   void *aux);

/*
 * Turns the loop until nothing is outstanding or `timeout_ms` are over
 * (-ETIMEDOUT); 0 or the error of the last call without `done` that failed, with
 * its message.
 * For the start, before the loop runs, and for the reaper.
 */
int wiring_run(struct wiring *wiring, unsigned int timeout_ms, char **errp);

/* Of a port with net->client that was added: the socket on which vswd listens,
 * allocated. NULL: vswd does not say. */
char *wiring_client_socket(const struct wiring *wiring, const char *port);
/* {"link": "up", "error": ..., "statistics": {"rx_packets": ...}} as the
 * database has it now; NULL: no such port. */
json_t *wiring_port_info(const struct wiring *wiring, const char *port);

#endif

/*
 * What the two halves of the wiring share: wiring.c has the connection and the
 * order of things, wiring_rows.c reads and writes the rows.
 */
#ifndef VMM_HOST_WIRING_PRIVATE_H
#define VMM_HOST_WIRING_PRIVATE_H

#include "ovsdb-lite/client.h"
#include "vmm/host/wiring.h"

struct wiring {
	struct event_base *loop, *own_loop;
	struct ovsdb_client *client;
	char *db, *vm_name, *vm_uuid;
	bool up;
	char *down; /* why there is no connection; NULL: there is, or not yet */
	struct event *timer;
	bool over;	/* the time for what is under way */
	bool answered;	/* the transaction; */
	char *refused;	/* why not; NULL: done */
	int64_t number; /* of the configuration that the last addition changed
			 */
};

/*
 * The operations that add the card's port, with net->port and net->mac chosen;
 * NULL with a message. They fail with "timed out" if anybody changes the bridge
 * meanwhile.
 */
json_t *wiring_rows_add(struct wiring *w, struct vm_net *net,
			const char *socket, char **errp);
/* Those that remove the VM's port, or all (NULL); NULL: there is none. */
json_t *wiring_rows_remove(struct wiring *w, const char *port);
/* Whether vswd has carried out the last addition. */
bool wiring_rows_reached(const struct wiring *w);
/* What vswd says is wrong with an interface, or NULL; borrowed. */
const char *wiring_rows_error(const struct wiring *w, const char *port);
void wiring_rows_monitor(struct ovsdb_client *client);

/*
 * tap.c: makes the device, up, of `queues` queues with a virtio-net header, of
 * that name, which nobody has (-EBUSY). It is gone when its descriptors are.
 */
int tap_create(const char *name, unsigned int queues, int *fds, char **errp);

#endif

/*
 * The devices and what each is made of. All of these: return a device with its
 * lock, offered features and queues set up, or NULL with a message; its
 * destroy() closes the descriptors given (also when creating failed). `loop` is
 * the event loop of the I/O thread for back ends of ours, and of the control
 * thread for vhost-user front ends.
 */
#ifndef VMM_VIRTIO_DEVICES_H
#define VMM_VIRTIO_DEVICES_H

#include <event2/event.h>

#include "vmm/virtio/virtio.h"

struct virtio_net_config {
	uint8_t mac[6];
	uint16_t mtu;	    /* 0: not told */
	unsigned int pairs; /* of queues, 1 to 16 */
	bool packed;
};

/*
 * A network card whose work a vhost-user back end does. At most one of the two
 * sockets is given, the other is -1; without either, one follows by
 * virtio_net_connected() or virtio_net_listen(): `connected` to the back end,
 * or `listener`, on which the back end connects, again and again. When the back
 * end has gone, the guest's link goes down; with `connected`, `lost` (may be
 * NULL) is called once, in the control thread, so that somebody brings another
 * socket by virtio_net_connected(). No work is lost: in-flight buffers are
 * tracked by the protocol's INFLIGHT_SHMFD.
 */
struct virtio_device *virtio_net_vhost_create(
	struct event_base *loop, const struct guest_memory *memory,
	const struct virtio_net_config *config, int connected, int listener,
	void (*lost)(void *aux), void *aux, char **errp);
int virtio_net_connected(struct virtio_device *net, int fd, char **errp);
/* Once. Owned. */
void virtio_net_listen(struct virtio_device *net, int listener);
/* A card on a tap device (IFF_VNET_HDR, a descriptor for each pair). */
struct virtio_device *virtio_net_tap_create(
	struct event_base *loop, const struct guest_memory *memory,
	const struct virtio_net_config *config, const int *taps, char **errp);
/* What set-link does; both kinds. Control thread. */
void virtio_net_set_link(struct virtio_device *net, bool up);
bool virtio_net_link(struct virtio_device *net);
/* The network is told where the card is now, after a restore: by the guest
 * (GUEST_ANNOUNCE) or the back end (RARP). Control thread. */
void virtio_net_announce(struct virtio_device *net);

/* A disk that a vhost-user-blk process (qemu-storage-daemon) serves. */
struct virtio_device *virtio_blk_vhost_create(struct event_base *loop,
					      const struct guest_memory *memory,
					      int connected, char **errp);
/* A disk in a raw file or block device; `serial` of at most 20 bytes. */
struct virtio_device *virtio_blk_raw_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    int fd, bool read_only,
					    const char *serial, char **errp);
struct virtio_device *virtio_rng_create(struct event_base *loop,
					const struct guest_memory *memory,
					char **errp);
struct virtio_device *virtio_balloon_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    char **errp);
/* How much the guest is to give back, and has; MiB. Control thread. */
void virtio_balloon_set_target(struct virtio_device *balloon, uint64_t mib);
uint64_t virtio_balloon_actual(struct virtio_device *balloon);
/* A console on a stream socket or pipe pair. */
struct virtio_device *virtio_console_create(struct event_base *loop,
					    const struct guest_memory *memory,
					    int fd, char **errp);
/*
 * Sockets between host and guest. Who connects to `listener` and says
 * "CONNECT PORT\n" reaches that port of the guest; a guest's connection to a
 * port of the host (CID 2) reaches the Unix socket "vsock_PORT" in the
 * directory `directory_fd`. Before vm_sandbox_confine().
 */
struct virtio_device *virtio_vsock_create(struct event_base *loop,
					  const struct guest_memory *memory,
					  uint32_t cid, int listener,
					  int directory_fd, char **errp);

#endif

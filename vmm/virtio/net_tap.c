/*
 * A network card on a tap device (Documentation/networking/tuntap.rst): a
 * descriptor for each pair of queues, frames with the virtio-net header before
 * them, whose offloads the kernel checks and finishes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "vmm/virtio/net.h"

LOG_MODULE(net_tap);

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
	QUEUE_SIZE = 256,
	MAX_PAIRS = 16,
	HEADER_SIZE = sizeof(struct virtio_net_hdr_v1),
	FRAME_MAX = 65536 + HEADER_SIZE + 256,
	BURST = 64,
	MERGED_MAX = 256, /* buffers of one frame */
};

struct net_tap {
	struct net net; /* first */
	int taps[MAX_PAIRS];
	bool attached[MAX_PAIRS];
	struct event *readable[MAX_PAIRS];
	uint8_t frame[FRAME_MAX]; /* on its way to the guest */
};

static struct net_tap *tap_of(struct virtio_device *device)
{
	return (struct net_tap *)device;
}

/* --- to the guest --- */

/* The device is gone. */
static void stop_reading(struct net_tap *t, unsigned int pair)
{
	log_err_limited("a tap device cannot be read any more: %s",
			strerror(errno));
	t->attached[pair] = false;
	net_set_carrier(&t->net, false);
}

/* A buffer of those that one frame fills. */
struct part {
	uint16_t id, n_descriptors;
	uint32_t written;
};

/* All of them to the guest, or back into the ring. */
static void end_parts(struct virtio_queue *queue, const struct part *parts,
		      unsigned int n, bool whole)
{
	struct virtqueue_chain chain;

	for (unsigned int i = 0; i < n; i++) {
		const struct part *part = &parts[whole ? i : n - 1 - i];

		chain.id = part->id;
		chain.n_descriptors = part->n_descriptors;
		if (whole)
			virtqueue_push(queue, &chain, part->written);
		else
			virtqueue_unpop(queue, &chain);
	}
}

/* One frame. False: there is none, or no buffer for it. */
static bool receive(struct net_tap *t, struct virtio_queue *queue, int tap)
{
	bool merging = virtio_has(queue->device, VIRTIO_NET_F_MRG_RXBUF);
	struct virtqueue_chain first, next, *chain = &first;
	struct part parts[MERGED_MAX];
	uint16_t n_parts = 0;
	ssize_t length, at = 0;

	if (!virtqueue_pop(queue, &first))
		return false;
	if (first.in_length < HEADER_SIZE) {
		virtqueue_break(queue, "a buffer that no frame fits in");
		return false;
	}
	length = read(tap, t->frame, sizeof(t->frame));
	if (length < HEADER_SIZE) {
		if (length >= 0 || (errno != EAGAIN && errno != EINTR))
			stop_reading(t, queue->index / 2);
		virtqueue_unpop(queue, &first);
		return false;
	}
	do {
		size_t written =
			virtqueue_write(chain, 0, t->frame + at, length - at);

		parts[n_parts++] =
			(struct part){ chain->id, chain->n_descriptors,
				       written };
		at += written;
		chain = &next;
	} while (at < length && merging && n_parts < MERGED_MAX &&
		 virtqueue_pop(queue, &next));
	virtqueue_write(&first, offsetof(struct virtio_net_hdr_v1, num_buffers),
			&n_parts, sizeof(n_parts));
	end_parts(queue, parts, n_parts,
		  at == length && net_is_open(&t->net, queue->index / 2));
	return !queue->broken;
}

/* Level-triggered: what is left brings us here again. Without buffers it would
 * for ever, so then the guest's kick does. */
static void receive_burst(struct net_tap *t, struct virtio_queue *queue)
{
	unsigned int pair = queue->index / 2, n = 0;
	struct virtqueue_chain chain;

	virtqueue_disable_kicks(queue);
	while (t->attached[pair] && n < BURST &&
	       receive(t, queue, t->taps[pair]))
		n++;
	virtqueue_notify(queue);
	if (t->attached[pair] && virtqueue_pop(queue, &chain)) {
		virtqueue_unpop(queue, &chain);
		event_add(t->readable[pair], NULL);
		return;
	}
	event_del_noblock(t->readable[pair]);
	if (virtqueue_enable_kicks(queue) && t->attached[pair])
		virtio_own_kick(queue);
}

static void on_readable(int fd, short events, void *aux)
{
	struct virtio_queue *queue = aux;
	struct net_tap *t = tap_of(queue->device);

	pthread_mutex_lock(&queue->device->lock);
	if (t->net.own.running && queue->enabled &&
	    queue->index < net_data_queues(&t->net))
		receive_burst(t, queue);
	else
		event_del_noblock(t->readable[queue->index / 2]);
	pthread_mutex_unlock(&queue->device->lock);
}

/* --- from the guest --- */

static ssize_t send_frame(struct virtio_queue *queue,
			  const struct virtqueue_chain *chain)
{
	struct net_tap *t = tap_of(queue->device);
	unsigned int pair = queue->index / 2;

	if (net_is_open(&t->net, pair) && chain->out_length > HEADER_SIZE &&
	    chain->out_length <= FRAME_MAX &&
	    writev(t->taps[pair], chain->out, chain->n_out) < 0)
		log_dbg("a frame was not sent: %s", strerror(errno));
	return 0;
}

static void kicked(struct virtio_queue *queue)
{
	struct net_tap *t = tap_of(queue->device);
	unsigned int n = net_data_queues(&t->net);

	if (queue->index >= n) {
		if (queue->index == n)
			net_run_control(queue);
		return;
	}
	if (queue->index & 1)
		virtio_own_drain(queue, send_frame);
	else
		receive_burst(t, queue);
}

/* --- the tap device --- */

/* Pairs that the guest does not use get no frames of the kernel. Those that it
 * uses again are looked at as if the guest had kicked. */
static void changed(struct net *net)
{
	struct net_tap *t = (struct net_tap *)net;

	for (unsigned int i = 0; i < net->pairs; i++) {
		bool attach = i < net->pairs_used;
		struct ifreq request = {
			.ifr_flags =
				attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
		};

		if (attach == t->attached[i])
			continue;
		if (ioctl(t->taps[i], TUNSETQUEUE, &request))
			log_warn_limited(
				"cannot %s queue %u of a tap device: %s",
				attach ? "attach" : "detach", i,
				strerror(errno));
		else
			t->attached[i] = attach;
		if (t->attached[i] && net->own.running)
			virtio_own_kick(&net->own.device.queues[2 * i]);
	}
}

/* RARP as QEMU and the kernel send it: who am I? */
static void announce(struct net *net, const uint8_t address[6])
{
	static const uint8_t body[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };
	uint8_t frame[HEADER_SIZE + ETH_ZLEN] = { 0 }, *p = frame + HEADER_SIZE;

	memset(p, 0xff, 6);
	memcpy(p + 6, address, 6);
	memcpy(p + 12, body, sizeof(body));
	memcpy(p + 22, address, 6); /* sender, and 4 bytes of no address */
	memcpy(p + 32, address, 6); /* target */
	if (write(((struct net_tap *)net)->taps[0], frame, sizeof(frame)) < 0)
		log_warn_limited("cannot announce a card by RARP: %s",
				 strerror(errno));
}

static const struct net_kind kind = { .changed = changed,
				      .announce = announce };

/* What the kernel may leave to the guest. */
static unsigned int offloads_of(uint64_t features)
{
	static const struct {
		uint8_t feature, flag;
	} table[] = {
		{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
		{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
		{ VIRTIO_NET_F_GUEST_UFO, TUN_F_UFO },
		{ NET_F_GUEST_USO4, TUN_F_USO4 },
		{ NET_F_GUEST_USO6, TUN_F_USO6 },
	};
	unsigned int offloads = TUN_F_CSUM;

	if (!(features >> VIRTIO_NET_F_GUEST_CSUM & 1))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (features >> table[i].feature & 1)
			offloads |= table[i].flag;
	return offloads;
}

/* --- the device --- */

static int activate(struct virtio_device *device)
{
	struct net_tap *t = tap_of(device);
	int size = HEADER_SIZE;

	if (ioctl(t->taps[0], TUNSETVNETHDRSZ, &size) ||
	    ioctl(t->taps[0], TUNSETOFFLOAD, offloads_of(device->negotiated))) {
		log_err_limited("cannot set a tap device up: %s",
				strerror(errno));
		return -errno;
	}
	changed(&t->net);
	return virtio_own_start(device);
}

static void deactivate(struct virtio_device *device)
{
	struct net_tap *t = tap_of(device);

	virtio_own_stop(device);
	for (unsigned int i = 0; i < t->net.pairs; i++)
		event_del_noblock(t->readable[i]);
	net_deactivated(&t->net);
}

static void destroy(struct virtio_device *device)
{
	struct net_tap *t = tap_of(device);

	for (unsigned int i = 0; i < t->net.pairs; i++) {
		event_free(t->readable[i]);
		close(t->taps[i]);
	}
	virtio_own_uninit(&t->net.own);
	free(t);
}

static const struct virtio_ops ops = {
	.name = "net",
	.activate = activate,
	.deactivate = deactivate,
	.destroy = destroy,
	.save = net_save,
	.restore = net_restore,
};

struct virtio_device *virtio_net_tap_create(
	struct event_base *loop, const struct guest_memory *memory,
	const struct virtio_net_config *config, const int *taps, char **errp)
{
	uint64_t features = NET_FRAME_FEATURES | NET_USO_FEATURES;
	struct net_tap *t;

	/* USO since Linux 6.2; nothing but the flags is looked at before. */
	if (ioctl(taps[0], TUNSETOFFLOAD, offloads_of(features)))
		features &= ~NET_USO_FEATURES;
	if (ioctl(taps[0], TUNSETOFFLOAD, 0)) {
		set_error(errp, -errno,
			  "a descriptor of a tap device is none: %s",
			  strerror(errno));
		for (unsigned int i = 0; i < config->pairs; i++)
			close(taps[i]);
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	net_init(&t->net, &kind, &ops, loop, memory, config, features,
		 QUEUE_SIZE);
	t->net.own.kicked = kicked;
	for (unsigned int i = 0; i < config->pairs; i++) {
		t->taps[i] = taps[i];
		t->attached[i] = true;
		fcntl(taps[i], F_SETFL, O_RDWR | O_NONBLOCK);
		t->readable[i] = event_new(loop, taps[i], EV_READ | EV_PERSIST,
					   on_readable,
					   &t->net.own.device.queues[2 * i]);
	}
	net_set_carrier(&t->net, true);
	return &t->net.own.device;
}

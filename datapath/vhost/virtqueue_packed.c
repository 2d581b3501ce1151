/* Packed rings (virtio 1.2, 2.8): nothing is received or sent yet. */
#include "vhost/virtqueue_internal.h"

unsigned virtqueue_receive_packed(struct virtqueue *vq, struct packet *packets,
				  unsigned max, _Atomic uint64_t *drops)
{
	return 0;
}

void virtqueue_done_packed(struct virtqueue *vq)
{
}

unsigned virtqueue_send_packed(struct virtqueue *vq,
			       struct packet *const packets[], unsigned n,
			       _Atomic uint64_t *drops, uint64_t *bytes)
{
	virtqueue_count(&drops[DROP_TX_DOWN], n);
	return 0;
}

bool virtqueue_has_work_packed(const struct virtqueue *vq)
{
	return false;
}

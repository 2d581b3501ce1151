/* The receive ring of a packet socket (packet_ring.h). */
#include "port/packet_ring.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "packet/offload.h"
#include "port/rx_arena.h"

/* 76 bytes of headers, and frames up to 180 bytes. */
#define SLOT_BYTES    256
#define BLOCK_BYTES   (64 << 10) /* what the kernel allocates at once */
#define SLOTS_A_BLOCK (BLOCK_BYTES / SLOT_BYTES)

/* All rings: the first ports get large ones, then small ones, then none. */
#define ALL_LARGE_BYTES (32 << 20)
#define ALL_RINGS_BYTES (64 << 20)

static _Atomic size_t all_bytes;

static struct tpacket2_hdr *slot_at(const struct packet_ring *r, unsigned i)
{
	return (void *)(r->map + (size_t)i * SLOT_BYTES);
}

static int set_up(int fd, const struct tpacket_req *request)
{
	int version = TPACKET_V2, one = 1;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version,
		       sizeof(version)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, request,
		       sizeof(*request)))
		return -errno;
	return 0;
}

/* How much of `bytes` there is to have, in whole blocks; 0: nothing. */
static size_t grant(size_t bytes)
{
	size_t all = atomic_load(&all_bytes);

	if (all >= ALL_LARGE_BYTES || bytes < BLOCK_BYTES)
		bytes = BLOCK_BYTES;
	bytes -= bytes % BLOCK_BYTES;
	return all + bytes > ALL_RINGS_BYTES ? 0 : bytes;
}

int packet_ring_open(struct packet_ring *r, int fd, size_t bytes)
{
	static const struct tpacket_req none;
	struct tpacket_req request = { .tp_block_size = BLOCK_BYTES,
				       .tp_frame_size = SLOT_BYTES };
	void *map;
	int error;

	*r = (struct packet_ring){ .fd = fd };
	bytes = grant(bytes);
	if (!bytes)
		return -ENOSPC;
	request.tp_block_nr = bytes / BLOCK_BYTES;
	request.tp_frame_nr = request.tp_block_nr * SLOTS_A_BLOCK;
	error = set_up(fd, &request);
	if (error)
		return error;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		error = -errno;
		setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof(none));
		return error;
	}
	r->map = map;
	r->map_bytes = bytes;
	r->n_slots = request.tp_frame_nr;
	atomic_fetch_add(&all_bytes, bytes);
	return 0;
}

void packet_ring_close(struct packet_ring *r)
{
	if (!r->map)
		return;
	munmap(r->map, r->map_bytes);
	atomic_fetch_sub(&all_bytes, r->map_bytes);
	r->map = NULL;
}

static uint32_t slot_status(const struct tpacket2_hdr *slot)
{
	return __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
}

/*
 * Takes the next of the queue. An error of the socket (its device went down)
 * comes before the frame that is there, and once.
 */
static ssize_t receive_queued(int fd, uint8_t *to)
{
	ssize_t n;

	for (int tries = 0; tries < 3; tries++) {
		n = recv(fd, to, VNET_HDR_LEN + RX_ARENA_ROOM, MSG_DONTWAIT);
		if (n >= 0 || errno == EAGAIN || errno == EINVAL)
			break;
	}
	return n;
}

/* The whole of the frame that a slot has only the beginning of. */
static bool take_long(struct packet_ring *r, const struct tpacket2_hdr *slot,
		      struct packet *p, unsigned arena_slot,
		      const uint8_t **vnet)
{
	uint8_t *frame = rx_arena_frame(rx_arena(), arena_slot);
	ssize_t n = receive_queued(r->fd, frame - VNET_HDR_LEN);

	if (n != (ssize_t)slot->tp_len + VNET_HDR_LEN ||
	    slot->tp_len > PACKET_LEN_MAX)
		return false;
	packet_init(p, frame, slot->tp_len);
	*vnet = frame - VNET_HDR_LEN;
	return true;
}

/* Where the longer frames of a burst are. */
struct long_frames {
	unsigned n;
	size_t bytes;
};

static bool take_slot(struct packet_ring *r, struct port *port,
		      struct packet *p, struct long_frames *lf, unsigned thread)
{
	const struct tpacket2_hdr *slot = slot_at(r, r->next);
	const uint8_t *frame = (const uint8_t *)slot + slot->tp_mac;
	const uint8_t *vnet = frame - VNET_HDR_LEN;
	uint32_t status = slot->tp_status;

	if (likely(slot->tp_snaplen == slot->tp_len)) {
		packet_init(p, frame, slot->tp_len);
	} else if (!(status & TP_STATUS_COPY)) {
		/* The queue was full, so the rest of it is lost. */
		port_drop(port, thread, DROP_RX_OVERFLOW, 1);
		return false;
	} else if (take_long(r, slot, p, lf->n++, &vnet)) {
		lf->bytes += p->len;
	} else {
		port_drop(port, thread, DROP_TRUNCATED, 1);
		return false;
	}
	if (status & TP_STATUS_VLAN_VALID) {
		p->vlan_beside = true;
		p->vlan_beside_tci = slot->tp_vlan_tci;
		p->vlan_beside_tpid = status & TP_STATUS_VLAN_TPID_VALID
					      ? slot->tp_vlan_tpid
					      : ETH_P_8021Q;
	}
	if (likely(offload_receive(p, vnet, OFFLOAD_ALL | OFFLOAD_TRUSTED)))
		return true;
	port_drop(port, thread, DROP_BAD_OFFLOAD, 1);
	return false;
}

unsigned packet_ring_receive(struct packet_ring *r, struct port *port,
			     struct packet *packets, unsigned max,
			     unsigned thread)
{
	struct long_frames lf = { 0 };
	unsigned n = 0;

	max = MIN(max, r->n_slots / 2);
	while (n < max && lf.n < RX_ARENA_SLOTS &&
	       lf.bytes < RX_ARENA_BURST_BYTES &&
	       slot_status(slot_at(r, r->next)) & TP_STATUS_USER) {
		n += take_slot(r, port, &packets[n], &lf, thread);
		r->next = r->next + 1 == r->n_slots ? 0 : r->next + 1;
		r->lent++;
	}
	if (!n)
		packet_ring_done(r);
	return n;
}

void packet_ring_done(struct packet_ring *r)
{
	unsigned i = r->next >= r->lent ? r->next - r->lent
					: r->next + r->n_slots - r->lent;

	for (; r->lent; r->lent--) {
		__atomic_store_n(&slot_at(r, i)->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		i = i + 1 == r->n_slots ? 0 : i + 1;
	}
}

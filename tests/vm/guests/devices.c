/* Orders for the small devices: entropy, console, balloon, sockets; the bus. */
#include "virtio.h"

/* rng[,nth=N] */
static void run_rng(void)
{
	static struct virtio rng;
	uint8_t *one = allocate(64, 64), *two = allocate(64, 64);
	struct ring *ring;
	unsigned int zeroes = 0;

	virtio_of_order(&rng, VIRTIO_RNG);
	virtio_negotiate(&rng, 0);
	ring = virtio_ring(&rng, 0, 0, 1);
	virtio_ready(&rng);
	for (uint16_t i = 0; i < 2; i++) {
		uint32_t written;
		uint16_t id;

		ring_add(ring, i, &(struct buffer){ i ? two : one, 64, true },
			 1);
		ring_kick(ring);
		ring_wait(ring, &id, &written);
		CHECK(id == i && written == 64, "buffer %u with %u bytes", id,
		      written);
	}
	for (unsigned int i = 0; i < 64; i++)
		zeroes += !one[i];
	CHECK(zeroes < 8 && memcmp(one, two, 64), "that is not random");
	virtio_reset(&rng);
}

/* console[,nth=N]: says something, and back what it hears until an empty line.
 */
static void run_console(void)
{
	static struct virtio console;
	static const char hello[] = "hello from the guest\n";
	char *in = allocate(64, 64), *out = allocate(64, 64);
	struct ring *rx, *tx;
	uint32_t written;
	uint16_t id;
	bool ended = false;

	virtio_of_order(&console, VIRTIO_CONSOLE);
	virtio_negotiate(&console, 0);
	rx = virtio_ring(&console, 0, 0, 1);
	tx = virtio_ring(&console, 1, 0, 1);
	virtio_ready(&console);
	ring_add(rx, 0, &(struct buffer){ in, 64, true }, 1);
	ring_kick(rx);
	memcpy(out, hello, sizeof(hello));
	written = sizeof(hello) - 1;
	while (!ended) {
		ring_add(tx, 0, &(struct buffer){ out, written, false }, 1);
		ring_kick(tx);
		ring_wait(tx, &id, &written);
		ring_wait(rx, &id, &written);
		CHECK(written && written <= 64, "%u bytes came", written);
		memcpy(out, in, 64);
		ended = written == 1 && in[0] == '\n';
		ring_add(rx, 0, &(struct buffer){ in, 64, true }, 1);
		ring_kick(rx);
	}
	virtio_reset(&console);
}

static bool balloon_is_wanted(void *aux)
{
	return read_uint32_t(((struct virtio *)aux)->config) != 0;
}

/* balloon[,nth=N]: waits until it is told to inflate, and does. */
static void run_balloon(void)
{
	static struct virtio balloon;
	uint32_t *pages = allocate(4096, 4096);
	uint32_t target, n = 0, written;
	struct ring *ring;
	uint16_t id;

	virtio_of_order(&balloon, VIRTIO_BALLOON);
	virtio_negotiate(&balloon, 0);
	ring = virtio_ring(&balloon, 0, 0, 1);
	virtio_ring(&balloon, 1, 0, 1);
	virtio_ready(&balloon);
	print("waiting for the balloon\n");
	CHECK(wait_for(balloon_is_wanted, &balloon, 20000), "not wanted");
	target = read_uint32_t(balloon.config);
	/* From 32 MiB on nothing is used. */
	while (n < target) {
		uint32_t count = target - n < 1024 ? target - n : 1024;

		for (uint32_t i = 0; i < count; i++)
			pages[i] = 0x2000 + n + i;
		ring_add(ring, 0, &(struct buffer){ pages, 4 * count, false },
			 1);
		ring_kick(ring);
		ring_wait(ring, &id, &written);
		n += count;
		write_uint32_t(balloon.config + 4, n);
	}
	CHECK(*(volatile uint32_t *)0x2000000 == 0, "memory was not taken");
	print("inflated by %u pages\n", n);
}

struct vsock_packet {
	uint64_t from, to;
	uint32_t from_port, to_port, length;
	uint16_t type, op;
	uint32_t flags, room, read;
	char data[64];
} __attribute__((packed));

enum { VSOCK_HEADER = 44, REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW };

static struct vsock_packet *vsock_in, *vsock_out;
static struct ring *vsock_rx, *vsock_tx;

static void vsock_say(uint16_t op, uint32_t length, uint32_t flags)
{
	uint32_t written;
	uint16_t id;

	vsock_out->op = op;
	vsock_out->length = length;
	vsock_out->flags = flags;
	ring_add(vsock_tx, 0,
		 &(struct buffer){ vsock_out, VSOCK_HEADER + length, false },
		 1);
	ring_kick(vsock_tx);
	ring_wait(vsock_tx, &id, &written);
}

static void vsock_hear(uint16_t op)
{
	uint32_t written;
	uint16_t id;

	ring_add(vsock_rx, 0,
		 &(struct buffer){ vsock_in, sizeof(*vsock_in), true }, 1);
	ring_kick(vsock_rx);
	ring_wait(vsock_rx, &id, &written);
	CHECK(written == VSOCK_HEADER + vsock_in->length && vsock_in->op == op,
	      "packet %u of %u bytes instead of %u", vsock_in->op, written, op);
}

/* vsock,cid=N[,nth=N]: says hello to port 80 of the host and hears the answer;
 * then is called itself, and says back what it hears. */
static void run_vsock(void)
{
	static struct virtio vsock;
	static const char hello[] = "hello from the guest\n";

	vsock_in = allocate(sizeof(*vsock_in), 64);
	vsock_out = allocate(sizeof(*vsock_out), 64);
	virtio_of_order(&vsock, VIRTIO_VSOCK);
	virtio_negotiate(&vsock, 0);
	vsock_rx = virtio_ring(&vsock, 0, 0, 1);
	vsock_tx = virtio_ring(&vsock, 1, 0, 1);
	virtio_ring(&vsock, 2, 0, 1);
	virtio_ready(&vsock);
	*vsock_out = (struct vsock_packet){ .from = number_argument("cid", 3),
					    .to = 2,
					    .from_port = 1000,
					    .to_port = 80,
					    .type = 1,
					    .room = 64 };
	vsock_say(REQUEST, 0, 0);
	vsock_hear(RESPONSE);
	memcpy(vsock_out->data, hello, sizeof(hello));
	vsock_say(RW, sizeof(hello) - 1, 0);
	vsock_hear(RW);
	CHECK(!memcmp(vsock_in->data, "hello from the host", 19), "not hello");
	vsock_say(SHUTDOWN, 0, 3);
	vsock_hear(RST);
	print("waiting for a call\n");
	vsock_hear(REQUEST);
	CHECK(vsock_in->to_port == 1000, "port %u", vsock_in->to_port);
	vsock_out->to_port = vsock_in->from_port;
	vsock_say(RESPONSE, 0, 0);
	vsock_hear(RW);
	memcpy(vsock_out->data, vsock_in->data, 64);
	vsock_say(RW, vsock_in->length, 0);
	vsock_hear(SHUTDOWN);
	vsock_say(SHUTDOWN, 0, 3);
	vsock_hear(RST);
	virtio_reset(&vsock);
}

/* touch,mib=N: writes so much memory from 32 MiB on. */
static void run_touch(void)
{
	uint64_t end = 0x2000000 + (number_argument("mib", 1) << 20);

	for (uint64_t at = 0x2000000; at < end; at += 4096)
		*(volatile uint64_t *)at = at;
}

/* pci: lists the functions; both ways to them show the same. */
static void run_pci(void)
{
	for (unsigned int slot = 0; slot < 32; slot++) {
		uint32_t ids = pci_read(slot, 0, 4);

		for (unsigned int i = 0; i < 256; i += 4)
			CHECK(pci_read(slot, i, 4) ==
				      read_uint32_t(PCI_ECAM(slot, i)),
			      "slot %u: offset %x", slot, i);
		if (ids != 0xffffffff)
			print("slot %u: %04x:%04x class %06x\n", slot,
			      ids & 0xffff, ids >> 16,
			      pci_read(slot, 8, 4) >> 8);
	}
}

const struct order orders_devices[] = {
	{ "rng", run_rng },
	{ "console", run_console },
	{ "balloon", run_balloon },
	{ "vsock", run_vsock },
	{ "touch", run_touch },
	{ "pci", run_pci },
	{ NULL, NULL },
};

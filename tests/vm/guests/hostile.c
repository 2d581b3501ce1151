/*
 * Orders that a monitor must survive: the guest breaks every rule. What is
 * asked of the machine is that it goes on, and that a device that was reset
 * works again; the test looks at the monitor itself.
 */
#include "virtio.h"

static uint32_t random_state = 1;

static uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static uint64_t random64(void)
{
	static const uint64_t edges[] = { 0,
					  1,
					  0xfff,
					  0x100000,
					  0x1fffffff,
					  0xbfffffff,
					  0xc0000000,
					  0xe0000000,
					  0xfee00000,
					  0xffffffff,
					  0x100000000,
					  0xffffffffffff,
					  0x7fffffffffffffff,
					  0xfffffffffffff000,
					  0xffffffffffffffff };
	uint32_t r = random32();

	if (r & 1)
		return edges[(r >> 1) % (sizeof(edges) / sizeof(edges[0]))] -
		       (r >> 16 & 3);
	return (uint64_t)random32() << 32 | random32();
}

static void access(uint64_t addr, unsigned int length, bool is_write,
		   uint64_t value)
{
	if (length == 1)
		is_write ? write_uint8_t(addr, (uint8_t)value)
			 : (void)read_uint8_t(addr);
	else if (length == 2)
		is_write ? write_uint16_t(addr, (uint16_t)value)
			 : (void)read_uint16_t(addr);
	else if (length == 4)
		is_write ? write_uint32_t(addr, (uint32_t)value)
			 : (void)read_uint32_t(addr);
	else
		is_write ? write_uint64_t(addr, value)
			 : (void)read_uint64_t(addr);
}

/* hostile-bars: all sizes and places in and around each BAR. */
static void run_bars(void)
{
	for (unsigned int slot = 0; slot < 32; slot++) {
		static struct virtio d;

		if (!virtio_open(&d, slot))
			continue;
		for (unsigned int i = 0; i < 1500; i++) {
			uint64_t at = d.pci.bar_addr +
				      random32() % (d.pci.bar_size + 4096);

			if (i < 256) /* the common configuration */
				at = d.common + i % 72;
			else if (i < 400)
				at = d.pci.msix_table + random32() % 256;
			else if (i < 500 && d.config)
				at = d.config + i % 100;
			access(at, 1u << random32() % 4, random32() & 1,
			       random64());
		}
		for (unsigned int i = 0; i < 8; i++)
			access(d.pci.bar_addr + d.pci.bar_size - i, 8, i & 1,
			       random64());
		virtio_reset(&d);
	}
}

/* hostile-config: configuration space, BARs in strange places. */
static void run_config(void)
{
	static const uint32_t places[] = { 0,	       0x100000,   0xfee00000,
					   0xfec00000, 0xe0000000, 0xfffff000,
					   0xc0000000, 0xbffff000, 0xdffff000 };

	for (unsigned int slot = 0; slot < 32; slot++) {
		struct pci_device d;
		uint64_t addr;
		unsigned int bar;

		if (!pci_open(&d, slot))
			continue;
		for (bar = 0; bar < 6; bar++) {
			if (pci_read(slot, 0x10 + 4 * bar, 4))
				break;
		}
		addr = bar < 6 ? pci_read(slot, 0x10 + 4 * bar, 4) : 0;
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]);
		     i++) {
			if (bar == 6)
				break;
			pci_write(slot, 0x10 + 4 * bar, 4, places[i]);
			read_uint32_t(0x100000);
			read_uint32_t(places[i] & ~3u);
		}
		/* Every byte, but for the BARs: they are put back below. */
		for (unsigned int i = 0; i < 600; i++) {
			unsigned int offset = random32() % 256;
			unsigned int length = 1u << random32() % 3;

			if (i & 1)
				access(PCI_ECAM(slot, random32() % 4096),
				       1u << random32() % 4, i & 2, random64());
			else if (i & 2)
				pci_write(slot, offset & ~(length - 1), length,
					  random32());
			else
				pci_read(slot, offset, length);
		}
		if (bar < 6)
			pci_write(slot, 0x10 + 4 * bar, 4, (uint32_t)addr);
		pci_write(slot, 4, 2, 6);
	}
	access(PCI_ECAM(31, 4095) + 1, 4, true, 0);
	access(0xe0000000 + (1 << 20) - 2, 4, false, 0);
}

/* hostile-ports: reads of all ports, but those of the serial console. */
static void run_ports(void)
{
	for (unsigned int port = 0; port < 0x10000;
	     port += port < 0x1000 ? 1 : 61) {
		if (port >= 0x3f8 && port < 0x400)
			continue;
		in8((uint16_t)port);
		in16((uint16_t)port);
		in32((uint16_t)port);
	}
	for (unsigned int i = 0; i < 64; i++) {
		out32(0x620 + 4 * (i % 3), random32());
		out16(0x610 + 2 * (i % 2), (uint16_t)random32());
		out8(0x70, (uint8_t)random32());
		out8(0x71, (uint8_t)random32());
		out32(0xcf8, random32());
		in32(0xcfc);
		out8(0x3f8 + 7, (uint8_t)random32());
	}
	out16(0x602, 0);
	out16(0x612, 0);
}

/* A ring full of what no driver writes, in guest memory or beside it. */
static void break_ring(struct ring *ring, unsigned int how)
{
	for (unsigned int i = 0; i < ring->size; i++) {
		struct descriptor *d = &ring->desc.split[i];

		d->addr = how % 4 == 0 ? random64() : 0x1000000;
		d->length = how % 4 == 1   ? 0xffffffff
			    : how % 4 == 2 ? 0
					   : random32();
		d->flags = (uint16_t)random32();
		d->next = how % 4 == 3 ? (uint16_t)i : (uint16_t)random32();
		ring->avail[2 + i] = (uint16_t)random32();
	}
	ring->avail[1] = how % 3 == 0 ? (uint16_t)random32()
				      : (uint16_t)(1 + random32() % 4);
}

/* Wherever the ring is to be: not in memory, or across its end. */
static void misplace_ring(struct virtio *device, const struct ring *ring)
{
	uint64_t common = device->common;

	write_uint16_t(common + COMMON_QUEUE_SELECT, ring->index);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t at = random64();

		write_uint32_t(common + COMMON_QUEUE_DESC + 8 * i,
			       (uint32_t)at);
		write_uint32_t(common + COMMON_QUEUE_DESC + 8 * i + 4,
			       at >> 32);
	}
}

/* What comes to a vector without a meaning: INIT or NMI would be our own
 * end, and any address may be the interrupt controller's. */
static uint32_t random_data(void)
{
	return (random32() & ~0x7ffu) | (0xd0 + random32() % 32);
}

static void break_device(struct virtio *device, unsigned int how)
{
	uint16_t n;

	virtio_negotiate(device, random64());
	n = read_uint16_t(device->common + COMMON_NUM_QUEUES);
	for (uint16_t i = 0; i < n && i < 3; i++) {
		struct ring *ring = virtio_ring(device, i, 16, 1);

		if (how % 5 == 4)
			misplace_ring(device, ring);
		else
			break_ring(ring, how);
	}
	if (how % 7 == 5)
		for (unsigned int i = 0; i < device->pci.n_vectors; i++)
			msix_set(&device->pci, i, random64(), random_data(),
				 random32() % 8 == 0);
	write_uint8_t(device->common + COMMON_STATUS, 15);
	for (uint16_t i = 0; i < device->n_rings; i++) {
		write_uint16_t(device->rings[i].notify, i);
		if (how & 1)
			break_ring(&device->rings[i], how + i);
		write_uint16_t(device->rings[i].notify, i);
	}
	wait_ms(how % 4 ? 1 : 20);
}

/*
 * hostile-rings[,rounds=N][,seed=N][,slot=N]. Nothing is said of what the
 * device makes of it; after a reset it is as new.
 */
static void run_rings(void)
{
	uint64_t rounds = number_argument("rounds", 12);
	uint64_t only = number_argument("slot", 32);

	random_state = (uint32_t)number_argument("seed", 1) * 2654435761u | 1;
	for (unsigned int slot = 0; slot < 32; slot++) {
		static struct virtio device;

		if ((only < 32 && slot != only) || !virtio_open(&device, slot))
			continue;
		for (unsigned int how = 0; how < rounds; how++)
			break_device(&device, how);
		virtio_reset(&device);
	}
}

/*
 * hostile-cpus[,seed=N][,ms=N]: two CPUs that each drive all devices, without
 * a look at what the other does, and move, reset and eject them. What is made
 * of it nobody knows; no device is to be used any more afterwards.
 */
extern const char other_start[], other_end[];
void other_cpu(void);
static volatile bool other_runs, other_stops;

static uint32_t bar_of(unsigned int slot)
{
	return read_uint32_t(PCI_ECAM(slot, 0x10)) & ~0xfu;
}

/* Only bits that do not send other interrupts than ours. */
static void storm_config(unsigned int slot)
{
	static const uint32_t places[] = { 0xc0000000, 0xd0000000, 0xd0010000,
					   0xd0002000, 0xdfffc000, 0xffffffff };
	uint32_t how = random32();

	if (how % 16 == 0)
		write_uint32_t(PCI_ECAM(slot, 0x10), places[how / 16 % 6]);
	else if (how % 16 == 1)
		write_uint32_t(PCI_ECAM(slot, 0x10),
			       0xc0000000 + slot * 0x1000000);
	write_uint16_t(PCI_ECAM(slot, 4), how % 8 ? 6 : 0);
	write_uint16_t(PCI_ECAM(slot, 0x42), (uint16_t)(how & 0xc000));
	out32(0x620 + 4 * (how >> 8 & 1), random32());
	if (how % 64 == 0)
		out32(0x628, 1u << slot);
}

/* All that a driver writes, in any order, on rings that are broken or not. */
static void storm_device(uint64_t common, struct ring *ring)
{
	static const uint8_t statuses[] = { 0, 1, 3, 11, 11, 15, 15, 15 };

	for (unsigned int i = 0; i < 24; i++) {
		uint32_t how = random32();
		uint16_t queue = how >> 4 & 3;

		write_uint16_t(common + COMMON_QUEUE_SELECT, queue);
		write_uint32_t(common + COMMON_DRIVER_FEATURE_SELECT, i & 1);
		write_uint32_t(
			common + COMMON_DRIVER_FEATURE,
			how & 1 << 8 ? i & 1
				     : read_uint32_t(common + COMMON_FEATURE));
		write_uint16_t(common + COMMON_QUEUE_SIZE, 16);
		write_uint16_t(common + COMMON_QUEUE_VECTOR, queue);
		write_uint32_t(common + COMMON_QUEUE_DESC,
			       (uint32_t)(uint64_t)ring->desc.split);
		write_uint32_t(common + COMMON_QUEUE_DRIVER,
			       (uint32_t)(uint64_t)ring->avail);
		write_uint32_t(common + COMMON_QUEUE_DEVICE,
			       (uint32_t)(uint64_t)ring->used);
		write_uint16_t(common + COMMON_QUEUE_ENABLE, 1);
		write_uint8_t(common + COMMON_STATUS, statuses[how & 7]);
		ring->avail[1] += (uint16_t)(how >> 12 & 1);
		write_uint16_t(common + 0x1000 + 4 * queue, queue);
		read_uint64_t(common + 0x400 + (how >> 16 & 0x78));
		write_uint32_t(common + 0x2000 + 16 * queue + 12, how >> 9 & 1);
		read_uint64_t(common + 0x3000);
	}
}

static void storm(struct ring *ring)
{
	unsigned int slot = 1 + random32() % 12;

	if (read_uint16_t(PCI_ECAM(slot, 0)) == 0xffff)
		return;
	ring->size = 16;
	break_ring(ring, random32() % 4 == 0 ? random32() : 2);
	storm_config(slot);
	if (bar_of(slot) >= 0xc0000000 && bar_of(slot) < 0xe0000000)
		storm_device(bar_of(slot), ring);
}

static void make_ring(struct ring *ring)
{
	ring->desc.split = allocate(4096, 4096);
	ring->avail = allocate(4096, 4096);
	ring->used = allocate(4096, 4096);
}

static struct ring storm_rings[2];

void other_cpu(void)
{
	other_runs = true;
	while (!other_stops)
		storm(&storm_rings[1]);
	other_runs = false;
}

static void run_cpus(void)
{
	const uint64_t command = 0xfee00300;
	uint64_t end = microseconds() + number_argument("ms", 3000) * 1000;

	random_state = (uint32_t)number_argument("seed", 1) * 2654435761u | 1;
	make_ring(&storm_rings[0]);
	make_ring(&storm_rings[1]);
	memcpy((void *)OTHER_CPUS, other_start,
	       (size_t)(other_end - other_start));
	write_uint32_t(command, 0xc4500); /* INIT to all others */
	wait_ms(10);
	write_uint32_t(command, 0xc4600 | OTHER_CPUS >> 12);
	while (!other_runs)
		CHECK(microseconds() < end, "the other CPU does not start");
	print("two CPUs run\n");
	while (microseconds() < end)
		storm(&storm_rings[0]);
	other_stops = true;
	while (other_runs)
		;
}

const struct order orders_hostile[] = {
	{ "hostile-cpus", run_cpus },	  { "hostile-bars", run_bars },
	{ "hostile-config", run_config }, { "hostile-ports", run_ports },
	{ "hostile-rings", run_rings },	  { NULL, NULL },
};

/*
 * PCI functions and virtio devices on them, as a driver sees them (virtio 1.2,
 * 4.1): everything that the device must do is checked, and fail() says what it
 * did instead.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "guest.h"

/* pci.c. Configuration space by ports; lengths 1, 2 and 4. */
uint32_t pci_read(unsigned int slot, unsigned int offset, unsigned int length);
void pci_write(unsigned int slot, unsigned int offset, unsigned int length,
	       uint32_t value);
#define PCI_ECAM(slot, offset) (0xe0000000ull + ((slot) << 15) + (offset))

struct pci_device {
	unsigned int slot;
	uint16_t vendor, id;
	unsigned int bar; /* the one with the registers */
	uint64_t bar_addr, bar_size;
	unsigned int msix; /* capability; 0: none */
	unsigned int n_vectors;
	uint64_t msix_table, msix_pending;
};

/* False when the slot is empty. Gives the BAR an address if it has none. */
bool pci_open(struct pci_device *device, unsigned int slot);
/* The address of a BAR, which becomes the device's. */
uint64_t pci_bar(struct pci_device *device, unsigned int bar);
/* The next capability of this kind behind `after` (0: the first), or 0. */
unsigned int pci_capability(const struct pci_device *device, uint8_t id,
			    unsigned int after);
void msix_set(const struct pci_device *device, unsigned int n, uint64_t addr,
	      uint32_t data, bool masked);
void msix_enable(const struct pci_device *device, bool on);

/* virtio.c */
enum {
	VIRTIO_NET = 1,
	VIRTIO_BLK = 2,
	VIRTIO_CONSOLE = 3,
	VIRTIO_RNG = 4,
	VIRTIO_BALLOON = 5,
	VIRTIO_VSOCK = 19,

	VIRTIO_F_INDIRECT = 28,
	VIRTIO_F_EVENT_IDX = 29,
	VIRTIO_F_VERSION_1 = 32,
	VIRTIO_F_PACKED = 34,

	STATUS_ACKNOWLEDGE = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_OK = 4,
	STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 0x40,

	/* Of the common configuration. */
	COMMON_FEATURE_SELECT = 0,
	COMMON_FEATURE = 4,
	COMMON_DRIVER_FEATURE_SELECT = 8,
	COMMON_DRIVER_FEATURE = 12,
	COMMON_CONFIG_VECTOR = 16,
	COMMON_NUM_QUEUES = 18,
	COMMON_STATUS = 20,
	COMMON_GENERATION = 21,
	COMMON_QUEUE_SELECT = 22,
	COMMON_QUEUE_SIZE = 24,
	COMMON_QUEUE_VECTOR = 26,
	COMMON_QUEUE_ENABLE = 28,
	COMMON_QUEUE_NOTIFY_OFF = 30,
	COMMON_QUEUE_DESC = 32,
	COMMON_QUEUE_DRIVER = 40,
	COMMON_QUEUE_DEVICE = 48,

	MAX_RINGS = 4,
	MAX_CHAIN = 8, /* descriptors of one buffer */
};

struct buffer {
	void *data;
	uint32_t length;
	bool in; /* the device writes */
};

struct descriptor { /* split */
	uint64_t addr;
	uint32_t length;
	uint16_t flags, next;
};

struct packed_descriptor {
	uint64_t addr;
	uint32_t length;
	uint16_t id, flags;
};

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

struct virtio;

/*
 * A ring in which each buffer has a number below size / chain, of its user's
 * choosing, and at most `chain` descriptors.
 */
struct ring {
	struct virtio *device;
	uint16_t index, size, chain;
	unsigned int vector; /* of the CPU */
	uint64_t notify;
	/* Split: descriptors, available and used ring; packed: descriptors,
	 * the driver's and the device's event suppression. */
	union {
		struct descriptor *split;
		struct packed_descriptor *packed;
	} desc;
	volatile uint16_t *avail;
	volatile uint16_t *used;
	uint16_t next_avail, next_used, kicked;
	bool avail_wrap, used_wrap;
	uint16_t lengths[1024]; /* packed: descriptors of each buffer */
	struct descriptor (*indirect)[MAX_CHAIN];
};

struct virtio {
	struct pci_device pci;
	unsigned int type;
	uint64_t common, isr, config, notify;
	uint32_t notify_multiplier;
	uint64_t offered, features;
	unsigned int n_rings;
	struct ring rings[MAX_RINGS];
};

static inline bool has(const struct virtio *device, int feature)
{
	return device->features >> feature & 1;
}

/* The nth of its type; false when there is none. */
bool virtio_find(struct virtio *device, unsigned int type, unsigned int nth);
/* The one in this slot, whatever it is. */
bool virtio_open(struct virtio *device, unsigned int slot);
/* The one that the order names by nth=N (0); fails when there is none. */
void virtio_of_order(struct virtio *device, unsigned int type);
void virtio_reset(struct virtio *device);
/*
 * Resets and goes as far as FEATURES_OK, with those of `wanted` that the device
 * offers; of the order's flags packed, event and indirect add to them, and must
 * be offered then, without if-offered.
 */
void virtio_negotiate(struct virtio *device, uint64_t wanted);
/* Ring `index` of `chain` descriptors a buffer; size 0: the device's. */
struct ring *virtio_ring(struct virtio *device, unsigned int index,
			 uint16_t size, uint16_t chain);
void virtio_ready(struct virtio *device);
uint8_t virtio_status(const struct virtio *device);

/* ring.c */
void ring_init(struct ring *ring);
void ring_add(struct ring *ring, uint16_t id, const struct buffer *buffers,
	      unsigned int n);
/* Tells the device of what was added, if it wants to know. */
void ring_kick(struct ring *ring);
/* Takes back a buffer; `written`: what the device says that it wrote. */
bool ring_get(struct ring *ring, uint16_t *id, uint32_t *written);
/* The same, waiting asleep for the interrupt; fails after 10 s. */
void ring_wait(struct ring *ring, uint16_t *id, uint32_t *written);

#endif

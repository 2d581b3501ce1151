/*
 * The two address spaces that a guest's accesses reach devices by: memory
 * (MMIO) and ports (PIO). A device owns a range; an access that nobody owns
 * reads as all ones and writes nothing. Ranges never overlap.
 *
 * vCPU threads dispatch, the control thread adds and removes ranges (hot-plug,
 * BARs that a guest moves: then a vCPU thread, too). The table has a lock of
 * its own, which is not held while a handler runs; bus_remove() returns only
 * when no handler of the range runs in another thread.
 */
#ifndef VMM_MACHINE_BUS_H
#define VMM_MACHINE_BUS_H

#include "base/util.h"

/*
 * An access of 1, 2, 4 or 8 bytes at `offset` of the range, never past its end.
 * read: returns the value, the higher bits are cut off.
 */
struct bus_device {
	uint64_t (*read)(void *aux, uint64_t offset, unsigned int length);
	void (*write)(void *aux, uint64_t offset, unsigned int length,
		      uint64_t value);
	void *aux;
};

struct bus;

struct bus *bus_create(void);
void bus_destroy(struct bus *bus);
/* Returns 0, or -EEXIST when it overlaps another range. */
int bus_add(struct bus *bus, uint64_t start, uint64_t size,
	    const struct bus_device *device);
void bus_remove(struct bus *bus, uint64_t start);
/* Any bytes of a guest: lengths up to 8; false when nobody owns the address. */
bool bus_read(struct bus *bus, uint64_t addr, void *data, unsigned int length);
bool bus_write(struct bus *bus, uint64_t addr, const void *data,
	       unsigned int length);

#endif

/*
 * A list of ranges. A dispatching thread takes the lock to find its
 * range and to count itself as a user of it, and lets go before it calls the
 * handler; who removes a range waits until its users are gone.
 */
#include "vmm/machine/bus.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct range {
	uint64_t start, last;
	struct bus_device device;
	unsigned int users;
	bool gone; /* in its own handler: freed when that returns */
	struct range *next;
};

struct bus {
	pthread_mutex_t lock;
	pthread_cond_t left; /* a range's last user */
	struct range *ranges;
};

/* What the calling thread is in the handler of: that it may remove, too. */
static _Thread_local const struct range *inside;

struct bus *bus_create(void)
{
	struct bus *bus = xcalloc(1, sizeof(*bus));

	pthread_mutex_init(&bus->lock, NULL);
	pthread_cond_init(&bus->left, NULL);
	return bus;
}

void bus_destroy(struct bus *bus)
{
	if (!bus)
		return;
	for (struct range *r = bus->ranges, *next; r; r = next) {
		next = r->next;
		free(r);
	}
	pthread_cond_destroy(&bus->left);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}

/* Where a range that has any of these addresses hangs; the end if none has. */
static struct range **find(struct bus *bus, uint64_t first, uint64_t last)
{
	struct range **at = &bus->ranges;

	while (*at && ((*at)->last < first || (*at)->start > last))
		at = &(*at)->next;
	return at;
}

int bus_add(struct bus *bus, uint64_t start, uint64_t size,
	    const struct bus_device *device)
{
	uint64_t last = start + size - 1;
	struct range **at;
	int error = 0;

	if (!size || last < start)
		return -EINVAL;
	pthread_mutex_lock(&bus->lock);
	at = find(bus, start, last);
	if (*at) {
		error = -EEXIST;
	} else {
		*at = xcalloc(1, sizeof(**at));
		**at = (struct range){ start, last, *device, 0, false, NULL };
	}
	pthread_mutex_unlock(&bus->lock);
	return error;
}

void bus_remove(struct bus *bus, uint64_t start)
{
	struct range **at, *range;

	pthread_mutex_lock(&bus->lock);
	at = find(bus, start, start);
	range = *at;
	if (range && range->start == start) {
		*at = range->next;
		while (range->users > (inside == range))
			pthread_cond_wait(&bus->left, &bus->lock);
		range->gone = true;
		if (!range->users)
			free(range);
	}
	pthread_mutex_unlock(&bus->lock);
}

/* The range that has all of the access, with the caller as its user. */
static struct range *enter(struct bus *bus, uint64_t addr, unsigned int length)
{
	struct range *range;

	if (!length || length > 8 || length & (length - 1))
		return NULL;
	pthread_mutex_lock(&bus->lock);
	range = *find(bus, addr, addr);
	if (range && range->last - addr >= length - 1)
		range->users++;
	else
		range = NULL;
	pthread_mutex_unlock(&bus->lock);
	return range;
}

static void leave(struct bus *bus, struct range *range)
{
	pthread_mutex_lock(&bus->lock);
	if (!--range->users && range->gone)
		free(range);
	else
		pthread_cond_broadcast(&bus->left);
	pthread_mutex_unlock(&bus->lock);
}

bool bus_read(struct bus *bus, uint64_t addr, void *data, unsigned int length)
{
	struct range *range = enter(bus, addr, length);
	const struct range *outer = inside;
	uint64_t value;

	memset(data, 0xff, length);
	if (!range)
		return false;
	inside = range;
	value = range->device.read(range->device.aux, addr - range->start,
				   length);
	inside = outer;
	memcpy(data, &value, length);
	leave(bus, range);
	return true;
}

bool bus_write(struct bus *bus, uint64_t addr, const void *data,
	       unsigned int length)
{
	struct range *range = enter(bus, addr, length);
	const struct range *outer = inside;
	uint64_t value = 0;

	if (!range)
		return false;
	memcpy(&value, data, length);
	inside = range;
	range->device.write(range->device.aux, addr - range->start, length,
			    value);
	inside = outer;
	leave(bus, range);
	return true;
}

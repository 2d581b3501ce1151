/*
 * A port's slot: its place in fp_states, which says whether and how long frames
 * may leave by it, and in fp_counters, one for each CPU. Both maps, and
 * fp_places, are mapped here, so that none costs a system call.
 *
 * A slot that a bridge in force still names is nobody else's yet: its port is
 * closed, and what the kernel would send there comes to userspace.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fastpath/fastpath.skel.h"
#include "fastpath/fastpath_internal.h"

static size_t states_bytes(void)
{
	return FP_SLOTS * sizeof(struct fp_state);
}

static size_t counters_bytes(const struct fastpath *fp)
{
	return (size_t)fp->n_cpus * FP_SLOTS * sizeof(struct fp_counters);
}

static size_t places_bytes(void)
{
	return FP_PLACES * sizeof(uint64_t);
}

static int map_shared(const struct bpf_map *map, size_t bytes, void *mappedp)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(map), 0);

	if (p == MAP_FAILED)
		return -errno;
	*(void **)mappedp = p;
	return 0;
}

int fastpath_slots_map(struct fastpath *fp)
{
	int error = map_shared(fp->bpf->maps.fp_states, states_bytes(),
			       &fp->states);

	if (!error)
		error = map_shared(fp->bpf->maps.fp_counters,
				   counters_bytes(fp), &fp->counters);
	if (!error)
		error = map_shared(fp->bpf->maps.fp_places, places_bytes(),
				   &fp->places);
	return error;
}

void fastpath_slots_unmap(struct fastpath *fp)
{
	if (fp->states)
		munmap(fp->states, states_bytes());
	if (fp->counters)
		munmap(fp->counters, counters_bytes(fp));
	if (fp->places)
		munmap(fp->places, places_bytes());
	fp->states = NULL;
	fp->counters = NULL;
	fp->places = NULL;
}

static uint64_t load(const __u64 *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void add_up(const struct fastpath *fp, uint32_t slot,
		   struct fp_counters *sum)
{
	*sum = (struct fp_counters){ 0 };
	for (unsigned cpu = 0; cpu < fp->n_cpus; cpu++) {
		const struct fp_counters *c =
			&fp->counters[(size_t)cpu * FP_SLOTS + slot];

		sum->rx_packets += load(&c->rx_packets);
		sum->rx_bytes += load(&c->rx_bytes);
		sum->tx_packets += load(&c->tx_packets);
		sum->tx_bytes += load(&c->tx_bytes);
	}
}

static void set_state(struct fastpath *fp, uint32_t slot, uint32_t frame_max,
		      bool up)
{
	struct fp_state *state = &fp->states[slot];

	__atomic_store_n(&state->frame_max, frame_max, __ATOMIC_RELAXED);
	__atomic_store_n(&state->up, up, __ATOMIC_RELAXED);
}

int fastpath_slot_take(struct fastpath_port *port)
{
	struct fastpath *fp = port->fp;

	for (uint32_t n = 0; n < FP_SLOTS; n++) {
		uint32_t slot = fp->slot_cursor++ % FP_SLOTS;

		if (fp->is_taken[slot] || fp->n_naming[slot])
			continue;
		fp->is_taken[slot] = true;
		port->slot = slot;
		set_state(fp, slot, 0, false);
		add_up(fp, slot, &port->at_start);
		return 0;
	}
	return -ENOSPC;
}

void fastpath_slot_drop(struct fastpath_port *port)
{
	struct fastpath *fp = port->fp;

	fp->is_taken[port->slot] = false;
	if (fp->is_kept)
		return;
	set_state(fp, port->slot, 0, false);
}

void fastpath_port_follow(struct fastpath_port *port, uint32_t mtu, bool up)
{
	if (!port->fp->is_kept)
		set_state(port->fp, port->slot, mtu + ETH_HLEN, up);
}

void fastpath_port_counters(const struct fastpath_port *port,
			    struct fp_counters *sum)
{
	add_up(port->fp, port->slot, sum);
	sum->rx_packets -= port->at_start.rx_packets;
	sum->rx_bytes -= port->at_start.rx_bytes;
	sum->tx_packets -= port->at_start.tx_packets;
	sum->tx_bytes -= port->at_start.tx_bytes;
}

uint32_t fastpath_port_slot(const struct fastpath_port *port)
{
	return port->slot;
}

int fastpath_port_ifindex(const struct fastpath_port *port)
{
	return port->ifindex;
}

enum fastpath_side fastpath_port_side(const struct fastpath_port *port)
{
	return port->side;
}

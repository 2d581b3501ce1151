/*
 * What is in force: the maps fp_devices, fp_ports and fp_fdbs brought to what
 * a publication says. Only bridges that differ from what is in force cost
 * anything, and all of them together what one does.
 *
 * No program may see one bridge by two configurations, so the steps are
 *
 *	1. devices that are not where they were before are forgotten: what
 *	   comes in by them goes to userspace
 *	2. bridges that go, or change in such a way that one map would not do
 *	   with the other's old state, are left without ports: nothing is
 *	   forwarded there
 *	3. FDBs
 *	4. ports
 *	5. devices that are where they were not before are entered
 *
 * A change of fp_ports or fp_fdbs returns when no program uses what was there
 * before (the kernel waits for an RCU grace period: some milliseconds); so each
 * of 2, 3 and 4 is one batch.
 *
 * A bridge with which something fails is taken out of force, and the next
 * publication tries again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "fastpath/fastpath.skel.h"
#include "fastpath/fastpath_internal.h"

LOG_MODULE(fastpath);

/* What becomes of a bridge that differs. */
struct change {
	unsigned index;
	struct fastpath_in_force to; /* all zeros: it goes */
	int table_fd;
	int ports_fd; /* -1: the ports stay as they are */
	bool goes_off_first;
	int error;
};

struct changes {
	struct change *all;
	size_t n;
};

static const struct fp_port no_port;

/* --- what a publication asks for -------------------------------------------
 */

/* What the kernel is to know of the bridge's port of that number. */
static const struct fp_port *wanted_port(const struct fastpath_bridge *bridge,
					 unsigned number)
{
	return number && bridge->handles[number] ? &bridge->ports[number]
						 : &no_port;
}

/* As long as the array must be; 0: the kernel has nothing to do there. */
static unsigned n_wanted(const struct fastpath_bridge *bridge)
{
	unsigned n = MIN(bridge->n_ports, FP_NUMBER_MAX + 1u);

	if (!bridge->table)
		return 0;
	while (n && !wanted_port(bridge, n - 1)->flags)
		n--;
	return n;
}

static bool ports_differ(const struct fastpath_in_force *now,
			 const struct fastpath_bridge *bridge, unsigned n)
{
	if (n != now->n_ports)
		return true;
	for (unsigned i = 0; i < n; i++)
		if (memcmp(&now->ports[i], wanted_port(bridge, i),
			   sizeof(now->ports[i])))
			return true;
	return false;
}

static struct fp_port *copy_ports(const struct fastpath_bridge *bridge,
				  unsigned n)
{
	struct fp_port *ports = xcalloc(n, sizeof(*ports));

	for (unsigned i = 0; i < n; i++)
		ports[i] = *wanted_port(bridge, i);
	return ports;
}

static const struct fp_port *port_at(const struct fastpath_in_force *bridge,
				     unsigned number)
{
	return number < bridge->n_ports ? &bridge->ports[number] : &no_port;
}

/* Another port has the number than before. */
static bool renumbers(const struct fastpath_in_force *now,
		      const struct fastpath_in_force *to)
{
	unsigned n = MIN(now->n_ports, to->n_ports);

	for (unsigned i = 0; i < n; i++)
		if (now->ports[i].flags && to->ports[i].flags &&
		    now->ports[i].slot != to->ports[i].slot)
			return true;
	return false;
}

/* A map with these ports, or -errno. */
static int create_ports(const struct fp_port *ports, unsigned n)
{
	int fd = fastpath_inner_create("fp_port", sizeof(*ports), n,
				       FASTPATH_PORTS_FLAGS);
	uint32_t *keys, count = n;
	int error;

	if (fd < 0)
		return fd;
	keys = xcalloc(n, sizeof(*keys));
	for (unsigned i = 0; i < n; i++)
		keys[i] = i;
	error = bpf_map_update_batch(fd, keys, ports, &count, NULL);
	free(keys);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static struct change *add_change(struct changes *changes, unsigned index)
{
	struct change *c;

	changes->all = xrealloc(changes->all,
				(changes->n + 1) * sizeof(*changes->all));
	c = &changes->all[changes->n++];
	*c = (struct change){
		.index = index,
		.table_fd = -1,
		.ports_fd = -1,
	};
	return c;
}

static void compare(const struct fastpath *fp, struct changes *changes,
		    const struct fastpath_bridge *bridge, unsigned n)
{
	const struct fastpath_in_force *now = &fp->bridges[bridge->index];
	bool other_table = now->table_serial != bridge->table->serial;
	bool other_ports = ports_differ(now, bridge, n);
	struct change *c;

	if (!other_table && !other_ports)
		return;
	c = add_change(changes, bridge->index);
	c->to.table_serial = bridge->table->serial;
	c->to.n_ports = n;
	c->to.ports = other_ports ? copy_ports(bridge, n) : now->ports;
	if (other_table)
		c->table_fd = bridge->table->fd;
	if (!other_ports)
		return;
	c->goes_off_first =
		now->n_ports && (other_table || renumbers(now, &c->to));
	c->ports_fd = create_ports(c->to.ports, n);
	if (c->ports_fd < 0)
		c->error = c->ports_fd;
}

/* Bridges that are in force and not to be so. */
static void compare_others(const struct fastpath *fp, struct changes *changes,
			   const uint8_t *is_wanted)
{
	for (unsigned i = 0; i < FP_BRIDGES; i++)
		if (fp->bridges[i].table_serial && !is_wanted[i])
			add_change(changes, i)->goes_off_first = true;
}

static int compare_all(const struct fastpath *fp, struct changes *changes,
		       const struct fastpath_bridge *bridges, unsigned n)
{
	uint8_t is_wanted[FP_BRIDGES] = { 0 };
	int error = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned n_ports = n_wanted(&bridges[i]);

		if (!n_ports)
			continue;
		if (bridges[i].index >= FP_BRIDGES) {
			error = -ERANGE;
			continue;
		}
		is_wanted[bridges[i].index] = 1;
		compare(fp, changes, &bridges[i], n_ports);
	}
	compare_others(fp, changes, is_wanted);
	return error;
}

/* --- devices ---------------------------------------------------------------
 */

static bool comes_in(const struct fp_port *port)
{
	return port->flags & FP_IN;
}

static bool same_device(const struct fp_port *a, const struct fp_port *b)
{
	return comes_in(a) && comes_in(b) && a->ifindex == b->ifindex &&
	       a->slot == b->slot;
}

/* All that `from` has and `to` has not where it is. */
static void forget_devices(const struct fastpath *fp,
			   const struct fastpath_in_force *from,
			   const struct fastpath_in_force *to)
{
	for (unsigned i = 0; i < from->n_ports; i++) {
		const struct fp_port *port = &from->ports[i];

		if (comes_in(port) && !same_device(port, port_at(to, i)))
			fastpath_device_displace(fp, port->ifindex, port->slot);
	}
}

static int enter_devices(const struct fastpath *fp, const struct change *c)
{
	const struct fastpath_in_force *now = &fp->bridges[c->index];
	int error = 0;

	for (unsigned i = 0; i < c->to.n_ports && !error; i++) {
		const struct fp_port *port = &c->to.ports[i];

		if (comes_in(port) && !same_device(port, port_at(now, i)))
			error = fastpath_device_place(fp, port->ifindex,
						      port->slot, c->index, i);
	}
	return error;
}

/* --- bridges ---------------------------------------------------------------
 */

/* A change of an outer map. */
struct update {
	uint32_t *keys, *fds;
	struct change **changes;
	unsigned n;
};

static struct update new_update(const struct changes *changes)
{
	return (struct update){
		.keys = xcalloc(changes->n, sizeof(uint32_t)),
		.fds = xcalloc(changes->n, sizeof(uint32_t)),
		.changes = xcalloc(changes->n, sizeof(struct change *)),
	};
}

static void free_update(struct update *u)
{
	free(u->keys);
	free(u->fds);
	free(u->changes);
}

static void add(struct update *u, struct change *c, int fd)
{
	u->keys[u->n] = c->index;
	u->fds[u->n] = fd;
	u->changes[u->n++] = c;
}

/* Each by itself when not all together: that says which of them fails. */
static void apply(struct update *u, const struct bpf_map *outer)
{
	int fd = bpf_map__fd(outer);
	uint32_t count = u->n;

	if (u->n > 1 &&
	    !bpf_map_update_batch(fd, u->keys, u->fds, &count, NULL))
		u->n = 0;
	for (unsigned i = 0; i < u->n; i++)
		if (bpf_map_update_elem(fd, &u->keys[i], &u->fds[i], BPF_ANY))
			u->changes[i]->error = -errno;
	u->n = 0;
}

static bool goes(const struct change *c)
{
	return !c->to.table_serial;
}

static void change_bridges(struct fastpath *fp, struct changes *changes)
{
	struct change *end = changes->all + changes->n, *c;
	struct update u = new_update(changes);

	for (c = changes->all; c < end; c++)
		if (c->goes_off_first)
			add(&u, c, fp->no_ports_fd);
	apply(&u, fp->bpf->maps.fp_ports);
	for (c = changes->all; c < end; c++)
		if (!c->error && (goes(c) || c->table_fd >= 0))
			add(&u, c, goes(c) ? fp->no_fdb_fd : c->table_fd);
	apply(&u, fp->bpf->maps.fp_fdbs);
	for (c = changes->all; c < end; c++)
		if (!c->error && c->ports_fd >= 0)
			add(&u, c, c->ports_fd);
	apply(&u, fp->bpf->maps.fp_ports);
	free_update(&u);
}

/* Slots that bridges in force name are not given to other ports. */
static void name_slots(struct fastpath *fp,
		       const struct fastpath_in_force *bridge, int by)
{
	for (unsigned i = 0; i < bridge->n_ports; i++)
		if (bridge->ports[i].flags)
			fp->n_naming[bridge->ports[i].slot] += by;
}

/* Nothing is forwarded in the bridge, whatever has gone wrong with it. */
static void take_out(struct fastpath *fp, struct change *c)
{
	const struct fastpath_in_force none = { 0 };
	uint32_t key = c->index;

	log_warn("bridge number %u does without the kernel's fast path: %s",
		 c->index, strerror(-c->error));
	/* What is in force has no others by now: step 1. */
	forget_devices(fp, &c->to, &none);
	bpf_map_update_elem(bpf_map__fd(fp->bpf->maps.fp_ports), &key,
			    &fp->no_ports_fd, BPF_ANY);
	bpf_map_update_elem(bpf_map__fd(fp->bpf->maps.fp_fdbs), &key,
			    &fp->no_fdb_fd, BPF_ANY);
	if (c->to.ports != fp->bridges[c->index].ports)
		free(c->to.ports);
	c->to = none;
}

static void finish(struct fastpath *fp, struct change *c)
{
	struct fastpath_in_force *now = &fp->bridges[c->index];

	if (c->ports_fd >= 0)
		close(c->ports_fd);
	if (c->error)
		take_out(fp, c);
	if (c->to.ports != now->ports) {
		name_slots(fp, now, -1);
		name_slots(fp, &c->to, 1);
		free(now->ports);
	}
	*now = c->to;
}

int fastpath_publish(struct fastpath *fp, const struct fastpath_bridge *bridges,
		     unsigned n)
{
	struct changes changes = { 0 };
	struct change *c, *end;
	int error;

	if (fp->is_kept)
		return 0;
	error = compare_all(fp, &changes, bridges, n);
	if (!changes.n)
		return error;
	end = changes.all + changes.n;
	for (c = changes.all; c < end; c++)
		forget_devices(fp, &fp->bridges[c->index], &c->to);
	change_bridges(fp, &changes);
	for (c = changes.all; c < end; c++)
		if (!c->error)
			c->error = enter_devices(fp, c);
	for (c = changes.all; c < end; c++) {
		if (c->error)
			error = c->error;
		finish(fp, c);
	}
	free(changes.all);
	return error;
}

/* --- the beginning and the end ---------------------------------------------
 */

int fastpath_publish_start(struct fastpath *fp)
{
	fp->no_ports_fd = create_ports(&no_port, 1);
	if (fp->no_ports_fd < 0)
		return fp->no_ports_fd;
	fp->no_fdb_fd = fastpath_inner_create(
		"fp_fdb", sizeof(struct fp_bucket), 2, FASTPATH_FDB_FLAGS);
	return MIN(fp->no_fdb_fd, 0);
}

void fastpath_publish_end(struct fastpath *fp)
{
	if (fp->bpf)
		fastpath_publish(fp, NULL, 0);
	for (unsigned i = 0; i < FP_BRIDGES; i++)
		free(fp->bridges[i].ports);
	if (fp->no_ports_fd >= 0)
		close(fp->no_ports_fd);
	if (fp->no_fdb_fd >= 0)
		close(fp->no_fdb_fd);
}

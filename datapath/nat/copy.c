/*
 * A NAT like another: the same configuration, addresses and forwards, and the
 * sessions that nat_save() keeps. For questions (what would become of this
 * packet?) whose answer must not change anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat/table.h"

struct memory {
	uint8_t *data;
	size_t n, room;
};

static int write_memory(const void *data, size_t len, void *aux)
{
	struct memory *m = aux;

	if (len > m->room - m->n) {
		m->room = MAX(2 * m->room, m->n + len);
		m->data = xrealloc(m->data, m->room);
	}
	memcpy(m->data + m->n, data, len);
	m->n += len;
	return 0;
}

static int copy_outside(const struct nat *from, struct nat *to, char **errp)
{
	const struct nat_view *view = atomic_load(&from->view);
	struct nat_addr *addrs = xcalloc(NAT_ADDRESSES_MAX, sizeof(*addrs));
	unsigned n = 0;
	int error;

	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i < view->n_outsides[v6]; i++) {
			const struct nat_outside *o =
				nat_outside_at(from, view->outsides[v6][i]);

			if (o && !atomic_load(&o->leaving) &&
			    n < NAT_ADDRESSES_MAX)
				addrs[n++] = o->addr;
		}
	error = nat_set_outside(to, addrs, n, errp);
	free(addrs);
	return error;
}

static int copy_settings(const struct nat *from, struct nat *to, char **errp)
{
	int error =
		nat_set_options(to, &atomic_load(&from->view)->options, errp);

	if (!error)
		error = nat_set_inside(to, from->inside_nets, from->inside_lens,
				       from->n_inside_nets, errp);
	if (!error)
		error = copy_outside(from, to, errp);
	for (unsigned i = 0; !error && i < from->n_forwards; i++)
		error = nat_add_forward(to, &from->forwards[i], errp);
	return error;
}

/* Thread 0's next ports and identifications are the same. */
static void copy_choices(const struct nat *from, struct nat *to)
{
	const struct nat_thread *t = &from->threads[0];

	to->threads[0].random = t->random;
	to->threads[0].ip_id = t->ip_id;
	to->threads[0].ip_id_left = t->ip_id_left;
	to->ip_id = atomic_load(&from->ip_id);
}

int nat_copy(struct nat *nat, uint64_t now_ms, struct nat **copyp, char **errp)
{
	struct memory m = { 0 };
	struct nat *copy;
	int error = nat_create(&nat->config, &copy, errp);

	if (error)
		return error;
	error = copy_settings(nat, copy, errp);
	if (!error)
		error = nat_save(nat, now_ms, write_memory, &m);
	if (!error && nat_load(copy, now_ms, 0, m.data, m.n, errp) < 0)
		error = -EINVAL;
	free(m.data);
	if (!error)
		copy_choices(nat, copy);
	if (error) {
		nat_destroy(copy);
		return error;
	}
	*copyp = copy;
	return 0;
}

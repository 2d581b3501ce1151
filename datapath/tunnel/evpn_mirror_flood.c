/* The mirror's flood list (evpn_mirror.h): VTEPs of the zero MAC. */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "tunnel/evpn_mirror_internal.h"

static int compare_floods(const void *a, const void *b)
{
	const struct evpn_ip *x = &((const struct flood *)a)->vtep;
	const struct evpn_ip *y = &((const struct flood *)b)->vtep;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static struct flood *flood_get(struct evpn_mirror *m,
			       const struct evpn_ip *vtep, bool make)
{
	struct flood key = { .vtep = *vtep }, *f;
	struct flood **at = tfind(&key, &m->floods, compare_floods);

	if (at || !make)
		return at ? *at : NULL;
	if (m->counters.vteps >= m->config.vteps_max) {
		m->counters.vtep_limit++;
		m->missed = true;
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	f->record.type = RECORD_FLOOD;
	f->vtep = *vtep;
	if (!tsearch(f, &m->floods, compare_floods))
		abort();
	m->counters.vteps++;
	return f;
}

void flood_unlink(struct evpn_mirror *m, struct flood *f)
{
	tdelete(f, &m->floods, compare_floods);
	m->counters.vteps--;
}

void flood_update(struct evpn_mirror *m, struct flood *f)
{
	bool live = held_live(&f->record.held);

	if (live == f->told)
		return;
	f->told = live;
	mirror_tell(m, &(struct evpn_news){ live ? EVPN_FLOOD : EVPN_FLOOD_GONE,
					    .vtep = f->vtep });
}

void flood_event(struct evpn_mirror *m, const struct evpn_event *e)
{
	bool is_new = e->type == EVPN_FDB;
	struct flood *f =
		flood_get(m, &e->fdb.vtep, is_new || mirror_dumping(m));

	if (!f)
		return;
	if (is_new)
		held_new(m, &f->record.held, e->dump);
	else
		held_gone(m, &f->record.held);
	record_settle(m, &f->record);
}

/*
 * Forwards that want the same port: within a segment, and of all segments whose
 * outside is the host.
 */
#include <stdlib.h>
#include <string.h>

#include "port/hostnet_port.h"
#include "vswd/config_check_segments.h"
#include "vswd/net_text.h"

/* A forward, and whose it is. */
struct entry {
	const struct cfg_segment *segment;
	const struct cfg_forward *forward;
	char **error;
	bool worked; /* until now */
};

static bool has_worked(const struct cfg_segment *before,
		       const struct cfg_forward *f)
{
	if (!before || before->error)
		return false;
	for (size_t i = 0; i < before->n_forwards; i++) {
		const struct cfg_forward *b = &before->forwards[i];

		if (uuid_equals(&b->uuid, &f->uuid))
			return !b->error && b->udp == f->udp &&
			       b->version == f->version &&
			       b->outside_lo == f->outside_lo &&
			       b->outside_hi == f->outside_hi &&
			       ip_address_equal(&b->outside, &f->outside);
	}
	return false;
}

static int compare_addresses(const struct ip_address *a,
			     const struct ip_address *b)
{
	return a->len != b->len ? a->len - b->len
				: memcmp(a->bytes, b->bytes, a->len);
}

/* Whatever order the rows have, by what people see; the row's name is last. */
static int compare_entries(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;
	int c = b->worked - a->worked;

	if (!c)
		c = strcmp(a->segment->name, b->segment->name);
	if (!c)
		c = a->forward->outside_lo - b->forward->outside_lo;
	if (!c)
		c = compare_addresses(&a->forward->inside, &b->forward->inside);
	if (!c)
		c = a->forward->inside_port - b->forward->inside_port;
	return c ? c : uuid_compare(&a->forward->uuid, &b->forward->uuid);
}

static bool collide(const struct entry *a, const struct entry *b)
{
	const struct cfg_forward *x = a->forward, *y = b->forward;

	if (x->outside_hi < y->outside_lo || y->outside_hi < x->outside_lo ||
	    x->udp != y->udp || x->version != y->version)
		return false;
	if (a->segment != b->segment && (a->segment->outside != OUTSIDE_HOST ||
					 b->segment->outside != OUTSIDE_HOST))
		return false;
	return !x->outside.len || !y->outside.len ||
	       ip_address_equal(&x->outside, &y->outside);
}

static char *taken(const struct entry *entry, const struct entry *by)
{
	const struct cfg_forward *f = entry->forward, *first = by->forward;

	return xasprintf("%s port %u is forwarded to %s port %u of segment %s "
			 "already; remove that, or take another port",
			 f->udp ? "udp" : "tcp",
			 MAX(f->outside_lo, first->outside_lo),
			 ip_text(&first->inside).text, first->inside_port,
			 by->segment->name);
}

/* Each port takes a socket of the host's. */
static void check_room(struct entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct cfg_segment *s = entries[i].segment;
		unsigned ports = 0;

		/* The first of a segment counts for all of it. */
		for (size_t k = 0; k < i && !ports; k++)
			ports = entries[k].segment == s;
		if (ports || s->outside != OUTSIDE_HOST)
			continue;
		for (size_t k = i; k < n; k++) {
			const struct cfg_forward *f = entries[k].forward;

			if (entries[k].segment != s || *entries[k].error)
				continue;
			ports += f->outside_hi - f->outside_lo + 1;
			if (ports <= HOSTNET_FORWARDS_MAX)
				continue;
			ports -= f->outside_hi - f->outside_lo + 1;
			*entries[k].error = xasprintf(
				"more than %u ports in all forwards of a "
				"segment whose outside is the host; take a "
				"smaller range",
				HOSTNET_FORWARDS_MAX);
		}
	}
}

void config_check_forwards(struct segment_check *const checks[], size_t n)
{
	struct entry *entries;
	size_t n_entries = 0;

	for (size_t i = 0; i < n; i++)
		n_entries += segment_check_value(checks[i])->n_forwards;
	entries = xcalloc(n_entries, sizeof(*entries));
	n_entries = 0;
	for (size_t i = 0; i < n; i++) {
		const struct cfg_segment *s = segment_check_value(checks[i]);

		for (size_t k = 0; k < s->n_forwards && !checks[i]->fails; k++)
			entries[n_entries++] =
				(struct entry){ s, &s->forwards[k],
						&checks[i]->forward_errors[k],
						has_worked(checks[i]->before,
							   &s->forwards[k]) };
	}
	qsort(entries, n_entries, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < n_entries; i++)
		for (size_t k = 0; k < i && !*entries[i].error; k++)
			if (!*entries[k].error &&
			    collide(&entries[i], &entries[k]))
				*entries[i].error =
					taken(&entries[i], &entries[k]);
	check_room(entries, n_entries);
	free(entries);
}

/*
 * The outside addresses: the pool, how workers find one by its bytes, and how
 * one leaves. Also the views that workers read all of this in.
 */
#include <errno.h>

#include "nat/way.h"

static uint32_t place(uint32_t word)
{
	/* addresses in a row differ in their last byte, the highest here */
	return (word ^ word >> 15) * 0x9e3779b1u >> 16;
}

int nat_find_outside(const struct nat *nat, const struct nat_view *view,
		     unsigned version, const uint8_t *ip, uint32_t word)
{
	uint32_t at = place(word);
	unsigned entry;

	while ((entry = view->by_word[at & view->by_word_mask])) {
		const struct nat_outside *o = nat_outside_at(nat, entry - 1);

		if (o->word == word && o->addr.version == version &&
		    (version == 4 || !memcmp(o->addr.ip, ip, 16)))
			return entry - 1;
		at++;
	}
	return -1;
}

struct nat_view *nat_view_create(const struct nat *nat,
				 const struct nat_options *options)
{
	struct nat_view *view = xcalloc(1, sizeof(*view));
	size_t n = options->n_exclusions * sizeof(*view->exclusions);
	unsigned count = 0;

	view->options = *options;
	view->exclusions = xmalloc(n ? n : 1);
	if (n)
		memcpy(view->exclusions, options->exclusions, n);
	view->options.exclusions = view->exclusions;
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++)
		count += !!nat_outside_at(nat, i);
	view->by_word_mask = round_up_pow2(2 * count + 2) - 1;
	view->by_word = xcalloc(view->by_word_mask + 1, sizeof(uint16_t));
	for (int v6 = 0; v6 < 2; v6++)
		view->outsides[v6] = xcalloc(count + 1, sizeof(uint16_t));
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);
		bool v6;
		uint32_t at;

		if (!o || atomic_load(&o->leaving))
			continue;
		v6 = o->addr.version == 6;
		view->outsides[v6][view->n_outsides[v6]++] = i;
		at = place(o->word);
		while (view->by_word[at & view->by_word_mask])
			at++;
		view->by_word[at & view->by_word_mask] = i + 1;
	}
	return view;
}

static void destroy(struct nat_outside *o)
{
	for (int i = 0; i < NAT_N_PROTOCOLS; i++)
		nat_unmap(o->slots[i], 65536 * sizeof(*o->slots[i]));
	free(o);
}

static struct nat_outside *create(const struct nat *nat,
				  const struct nat_addr *addr)
{
	struct nat_outside *o = xcalloc(1, sizeof(*o));

	o->addr = *addr;
	o->word = nat_word(nat, addr->version, addr->ip);
	for (int i = 0; i < NAT_N_PROTOCOLS; i++) {
		o->slots[i] = nat_map(65536 * sizeof(*o->slots[i]));
		if (!o->slots[i]) {
			destroy(o);
			return NULL;
		}
	}
	return o;
}

static bool is_used(const struct nat_outside *o)
{
	for (int i = 0; i < NAT_N_PROTOCOLS * 4; i++)
		if (atomic_load(&o->used[i / 4][i / 2 % 2][i % 2]))
			return true;
	return false;
}

void nat_outside_turn(struct nat *nat)
{
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);

		if (!o || !atomic_load(&o->leaving))
			continue;
		if (is_used(o)) {
			o->unused_for = 0;
		} else if (o->unused_for++ == 2) {
			atomic_store(&nat->outside[i], NULL);
			destroy(o);
		}
	}
}

static bool same(const struct nat_addr *a, const struct nat_addr *b)
{
	return a->version == b->version &&
	       !memcmp(a->ip, b->ip, a->version == 4 ? 4 : 16);
}

static bool is_inside(const struct nat *nat, const struct nat_addr *addr)
{
	for (unsigned i = 0; i < nat->n_inside_nets; i++) {
		const struct nat_addr *net = &nat->inside_nets[i];
		unsigned len = nat->inside_lens[i], bit;

		if (net->version != addr->version)
			continue;
		for (bit = 0; bit < len; bit++)
			if ((net->ip[bit / 8] ^ addr->ip[bit / 8]) &
			    0x80 >> bit % 8)
				break;
		if (bit == len)
			return true;
	}
	return false;
}

static int check(const struct nat *nat, const struct nat_addr *addrs,
		 unsigned n, char **errp)
{
	if (n > NAT_ADDRESSES_MAX / 2)
		return set_error(errp, -ENOSPC,
				 "at most %d outside addresses are possible",
				 NAT_ADDRESSES_MAX / 2);
	for (unsigned i = 0; i < n; i++) {
		if ((addrs[i].version != 4 && addrs[i].version != 6) ||
		    !nat_is_unicast(addrs[i].version, addrs[i].ip))
			return set_error(errp, -EINVAL,
					 "outside address %u is not unicast",
					 i + 1);
		for (unsigned j = 0; j < i; j++)
			if (same(&addrs[i], &addrs[j]))
				return set_error(errp, -EINVAL,
						 "outside address %u is named "
						 "twice",
						 i + 1);
		if (is_inside(nat, &addrs[i]))
			return set_error(errp, -EADDRINUSE,
					 "outside address %u lies in a network "
					 "inside: give the segment another one",
					 i + 1);
	}
	return 0;
}

static bool is_of(const struct nat_addr *addr, const struct nat_addr *addrs,
		  unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (same(addr, &addrs[i]))
			return true;
	return false;
}

static bool is_leaving(struct nat *nat, const struct nat_session *s,
		       uint64_t state, void *aux)
{
	return atomic_load(&nat_outside_at(nat, s->ports >> 51)->leaving);
}

/* The index of the address, if it is there to stay; or -1. */
static int index_of(const struct nat *nat, const struct nat_addr *addr)
{
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);

		if (o && !atomic_load(&o->leaving) && same(&o->addr, addr))
			return i;
	}
	return -1;
}

static int add(struct nat *nat, const struct nat_addr *addr, char **errp)
{
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o;

		if (nat_outside_at(nat, i))
			continue;
		o = create(nat, addr);
		if (!o)
			return set_error(errp, -ENOMEM,
					 "no memory for an outside address");
		atomic_store(&nat->outside[i], o);
		nat_forwards_apply(nat, i);
		return 0;
	}
	return set_error(errp, -ENOSPC,
			 "former outside addresses are still in "
			 "use; try again in a second");
}

static void renew_view(struct nat *nat)
{
	nat_publish(nat,
		    nat_view_create(nat, &atomic_load(&nat->view)->options));
}

int nat_set_outside(struct nat *nat, const struct nat_addr *addrs, unsigned n,
		    char **errp)
{
	int r = check(nat, addrs, n, errp);
	bool left = false;

	for (unsigned i = 0; i < n && !r; i++)
		if (index_of(nat, &addrs[i]) < 0)
			r = add(nat, &addrs[i], errp);
	if (r)
		n = 0; /* only those that have a view stay */
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);

		if (!o || atomic_load(&o->leaving))
			continue;
		if (r ? nat_find_outside(nat, atomic_load(&nat->view),
					 o->addr.version, o->addr.ip,
					 o->word) >= 0
		      : is_of(&o->addr, addrs, n))
			continue;
		atomic_store(&o->leaving, true);
		left = true;
	}
	renew_view(nat);
	if (!left)
		return r;
	nat_end_sessions(nat, is_leaving, NULL);
	nat_quarantine_age(nat, 0, true);
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);

		if (o && atomic_load(&o->leaving))
			nat_forwards_unapply(nat, i);
	}
	return r;
}

int nat_set_inside(struct nat *nat, const struct nat_addr *networks,
		   const uint8_t *prefix_lens, unsigned n, char **errp)
{
	struct nat_addr *old_nets = nat->inside_nets;
	uint8_t *old_lens = nat->inside_lens;
	unsigned old_n = nat->n_inside_nets;

	for (unsigned i = 0; i < n; i++)
		if ((networks[i].version != 4 && networks[i].version != 6) ||
		    prefix_lens[i] > (networks[i].version == 4 ? 32 : 128))
			return set_error(errp, -EINVAL,
					 "inside network %u is not one", i + 1);
	nat->inside_nets = xcalloc(n + 1, sizeof(*networks));
	nat->inside_lens = xcalloc(n + 1, 1);
	nat->n_inside_nets = n;
	if (n) {
		memcpy(nat->inside_nets, networks, n * sizeof(*networks));
		memcpy(nat->inside_lens, prefix_lens, n);
	}
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++) {
		struct nat_outside *o = nat_outside_at(nat, i);

		if (!o || atomic_load(&o->leaving) || !is_inside(nat, &o->addr))
			continue;
		free(nat->inside_nets);
		free(nat->inside_lens);
		nat->inside_nets = old_nets;
		nat->inside_lens = old_lens;
		nat->n_inside_nets = old_n;
		return set_error(errp, -EADDRINUSE,
				 "an outside address lies in a network inside: "
				 "give the segment another one");
	}
	free(old_nets);
	free(old_lens);
	return 0;
}

void nat_outside_destroy(struct nat *nat)
{
	for (unsigned i = 0; i < NAT_ADDRESSES_MAX; i++)
		if (nat_outside_at(nat, i))
			destroy(nat_outside_at(nat, i));
	free(nat->inside_nets);
	free(nat->inside_lens);
}

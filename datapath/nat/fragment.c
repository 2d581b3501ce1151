/* See fragment.h. All of it is under one lock: fragments are rare. */
#include <errno.h>

#include "nat/fragment.h"
#include "nat/translate.h"

#define SOURCES		 256 /* counts of datagrams, by a hash of their source */
#define KEPT_OF_ONE(max) MAX((max) / 8, 1u)

struct datagram {
	struct nat_datagram_key key;
	struct nat_addresses becomes;
	uint16_t source;
	uint8_t known, verdict, reason;
	uint32_t until_s;
	uint32_t next;		  /* in its chain, or free */
	uint32_t younger, older;  /* by age */
	uint32_t held, last_held; /* buffers, in their order */
	uint32_t got, total;	  /* bytes of payload; total 0: not known */
};

struct held {
	uint32_t next, len;
	struct packet_offload offload;
	uint8_t frame[NAT_HELD_LEN];
};

struct nat_fragments {
	_Atomic(uint8_t) lock;
	struct datagram *datagrams;
	struct held *buffers;
	size_t datagram_bytes, buffer_bytes;
	uint32_t *chains;
	uint32_t mask;
	uint32_t free, free_buffer;
	uint32_t oldest, youngest;
	uint32_t n_datagrams, n_held;
	uint64_t expired;
	uint32_t of_source[SOURCES], held_of_source[SOURCES];
	uint64_t seed;
};

int nat_fragments_create(struct nat *nat)
{
	uint32_t n = nat->config.max_datagrams,
		 held = nat->config.max_fragments;
	struct nat_fragments *f = xcalloc(1, sizeof(*f));

	nat->fragments = f;
	f->mask = round_up_pow2(n) - 1;
	f->chains = xmalloc((f->mask + 1) * sizeof(*f->chains));
	memset(f->chains, 0xff, (f->mask + 1) * sizeof(*f->chains));
	f->datagram_bytes = n * sizeof(*f->datagrams);
	f->buffer_bytes = held * sizeof(*f->buffers);
	f->datagrams = nat_map(f->datagram_bytes);
	f->buffers = nat_map(f->buffer_bytes);
	if (!f->datagrams || !f->buffers)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		f->datagrams[i].next = i + 1 < n ? i + 1 : NAT_NONE;
	for (uint32_t i = 0; i < held; i++)
		f->buffers[i].next = i + 1 < held ? i + 1 : NAT_NONE;
	f->oldest = f->youngest = NAT_NONE;
	f->seed = nat->digest_seed[0];
	return 0;
}

void nat_fragments_destroy(struct nat *nat)
{
	struct nat_fragments *f = nat->fragments;

	if (!f)
		return;
	nat_unmap(f->datagrams, f->datagram_bytes);
	nat_unmap(f->buffers, f->buffer_bytes);
	free(f->chains);
	free(f);
}

void nat_datagram_key(struct nat_datagram_key *key, const struct packet *p,
		      const struct nat_headers *h, bool outbound)
{
	size_t len = h->version == 4 ? 4 : 16;

	memset(key, 0, sizeof(*key));
	memcpy(key->src, nat_src(p, h), len);
	memcpy(key->dst, nat_dst(p, h), len);
	key->id = h->fragment_id;
	key->version = h->version;
	key->proto = h->proto;
	key->outbound = outbound;
}

static uint64_t key_hash(const struct nat_fragments *f,
			 const struct nat_datagram_key *key)
{
	const uint8_t *at = (const uint8_t *)key;
	uint64_t h = f->seed, word;

	for (size_t i = 0; i < sizeof(*key); i += 8) {
		memcpy(&word, at + i, 8);
		h = nat_mix(h ^ word, 0x9e3779b97f4a7c15ull ^ f->seed);
	}
	return h;
}
_Static_assert(sizeof(struct nat_datagram_key) == 40, "in words");

static uint32_t *chain_of(struct nat_fragments *f,
			  const struct nat_datagram_key *key)
{
	return &f->chains[key_hash(f, key) >> 32 & f->mask];
}

static struct datagram *find(struct nat_fragments *f,
			     const struct nat_datagram_key *key)
{
	uint32_t id = *chain_of(f, key);

	while (id != NAT_NONE) {
		struct datagram *d = &f->datagrams[id];

		if (!memcmp(&d->key, key, sizeof(*key)))
			return d;
		id = d->next;
	}
	return NULL;
}

/*
 * A source has an eighth of the table, each way a half, so that neither one
 * client nor the whole outside keeps others from sending fragments.
 */
static struct datagram *enter(struct nat_fragments *f,
			      const struct nat_datagram_key *key,
			      uint32_t until_s, uint32_t max)
{
	uint64_t word, word2;
	uint32_t id = f->free, *chain;
	struct datagram *d;
	uint16_t source;

	memcpy(&word, key->src, 8);
	memcpy(&word2, key->src + 8, 8);
	source = nat_mix(word ^ f->seed, word2 + 0x9e3779b97f4a7c15ull) >> 57;
	source = source << 1 | key->outbound;
	if (id == NAT_NONE || f->of_source[source] >= KEPT_OF_ONE(max))
		return NULL;
	d = &f->datagrams[id];
	f->free = d->next;
	memset(d, 0, sizeof(*d));
	d->key = *key;
	d->source = source;
	d->until_s = until_s;
	d->held = d->last_held = NAT_NONE;
	chain = chain_of(f, key);
	d->next = *chain;
	*chain = id;
	d->younger = NAT_NONE;
	d->older = f->youngest;
	*(f->youngest == NAT_NONE ? &f->oldest
				  : &f->datagrams[f->youngest].younger) = id;
	f->youngest = id;
	f->of_source[source]++;
	f->n_datagrams++;
	return d;
}

static void give_buffer(struct nat_fragments *f, uint32_t buffer)
{
	f->buffers[buffer].next = f->free_buffer;
	f->free_buffer = buffer;
	f->n_held--;
}

static void forget(struct nat_fragments *f, struct datagram *d)
{
	uint32_t id = d - f->datagrams, *at = chain_of(f, &d->key), next;

	for (; d->held != NAT_NONE; d->held = next) {
		next = f->buffers[d->held].next;
		give_buffer(f, d->held);
		f->held_of_source[d->source]--;
		f->expired++;
	}
	while (*at != id)
		at = &f->datagrams[*at].next;
	*at = d->next;
	*(d->older == NAT_NONE ? &f->oldest : &f->datagrams[d->older].younger) =
		d->younger;
	*(d->younger == NAT_NONE ? &f->youngest
				 : &f->datagrams[d->younger].older) = d->older;
	f->of_source[d->source]--;
	f->n_datagrams--;
	d->next = f->free;
	f->free = id;
}

static void drop_fragment(struct nat_thread *t, struct nat_result *result,
			  enum drop_reason reason)
{
	*result = (struct nat_result){ .verdict = NAT_DROP, .reason = reason };
	nat_count(&t->counters.dropped[reason]);
}

/* Bytes that have gone by; all of them: the datagram is done with. */
static void account(struct nat_fragments *f, struct datagram *d,
		    const struct nat_headers *h)
{
	uint32_t len = h->ip_end - h->l4;

	d->got += len;
	if (!h->more)
		d->total = h->fragment_offset + len;
	if (d->known && d->total && d->got >= d->total)
		forget(f, d);
}

static void hold(struct nat *nat, struct nat_thread *t, struct datagram *d,
		 const struct packet *p, const struct nat_headers *h,
		 struct nat_result *result)
{
	struct nat_fragments *f = nat->fragments;
	uint32_t id = f->free_buffer;
	struct held *held;

	if (id == NAT_NONE || p->len > NAT_HELD_LEN ||
	    f->held_of_source[d->source] >=
		    KEPT_OF_ONE(nat->config.max_fragments)) {
		drop_fragment(t, result, DROP_NAT_FRAGMENT);
		return;
	}
	held = &f->buffers[id];
	f->free_buffer = held->next;
	held->next = NAT_NONE;
	held->len = packet_read(p, 0, held->frame, p->len);
	held->offload = p->offload;
	*(d->held == NAT_NONE ? &d->held : &f->buffers[d->last_held].next) = id;
	d->last_held = id;
	f->held_of_source[d->source]++;
	f->n_held++;
	nat_count(&t->counters.fragments_held);
	account(f, d, h);
	result->verdict = NAT_HELD;
}

static void apply(const struct datagram *d, struct packet *p,
		  const struct nat_headers *h, struct nat_result *result)
{
	result->verdict = d->verdict;
	result->reason = d->reason;
	if (d->verdict == NAT_FORWARD || d->verdict == NAT_HAIRPIN)
		nat_set_addresses(p, h, &d->becomes);
}

void nat_fragment_later(struct nat *nat, struct nat_thread *t, struct packet *p,
			const struct nat_headers *h, bool outbound,
			struct nat_result *result)
{
	uint32_t until_s = t->now_s + t->view->options.fragment_s;
	struct nat_fragments *f = nat->fragments;
	struct nat_datagram_key key;
	struct datagram *d;

	nat_datagram_key(&key, p, h, outbound);
	if (!nat_lock(&f->lock)) {
		drop_fragment(t, result, DROP_NAT_BUSY);
		return;
	}
	d = find(f, &key);
	if (!d)
		d = enter(f, &key, until_s, nat->config.max_datagrams);
	if (!d) {
		drop_fragment(t, result, DROP_NAT_FRAGMENT);
	} else if (!d->known) {
		hold(nat, t, d, p, h, result);
	} else {
		apply(d, p, h, result);
		if (d->verdict == NAT_DROP)
			nat_count(&t->counters.dropped[d->reason]);
		account(f, d, h);
	}
	nat_unlock(&f->lock);
}

static void release(struct nat_fragments *f, struct nat_thread *t,
		    struct datagram *d, uint32_t buffer)
{
	struct nat_held_packet *r = &t->released[t->n_released];
	struct held *held = &f->buffers[buffer];
	struct nat_headers h;

	f->held_of_source[d->source]--;
	if (t->n_released == NAT_RELEASED_MAX || d->verdict == NAT_DROP) {
		nat_count(&t->counters.dropped[d->verdict == NAT_DROP
						       ? d->reason
						       : DROP_NAT_FRAGMENT]);
		give_buffer(f, buffer);
		return;
	}
	packet_init(&r->packet, held->frame, held->len);
	r->packet.offload = held->offload;
	nat_headers_parse(&r->packet, &h);
	memset(&r->result, 0, sizeof(r->result));
	apply(d, &r->packet, &h, &r->result);
	r->outbound = d->key.outbound;
	r->buffer = buffer;
	t->n_released++;
}

void nat_fragment_first(struct nat *nat, struct nat_thread *t,
			const struct packet *p, const struct nat_headers *h,
			const struct nat_datagram_key *key,
			const struct nat_result *result)
{
	uint32_t until_s = t->now_s + t->view->options.fragment_s;
	struct nat_fragments *f = nat->fragments;
	uint32_t buffer, next;
	struct datagram *d;

	if (!nat_lock(&f->lock))
		return;
	d = find(f, key);
	if (!d)
		d = enter(f, key, until_s, nat->config.max_datagrams);
	if (d) {
		d->known = true;
		d->verdict = result->verdict == NAT_REJECT ? NAT_DROP
							   : result->verdict;
		d->reason = result->reason;
		nat_get_addresses(p, h, &d->becomes);
		buffer = d->held;
		d->held = NAT_NONE;
		for (; buffer != NAT_NONE; buffer = next) {
			next = f->buffers[buffer].next;
			release(f, t, d, buffer);
		}
		account(f, d, h);
	}
	nat_unlock(&f->lock);
}

unsigned nat_take_released(struct nat *nat, unsigned thread,
			   struct nat_released *released, unsigned max)
{
	struct nat_thread *t = &nat->threads[thread];
	unsigned n = 0;

	for (; n < max && t->n_taken < t->n_released; n++) {
		struct nat_held_packet *r = &t->released[t->n_taken++];

		released[n] = (struct nat_released){ &r->packet, r->result,
						     r->outbound };
	}
	return n;
}

void nat_fragments_give_back(struct nat *nat, struct nat_thread *t)
{
	struct nat_fragments *f = nat->fragments;

	nat_lock_wait(&f->lock);
	for (unsigned i = 0; i < t->n_released; i++)
		give_buffer(f, t->released[i].buffer);
	nat_unlock(&f->lock);
	t->n_released = t->n_taken = 0;
}

void nat_fragments_age(struct nat *nat, uint32_t now_s)
{
	struct nat_fragments *f = nat->fragments;

	nat_lock_wait(&f->lock);
	while (f->oldest != NAT_NONE) {
		struct datagram *d = &f->datagrams[f->oldest];

		if ((int32_t)(now_s - d->until_s) <= 0)
			break;
		forget(f, d);
	}
	nat_unlock(&f->lock);
}

void nat_fragments_stats(const struct nat *nat, struct nat_stats *stats)
{
	struct nat_fragments *f = nat->fragments;

	nat_lock_wait(&f->lock);
	stats->datagrams = f->n_datagrams;
	stats->fragments = f->n_held;
	stats->fragments_expired = f->expired;
	stats->dropped[DROP_NAT_FRAGMENT] += f->expired;
	nat_unlock(&f->lock);
}

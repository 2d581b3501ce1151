/*
 * What other threads do with a shaper: packets are copied into its buffers and
 * go by a ring to its home, which alone sorts them into queues.
 */
#include "shape/shaper.h"

#include <stdlib.h>
#include <sys/random.h>

#include "packet/parse.h"
#include "shape/shaper_internal.h"
#include "shape/wire_bytes.h"

/* Memory that is so many times too large is kept. */
#define ENOUGH 8

#define ECN_MASK 3 /* of the TOS byte (RFC 3168) */

struct shaper *shaper_create(const struct shaper_config *config)
{
	struct shaper *s = xcalloc_aligned(1, sizeof(*s));

	s->n_buffers = shaper_buffers_for(config);
	s->buffers = buffers_create(s->n_buffers);
	s->arrivals = mpsc_ring_create(s->n_buffers, sizeof(uint32_t));
	s->tree = s->wanted = shaper_tree_create(config, s->n_buffers);
	s->cut_bytes = shaper_cut_bytes(config);
	/* Without, flows could be found that collide; nothing worse. */
	if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) < 0)
		s->seed = (uintptr_t)s;
	return s;
}

static unsigned count_left(struct shaper *s)
{
	unsigned n = 0;
	uint32_t first;

	while (mpsc_ring_pop(s->arrivals, &first))
		n++;
	for (unsigned i = 0; i < s->tree->config.n_queues; i++)
		n += s->tree->queues[i].counters.backlog_packets;
	return n;
}

unsigned shaper_destroy(struct shaper *s)
{
	unsigned n;

	if (!s)
		return 0;
	if (s->home)
		shaper_home_release(s->home, s);
	n = count_left(s);
	if (s->former != s->tree)
		shaper_tree_free(s->former);
	if (s->wanted != s->tree)
		shaper_tree_free(s->wanted);
	shaper_tree_free(s->tree);
	mpsc_ring_destroy(s->arrivals);
	buffers_destroy(s->buffers);
	free(s);
	return n;
}

bool shaper_configure(struct shaper *s, const struct shaper_config *config)
{
	uint32_t n = shaper_buffers_for(config);

	if (n > s->n_buffers && n / s->n_buffers >= ENOUGH)
		return false;
	if (s->tree == s->wanted) {
		shaper_tree_free(s->former);
		s->former = s->wanted;
	} else {
		shaper_tree_free(s->wanted); /* no home has seen it */
	}
	s->wanted = shaper_tree_create(config, s->n_buffers);
	atomic_store_explicit(&s->cut_bytes, shaper_cut_bytes(config),
			      memory_order_relaxed);
	return true;
}

/* --- putting ---------------------------------------------------------------
 */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static uint64_t load64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Fragments of a datagram are of one flow, ports or not. */
static uint32_t hash_of(const struct flow_key *key, uint64_t seed)
{
	uint64_t h = mix(seed, key->ethertype);

	if (!key->ip_version)
		return mix(mix(h, key->dst_mac), key->src_mac);
	for (unsigned i = 0; i < 16; i += 8)
		h = mix(mix(h, load64(key->src_ip + i)),
			load64(key->dst_ip + i));
	if (key->l4 && key->fragment == FLOW_FRAG_NONE)
		h = mix(h, (uint64_t)key->ip_proto << 32 |
				   (uint64_t)key->src_port << 16 |
				   key->dst_port);
	return h;
}

/* What queues are chosen by; the rest is set with each copy. */
static struct waiting look_at(const struct shaper *s, const struct packet *p)
{
	struct waiting w = { .dscp = 64 };
	struct flow_key key;

	if (!flow_parse_packet(p, &key))
		return w;
	w.hash = hash_of(&key, s->seed);
	if (key.n_tags)
		w.pcp = VLAN_PCP(key.tci[0]);
	if (key.ip_version) {
		w.dscp = key.ip_tos >> 2;
		w.ecn = key.ip_tos & ECN_MASK;
	}
	return w;
}

/* Returns how many found no room. */
static unsigned keep(struct shaper *s, const struct packet *p,
		     const struct waiting *like)
{
	uint32_t first = buffers_put(s->buffers, p);
	struct waiting *w;

	if (unlikely(first == BUFFER_NONE))
		return 1;
	w = buffers_waiting(s->buffers, first);
	w->since_ns = like->since_ns;
	w->hash = like->hash;
	w->via = like->via;
	w->depth = like->depth;
	w->pcp = like->pcp;
	w->dscp = like->dscp;
	w->ecn = like->ecn;
	w->wire_bytes = wire_bytes(p);
	if (likely(mpsc_ring_push(s->arrivals, &first)))
		return 0;
	buffers_free(s->buffers, first);
	return 1;
}

static __attribute__((noinline)) unsigned keep_segments(
	struct shaper *s, const struct packet *p, const struct waiting *like)
{
	struct gso_scratch scratch;
	struct packet *segment;
	unsigned n_refused = 0;
	struct gso gso;
	int r = gso_start(&gso, p, false);

	if (r)
		return keep(s, p, like); /* who sends it says what is wrong */
	gso_scratch_clear(&scratch);
	while ((r = gso_next(&gso, &scratch, &segment))) {
		if (r > 0) {
			n_refused += keep(s, segment, like);
			/* Their bytes are copied: one at a time will do. */
			gso_scratch_clear(&scratch);
		} else {
			return n_refused + 1;
		}
	}
	return n_refused;
}

unsigned shaper_put(struct shaper *s, const struct packet *p, uint32_t via,
		    uint8_t depth, uint64_t now_ns)
{
	uint32_t cut =
		atomic_load_explicit(&s->cut_bytes, memory_order_relaxed);
	struct waiting like = look_at(s, p);
	unsigned n_refused;

	like.via = via;
	like.depth = depth;
	like.since_ns = now_ns;
	if (unlikely(p->offload.gso) && cut && p->len > cut)
		n_refused = keep_segments(s, p, &like);
	else
		n_refused = keep(s, p, &like);
	if (unlikely(n_refused))
		atomic_fetch_add_explicit(&s->refused, n_refused,
					  memory_order_relaxed);
	return n_refused;
}

/* --- statistics ------------------------------------------------------------
 */

static uint64_t get(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

unsigned shaper_get_stats(const struct shaper *s, struct shaper_stats *stats,
			  unsigned max)
{
	const struct shaper_tree *t = s->wanted;

	for (unsigned i = 0; i < MIN(t->config.n_queues, max); i++) {
		const struct queue_counters *c = &t->queues[i].counters;

		stats[i] = (struct shaper_stats){
			.id = t->config.queues[i].id,
			.packets = get(&c->packets),
			.bytes = get(&c->bytes),
			.codel = get(&c->codel),
			.marked = get(&c->marked),
			.full = get(&c->full),
			.backlog_packets = c->backlog_packets,
			.backlog_bytes = c->backlog_bytes,
			.delay_ns = get(&c->delay_ns),
			.delay_max_ns = get(&c->delay_max_ns),
		};
	}
	return t->config.n_queues;
}

uint64_t shaper_refused(const struct shaper *s)
{
	return get(&s->refused);
}

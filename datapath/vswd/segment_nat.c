/*
 * The NAT of a segment whose outside is a bridge: its engine (nat/nat.h) made
 * as the configuration says, its addresses, options and forwards kept so, and
 * its time.
 *
 * What an engine has room for is fixed when it is made. A configuration that
 * asks for another size gets another engine, which takes the sessions over;
 * workers go on with the former until the next snapshot is in force.
 */
#include "vswd/segment_nat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "packet/parse.h"
#include "vswd/event_sources.h"
#include "vswd/vbond.h"
#include "worker/worker.h"

LOG_MODULE(nat);

#define EACH_MS	   1000
#define AGE_LEAST  65536 /* sessions looked at each second, or ... */
#define AGE_ROUND  8	 /* ... as many as make it a round in 8 s */
#define ANSWERS	   64	 /* to SYNs that nobody wanted, in a second */
#define SMALL_SIZE 1024	 /* sessions, when there is no memory for more */

_Static_assert(PORT_THREADS_MAX <= NAT_THREADS_MAX,
	       "a NAT takes all threads that forward");

static void set_nat_error(struct segment_nat *nat, char *error)
{
	if (error && (!nat->error || strcmp(error, nat->error) != 0))
		log_warn("segment %s: %s", nat->seg->config->name, error);
	free(nat->error);
	nat->error = error;
	segment_mark_dirty(nat->seg);
}

static bool same_tables(const struct nat_config *a, const struct nat_config *b)
{
	return a->n_threads == b->n_threads &&
	       a->max_sessions == b->max_sessions &&
	       a->max_clients == b->max_clients &&
	       a->max_forwards == b->max_forwards &&
	       a->max_datagrams == b->max_datagrams &&
	       a->max_fragments == b->max_fragments &&
	       a->max_quarantine == b->max_quarantine &&
	       a->filtering == b->filtering && a->seed == b->seed;
}

/* --- what the engine is told ----------------------------------------------
 */

static void apply_options(struct segment_nat *nat)
{
	char *why = NULL;

	if (nat_set_options(nat->engine, &nat->seg->config->nat_options, &why))
		set_nat_error(nat, why);
}

static int set_inside(struct segment_nat *nat, char **whyp)
{
	const struct cfg_segment *c = nat->seg->config;
	struct nat_addr networks[2] = { 0 };
	uint8_t lens[2];
	unsigned n = 0;

	if (c->ip4) {
		networks[n].version = 4;
		store_be32(networks[n].ip, c->ip4 & ip4_mask(c->prefix4_len));
		lens[n++] = c->prefix4_len;
	}
	if (c->ip6.prefix_len && c->nat6) {
		networks[n].version = 6;
		for (unsigned bit = 0; bit < c->ip6.prefix_len; bit++)
			networks[n].ip[bit / 8] |=
				c->ip6.ip[bit / 8] & (0x80 >> bit % 8);
		lens[n++] = c->ip6.prefix_len;
	}
	return nat_set_inside(nat->engine, networks, lens, n, whyp);
}

static void apply_outside(struct segment_nat *nat)
{
	char *why = NULL;

	if (nat_set_outside(nat->engine, nat->outside, nat->n_outside, &why))
		set_nat_error(nat, why);
}

/* Either may overlap what the other was before. */
static void apply_networks(struct segment_nat *nat)
{
	char *why = NULL;

	if (set_inside(nat, &why) == -EADDRINUSE) {
		free(why);
		why = NULL;
		nat_set_outside(nat->engine, NULL, 0, NULL);
		set_inside(nat, &why);
	}
	if (why)
		set_nat_error(nat, why);
	apply_outside(nat);
}

/* --- the engine -----------------------------------------------------------
 */

/* Rather a small one than none: then nothing would be translated. */
static struct nat *create_engine(struct segment_nat *nat,
				 const struct nat_config *wanted)
{
	struct nat_config small = *wanted;
	struct nat *engine = NULL;
	char *why = NULL;

	if (!nat_create(wanted, &engine, &why))
		return engine;
	set_nat_error(nat, why);
	if (nat->engine)
		return NULL;
	small.max_sessions = MIN(small.max_sessions, (uint32_t)SMALL_SIZE);
	small.max_clients = MIN(small.max_clients, (uint32_t)SMALL_SIZE);
	small.max_forwards = MIN(small.max_forwards, (uint32_t)SMALL_SIZE);
	if (nat_create(&small, &engine, NULL))
		return NULL;
	return engine;
}

/* The former is the snapshot's that is in force; one in between is nobody's. */
static void retire(struct segment_nat *nat, struct nat *engine)
{
	if (!engine)
		return;
	if (nat->former)
		nat_destroy(engine);
	else
		nat->former = engine;
}

static void make_engine(struct segment_nat *nat, uint64_t now_ms)
{
	struct nat_config wanted = nat->seg->config->nat;
	struct nat *before = nat->engine, *engine;

	wanted.n_threads = PORT_THREADS_MAX;
	if (before && same_tables(&wanted, &nat->made_with))
		return;
	engine = create_engine(nat, &wanted);
	if (!engine)
		return;
	nat->engine = engine;
	nat->made_with = wanted;
	segment_nat_reset_forwards(nat);
	apply_options(nat);
	apply_networks(nat);
	segment_nat_apply_forwards(nat);
	if (before)
		segment_nat_carry_over(nat, before, engine, now_ms);
	retire(nat, before);
	segment_changed(nat->seg);
}

struct segment_nat *segment_nat_create(struct segment *seg)
{
	struct segment_nat *nat = xcalloc(1, sizeof(*nat));

	nat->seg = seg;
	segment_nat_read_saved(nat);
	segment_nat_configure(nat);
	return nat;
}

void segment_nat_configure(struct segment_nat *nat)
{
	set_nat_error(nat, NULL);
	make_engine(nat, vswitch_now_ms());
	if (!nat->engine)
		return;
	apply_options(nat);
	apply_networks(nat);
	segment_nat_apply_forwards(nat);
}

void segment_nat_destroy(struct segment_nat *nat, bool save)
{
	if (!nat)
		return;
	if (save)
		segment_nat_save(nat, vswitch_now_ms());
	nat_destroy(nat->former);
	nat_destroy(nat->engine);
	segment_nat_free_forwards(nat);
	free(nat->saved);
	free(nat->error);
	free(nat);
}

void segment_nat_published(struct segment_nat *nat)
{
	nat_destroy(nat->former);
	nat->former = NULL;
}

void segment_nat_set_outside(struct segment_nat *nat,
			     const struct nat_addr *addrs, unsigned n)
{
	n = MIN(n, (unsigned)NAT_ADDRESSES_MAX);
	if (n == nat->n_outside &&
	    !memcmp(addrs, nat->outside, n * sizeof(*addrs)))
		return;
	memcpy(nat->outside, addrs, n * sizeof(*addrs));
	nat->n_outside = n;
	if (!nat->engine)
		return;
	apply_outside(nat);
	segment_nat_retry_forwards(nat);
	segment_nat_take_up(nat, vswitch_now_ms());
}

struct nat *segment_nat_engine(struct segment_nat *nat)
{
	return nat->engine;
}

const char *segment_nat_error(const struct segment_nat *nat)
{
	return nat->error;
}

/* --- time -----------------------------------------------------------------
 */

/* RFC 5382 REQ-4: nobody inside has opened the connection from its side. */
static void answer_syn(struct segment_nat *nat,
		       const struct nat_unreachable *due)
{
	uint8_t frame[ETH_HEADER_LEN + NAT_UNREACHABLE_MAX] = { 0 };
	bool v4 = due->version == 4;
	struct segment_packet packet = {
		.note = { .what = ROUTER_ERROR,
			  .in = ROUTER_OUTSIDE,
			  .side = ROUTER_OUTSIDE,
			  .icmp_type = v4 ? 3 : 1,
			  .icmp_code = v4 ? 3 : 4 },
		.frame = frame,
		.len = ETH_HEADER_LEN + due->len,
	};
	struct ip_address from = v4 ? ip_address_of(due->packet + 16, 4)
				    : ip_address_of(due->packet + 24, 16);
	uint8_t room[SEGMENT_ERROR_MAX];
	size_t len;

	store_be16(frame + 12, v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	memcpy(frame + ETH_HEADER_LEN, due->packet, due->len);
	len = segment_error_build(&packet, &from, room);
	if (len)
		segment_send_ip(nat->seg, room, len);
}

/* Mappings and clients may be those of forwards, which do not age. */
static bool has_work(const struct nat_stats *s)
{
	return s->sessions || s->datagrams || s->fragments || s->quarantined;
}

static void age(struct segment_nat *nat, uint64_t now_ms)
{
	struct nat_stats stats;
	bool work;

	nat_get_stats(nat->engine, &stats);
	event_look_at_nat(nat, &stats);
	work = has_work(&stats);
	/* once more after the last: what it left is given back */
	if (work || nat->had_work)
		nat_age(nat->engine, now_ms,
			MAX(stats.max_sessions / AGE_ROUND,
			    (uint32_t)AGE_LEAST));
	nat->had_work = work;
}

void segment_nat_run(struct segment_nat *nat, uint64_t now_ms)
{
	struct nat_unreachable due[ANSWERS];
	unsigned n;

	if (now_ms < nat->next_ms)
		return;
	nat->next_ms = now_ms + EACH_MS;
	if (nat->saved)
		segment_nat_age_saved(nat, now_ms);
	if (!nat->engine)
		return;
	age(nat, now_ms);
	n = nat_unreachable_due(nat->engine, now_ms, due, ANSWERS);
	for (unsigned i = 0; i < n; i++)
		answer_syn(nat, &due[i]);
	if (nat->some_refused)
		segment_nat_retry_forwards(nat);
}

uint64_t segment_nat_next_ms(const struct segment_nat *nat)
{
	return nat->next_ms;
}

/* A NAT as a whole: its configuration and its tables' sizes. */
#include "nat/plain.h"
#include "nat/nat.h"

#include <errno.h>

#include "nat/way.h"

void nat_config_init(struct nat_config *config)
{
	*config = (struct nat_config){
		.n_threads = 1,
		.max_sessions = 65536,
		.max_clients = 4096,
		.max_forwards = 8192,
		.max_datagrams = 4096,
		.max_fragments = 512,
		.max_quarantine = 16384,
		.filtering = NAT_FILTER_NONE,
	};
}

void nat_options_init(struct nat_options *options)
{
	*options = (struct nat_options){
		.udp_s = 300,
		.tcp_s = 7440,
		.tcp_opening_s = 240,
		.tcp_closing_s = 240,
		.icmp_s = 60,
		.fragment_s = 30,
		.quarantine_s = 120,
		.answer_unsolicited = true,
		.refusal_code = 13,
	};
}

static int check_config(const struct nat_config *c, char **errp)
{
	if (c->n_threads < 1 || c->n_threads > NAT_THREADS_MAX)
		return set_error(errp, -EINVAL,
				 "a NAT has 1 to %d threads, not %u",
				 NAT_THREADS_MAX, c->n_threads);
	if (c->max_sessions < 1 || c->max_sessions > NAT_SESSIONS_MAX)
		return set_error(errp, -EINVAL,
				 "a NAT has 1 to %u sessions, not %u",
				 NAT_SESSIONS_MAX, c->max_sessions);
	if (c->max_clients < 1 || c->max_clients > NAT_SESSIONS_MAX)
		return set_error(errp, -EINVAL,
				 "a NAT has 1 to %u clients, not %u",
				 NAT_SESSIONS_MAX, c->max_clients);
	if (c->max_datagrams < 1 || c->max_datagrams > 1u << 20 ||
	    c->max_fragments < 1 || c->max_fragments > 1u << 20 ||
	    c->max_forwards > NAT_SESSIONS_MAX ||
	    c->max_quarantine > NAT_SESSIONS_MAX)
		return set_error(errp, -EINVAL,
				 "a NAT's number of fragments, forwards or "
				 "ports at rest is out of range");
	return 0;
}

static void make_seeds(struct nat *nat, struct nat_random *random)
{
	for (int i = 0; i < 2; i++) {
		nat->digest_seed[i] = nat_random64(random) | 1;
		nat->in.seed[i] = nat_random64(random) | 1;
		nat->out.seed[i] = nat_random64(random) | 1;
	}
	nat->ip_id = nat_random32(random);
}

static int create_threads(struct nat *nat)
{
	unsigned n = nat->config.n_threads + 1;

	nat->threads = xcalloc_aligned(n, sizeof(*nat->threads));
	for (unsigned i = 0; i < n; i++) {
		struct nat_thread *t = &nat->threads[i];
		uint64_t seed = nat->config.seed;

		t->released =
			xcalloc_aligned(NAT_RELEASED_MAX, sizeof(*t->released));
		nat_icmp_create(t);
		if (nat_random_init(&t->random, seed ? seed + i : 0))
			return -EIO;
	}
	make_seeds(nat, &nat->threads[0].random);
	return 0;
}

static int create_hash(struct nat_hash *hash, uint32_t entries)
{
	/* half full at most, rarely two buckets for an entry */
	hash->n = MAX(entries / 4, 16u);
	/* the last probe, of the longest step, is short of a whole round */
	hash->step_mask = 0xff;
	while ((NAT_PROBES - 1) * (hash->step_mask + 1) >= hash->n)
		hash->step_mask >>= 1;
	hash->buckets = nat_map(hash->n * sizeof(*hash->buckets));
	return hash->buckets ? 0 : -ENOMEM;
}

static int create_tables(struct nat *nat)
{
	const struct nat_config *c = &nat->config;
	uint32_t n_mappings = c->max_sessions + c->max_forwards;
	int r = create_hash(&nat->in, c->max_sessions);

	if (!r)
		r = create_hash(
			&nat->out,
			c->max_sessions *
				(c->filtering == NAT_FILTER_ADDRESS ? 2 : 1));
	if (!r)
		r = nat_pool_init(&nat->sessions, c->max_sessions, c->n_threads,
				  sizeof(struct nat_session),
				  offsetof(struct nat_session, link));
	if (!r)
		r = nat_pool_init(&nat->mappings, n_mappings, c->n_threads,
				  sizeof(struct nat_mapping),
				  offsetof(struct nat_mapping, link));
	if (!r)
		r = nat_pool_init(&nat->clients, c->max_clients, c->n_threads,
				  sizeof(struct nat_client),
				  offsetof(struct nat_client, link));
	if (r)
		return r;
	nat->mapping_mask = round_up_pow2(n_mappings) - 1;
	nat->mapping_chains = nat_map((nat->mapping_mask + 1ull) *
				      sizeof(*nat->mapping_chains));
	nat->client_mask = round_up_pow2(c->max_clients) - 1;
	nat->client_chains =
		xcalloc(nat->client_mask + 1, sizeof(*nat->client_chains));
	nat->outside = xcalloc(NAT_ADDRESSES_MAX, sizeof(*nat->outside));
	nat->syns = xcalloc(NAT_SYN_SLOTS, sizeof(*nat->syns));
	nat->quarantine =
		xcalloc(c->max_quarantine + 1, sizeof(*nat->quarantine));
	if (!nat->mapping_chains)
		return -ENOMEM;
	return nat_fragments_create(nat);
}

int nat_create(const struct nat_config *config, struct nat **natp, char **errp)
{
	struct nat_options options;
	struct nat *nat;
	int r = check_config(config, errp);

	if (r)
		return r;
	nat = xcalloc_aligned(1, sizeof(*nat));
	nat->avx2 = nat_plain_has_avx2();
	nat->config = *config;
	atomic_store(&nat->epoch, 1);
	r = create_threads(nat);
	if (!r)
		r = create_tables(nat);
	if (r) {
		nat_destroy(nat);
		return set_error(errp, r,
				 r == -EIO ? "no random numbers for the NAT"
					   : "no memory for %u NAT sessions",
				 config->max_sessions);
	}
	nat_options_init(&options);
	nat_publish(nat, nat_view_create(nat, &options));
	*natp = nat;
	return 0;
}

void nat_destroy(struct nat *nat)
{
	if (!nat)
		return;
	nat_publish(nat, NULL);
	nat_fragments_destroy(nat);
	for (unsigned i = 0; i <= nat->config.n_threads; i++) {
		free(nat->threads[i].released);
		nat_icmp_destroy(&nat->threads[i]);
	}
	free(nat->threads);
	nat_unmap(nat->in.buckets, nat->in.n * sizeof(*nat->in.buckets));
	nat_unmap(nat->out.buckets, nat->out.n * sizeof(*nat->out.buckets));
	nat_pool_fini(&nat->sessions);
	nat_pool_fini(&nat->mappings);
	nat_pool_fini(&nat->clients);
	nat_unmap(nat->mapping_chains,
		  (nat->mapping_mask + 1ull) * sizeof(*nat->mapping_chains));
	free(nat->client_chains);
	if (nat->outside)
		nat_outside_destroy(nat);
	free(nat->outside);
	free(nat->syns);
	free(nat->quarantine);
	free(nat->forwards);
	free(nat);
}

static int check_options(const struct nat_options *o, char **errp)
{
	const uint32_t max = 7 * 24 * 3600;

	if (o->udp_s < 120 || o->tcp_s < 7440 || o->tcp_opening_s < 240 ||
	    o->tcp_closing_s < 240 || o->icmp_s < 60)
		return set_error(errp, -EINVAL,
				 "a session may be idle for 120 s (UDP), 7440 "
				 "s (TCP), 240 s (TCP, opening or closing), 60 "
				 "s (ICMP) at least");
	if (o->udp_s > max || o->tcp_s > max || o->tcp_opening_s > max ||
	    o->tcp_closing_s > max || o->icmp_s > max ||
	    o->quarantine_s > max || o->fragment_s > 120 || !o->fragment_s)
		return set_error(errp, -EINVAL,
				 "a NAT's times are a week at most, that of "
				 "fragments 1 to 120 s");
	if (o->refusal_code != 13 && o->refusal_code != 1)
		return set_error(errp, -EINVAL,
				 "new sessions are refused with ICMP code 13 "
				 "or 1, not %u",
				 o->refusal_code);
	for (unsigned i = 0; i < o->n_exclusions; i++) {
		const struct nat_exclusion *e = &o->exclusions[i];
		unsigned v = e->network.version;

		if ((v != 4 && v != 6) || e->prefix_len > (v == 4 ? 32 : 128) ||
		    e->port_lo > e->port_hi || e->protocol >= NAT_N_PROTOCOLS)
			return set_error(errp, -EINVAL,
					 "exclusion %u is not one", i + 1);
	}
	return 0;
}

int nat_set_options(struct nat *nat, const struct nat_options *options,
		    char **errp)
{
	int r = check_options(options, errp);

	if (!r)
		nat_publish(nat, nat_view_create(nat, options));
	return r;
}

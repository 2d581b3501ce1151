/*
 * A NAT under strangers' packets from both sides, time, and changes of its
 * configuration. Whatever comes: no outside port is two hosts' at once,
 * counters agree with what is there, a packet that was right is right after
 * its translation, and what was set aside is never exceeded.
 *
 * Input: { filtering, seed } and records of { what, argument, length (2 bytes),
 * bytes }; what: 0 to 99 a packet out, to 199 in (the argument says how it lies
 * in memory), others see control(). Bytes of a packet begin at its Ethernet
 * type, or, with bit 0 of the argument, are the fields of a well-formed one.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_input.h"
#include "nat/nat.h"
#include "packet/csum.h"

#define SESSIONS 64
#define FRAME	 600

struct lab {
	struct nat *nat;
	uint64_t now_ms;
	uint64_t created;
};

static const uint8_t hosts[8][4] = {
	{ 10, 0, 0, 1 },     { 10, 0, 0, 2 },	  { 10, 0, 0, 3 },
	{ 198, 51, 100, 1 }, { 198, 51, 100, 2 }, { 203, 0, 113, 1 },
	{ 203, 0, 113, 2 },  { 224, 0, 0, 1 },
};

static struct nat_addr host(unsigned i)
{
	struct nat_addr a = { .version = 4 };

	memcpy(a.ip, hosts[i % 8], 4);
	return a;
}

/* A packet of TCP, UDP or ICMP with right checksums from a few bytes. */
static uint32_t make_frame(const uint8_t *from, size_t n, uint8_t *f)
{
	static const uint8_t protos[] = { 6, 17, 1, 17 };
	uint8_t b[10] = { 0 };
	uint32_t len;
	uint8_t proto;
	unsigned at;

	memcpy(b, from, MIN(n, sizeof(b)));
	proto = protos[b[0] & 3];
	len = 34 + 20 + b[0] / 4;
	memset(f, b[9], len);
	memset(f, 2, 12);
	store_be16(f + 12, 0x0800);
	memset(f + 14, 0, 20);
	f[14] = 0x45;
	store_be16(f + 16, len - 14);
	store_be16(f + 18, b[8]);
	f[20] = b[7] & 0x40; /* fragments come by the other way */
	f[22] = 64;
	f[23] = proto;
	memcpy(f + 26, hosts[b[1] & 7], 4);
	memcpy(f + 30, hosts[b[1] >> 4 & 7], 4);
	csum_ipv4_header(f + 14, 20);
	store_be16(f + 34, b[2] << 8 | b[3]);
	store_be16(f + 36, b[4] << 8 | b[5]);
	at = proto == 6 ? 50 : proto == 17 ? 40 : 36;
	if (proto == 6) {
		f[46] = 0x50;
		f[47] = b[6];
	} else if (proto == 1) {
		f[34] = b[6] & 1 ? 8 : 0;
		f[35] = 0;
		store_be16(f + 38, b[4] << 8 | b[5]);
	}
	memset(f + at, 0, 2);
	csum_store(
		f + at,
		csum_add(proto == 1 ? 0 : csum_pseudo4(f + 14, proto, len - 34),
			 f + 34, len - 34));
	return len;
}

static bool is_right(const struct packet *p)
{
	static uint8_t f[FRAME + 64];
	uint32_t n = packet_read(p, 0, f, sizeof(f));
	uint64_t sum = f[23] == 1 ? 0 : csum_pseudo4(f + 14, f[23], n - 34);

	return csum_fold(csum_add(0, f + 14, 20)) == 0xffff &&
	       csum_fold(csum_add(sum, f + 34, n - 34)) == 0xffff;
}

static void packet(struct lab *lab, bool outbound, uint8_t how,
		   const uint8_t *data, size_t n)
{
	struct nat_released released[NAT_RELEASED_MAX];
	uint8_t frame[FRAME];
	struct fuzz_packet f;
	struct nat_result r;
	struct packet *p = &f.p;
	unsigned n_released;
	uint32_t len;
	bool right = how & 1;

	if (right) {
		len = make_frame(data, n, frame);
	} else {
		len = MIN(n + 12, sizeof(frame));
		memset(frame, 2, 12);
		memcpy(frame + 12, data, len - 12);
	}
	fuzz_packet_init(&f, frame, len, how & 2 ? 16 : 0, false);
	if (!right && how & 4) {
		f.p.offload.csum_needed = true;
		f.p.offload.csum_start = 34;
		f.p.offload.csum_offset = how & 8 ? 16 : 6;
	}
	nat_enter(lab->nat, 0, lab->now_ms);
	(outbound ? nat_outbound : nat_inbound)(lab->nat, 0, &p, 1, &r);
	MUST(r.verdict <= NAT_REJECT);
	MUST((r.verdict < NAT_DROP) || r.reason < N_DROP_REASONS);
	if (r.verdict == NAT_FORWARD || r.verdict == NAT_HAIRPIN)
		MUST(!right || is_right(p));
	MUST(packet_read(p, 0, frame, sizeof(frame)) == p->len);
	n_released = nat_take_released(lab->nat, 0, released, NAT_RELEASED_MAX);
	for (unsigned i = 0; i < n_released; i++)
		MUST(packet_read(released[i].packet, 0, frame, sizeof(frame)) ==
		     released[i].packet->len);
	nat_leave(lab->nat, 0);
	fuzz_packet_fini(&f);
}

static void control(struct lab *lab, uint8_t what, uint8_t arg)
{
	struct nat_forward forward = { .version = 4,
				       .protocol = arg & 1,
				       .any_outside = arg & 2,
				       .outside = host(3 + (arg >> 2 & 1)),
				       .outside_lo = 1 + (arg >> 3 & 7),
				       .outside_hi =
					       1 + (arg >> 3 & 7) + (arg >> 6),
				       .to_inside = arg % 5,
				       .inside = host(arg % 3),
				       .inside_port = 80 + arg % 4 };
	struct nat_addr pool[2] = { host(3), host(4) };
	struct nat_unreachable due[4];
	struct nat_options options;
	struct nat_filter filter;

	nat_filter_all(&filter);
	nat_options_init(&options);
	switch (what % 8) {
	case 0:
		lab->now_ms += arg * 1000;
		nat_age(lab->nat, lab->now_ms, arg & 1 ? UINT32_MAX : 5);
		break;
	case 1:
		lab->now_ms += arg * 100000;
		nat_age(lab->nat, lab->now_ms, UINT32_MAX);
		break;
	case 2:
		nat_add_forward(lab->nat, &forward, NULL);
		break;
	case 3:
		nat_remove_forward(lab->nat, &forward, NULL);
		break;
	case 4:
		nat_set_outside(lab->nat, pool + (arg >> 2 & 1),
				arg & 4 ? arg & 1 : arg % 3, NULL);
		break;
	case 5:
		filter.inside = host(arg % 3);
		nat_flush(lab->nat, &filter);
		break;
	case 6:
		options.client_ports = arg & 15;
		options.client_sessions = arg >> 4;
		options.client_rate = arg & 7;
		options.pool_strict = arg & 1;
		options.refresh_inbound = arg & 2;
		MUST(!nat_set_options(lab->nat, &options, NULL));
		break;
	case 7:
		nat_unreachable_due(lab->nat, lab->now_ms, due, 4);
	}
}

struct seen {
	struct nat_entry entries[SESSIONS];
	unsigned n;
};

static bool collect(const struct nat_entry *e, void *seen_)
{
	struct seen *seen = seen_;

	MUST(seen->n < SESSIONS);
	seen->entries[seen->n++] = *e;
	return true;
}

static bool same(const struct nat_addr *a, const struct nat_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* One outside port is one inside address and port. A stranger's session may
 * outlive the mapping until it is looked at, but takes no packets. */
static void check(struct lab *lab)
{
	static struct seen seen;
	struct nat_filter all;
	struct nat_stats stats;

	seen.n = 0;
	nat_filter_all(&all);
	nat_list(lab->nat, lab->now_ms, &all, collect, &seen);
	nat_get_stats(lab->nat, &stats);
	MUST(stats.sessions == seen.n && stats.sessions <= SESSIONS);
	MUST(stats.fragments <= 8 && stats.datagrams <= 16);
	for (unsigned i = 0; i < seen.n; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct nat_entry *a = &seen.entries[i];
			const struct nat_entry *b = &seen.entries[j];

			if (a->protocol != b->protocol ||
			    a->outside_port != b->outside_port ||
			    !same(&a->outside, &b->outside))
				continue;
			MUST(a->inside_port == b->inside_port &&
			     same(&a->inside, &b->inside));
			MUST(a->remote_port != b->remote_port ||
			     !same(&a->remote, &b->remote));
		}
}

static void finish(struct lab *lab)
{
	struct nat_filter all;
	struct nat_stats stats;

	nat_filter_all(&all);
	nat_flush(lab->nat, &all);
	MUST(!nat_set_outside(lab->nat, NULL, 0, NULL));
	for (int i = 0; i < 6; i++) {
		lab->now_ms += 1000000;
		nat_age(lab->nat, lab->now_ms, UINT32_MAX);
	}
	nat_get_stats(lab->nat, &stats);
	MUST(!stats.sessions && !stats.mappings && !stats.clients &&
	     !stats.fragments && !stats.quarantined);
	nat_destroy(lab->nat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab lab = { .now_ms = 1000 };
	struct nat_addr pool[2] = { host(3), host(4) };
	struct nat_config config;
	uint8_t head[4];

	fuzz_take(&data, &size, head, 2);
	nat_config_init(&config);
	config.max_sessions = SESSIONS;
	config.max_clients = 8;
	config.max_datagrams = 16;
	config.max_fragments = 8;
	config.max_quarantine = 4;
	config.max_forwards = 32;
	config.filtering = head[0] & 1;
	config.seed = 1 + head[1];
	MUST(!nat_create(&config, &lab.nat, NULL));
	MUST(!nat_set_outside(lab.nat, pool, 2, NULL));
	while (size) {
		size_t n;

		fuzz_take(&data, &size, head, 4);
		n = MIN((size_t)load_be16(head + 2) % FRAME, size);
		if (head[0] < 200) {
			packet(&lab, head[0] < 100, head[1], data, n);
			data += n;
			size -= n;
		} else {
			control(&lab, head[0] - 200, head[1]);
		}
		check(&lab);
	}
	finish(&lab);
	return 0;
}

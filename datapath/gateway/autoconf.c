/* IPv6 addresses by router advertisements; see autoconf.h. */
#include "gateway/autoconf.h"

#include <stdlib.h>

#include "packet/csum.h"
#include "packet/neighbor.h"
#include "packet/reader.h"

#define NEVER		UINT64_MAX
#define ETHERTYPE_IP6	0x86dd
#define PROTOCOL_ICMP6	58
#define ICMP6_RS	133
#define ICMP6_RA	134
#define ICMP6_NA	136
#define OPTION_SOURCE	1
#define OPTION_PREFIX	3
#define OPTION_MTU	5
#define HOP_LIMIT	255
#define ALL_ROUTERS_MAC 0x333300000002
#define ON_LINK		0x80
#define AUTONOMOUS	0x40
#define MTU_MIN		1280 /* RFC 8200 5 */
#define MTU_MAX		65535
#define TWO_HOURS_S	7200 /* RFC 4862 5.5.3 (e) */
#define RS_LEN		(ETH_HEADER_LEN + 40 + 16)

struct router {
	uint8_t ip[16]; /* link-local */
	int preference; /* 1, 0, -1 */
	uint64_t over_ms;
	bool used;
};

enum address_state {
	ADDRESS_NONE,
	ADDRESS_PROBING,
	ADDRESS_FINE,
	ADDRESS_DUPLICATE,
};

struct prefix {
	enum address_state state;
	uint8_t ip[16]; /* the address made of it */
	bool on_link;
	uint64_t probe_until_ms;
	uint64_t preferred_until_ms, over_ms;
};

struct autoconf {
	uint64_t mac;
	uint8_t link_local[16];
	struct autoconf_ops ops;
	void *ops_arg;
	struct router routers[AUTOCONF_ROUTERS_MAX];
	struct prefix prefixes[AUTOCONF_PREFIXES_MAX];
	uint32_t mtu;
	unsigned asks_left;
	uint64_t ask_ms, next_ms, now_ms;
	struct autoconf_counters counters;
};

/* The host's half of an address, behind any prefix of 64 bits. */
static void set_interface_id(uint8_t ip[16], uint64_t mac)
{
	store_be32(ip + 8, (mac >> 16) ^ 0x02000000);
	ip[11] = 0xff;
	ip[12] = 0xfe;
	ip[13] = mac >> 16;
	store_be16(ip + 14, mac);
}

static bool is_link_local(const uint8_t *ip)
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

struct autoconf *autoconf_create(uint64_t mac, const struct autoconf_ops *ops,
				 void *ops_arg, uint64_t now)
{
	struct autoconf *a = xcalloc(1, sizeof(*a));

	a->mac = mac;
	a->link_local[0] = 0xfe;
	a->link_local[1] = 0x80;
	set_interface_id(a->link_local, mac);
	a->ops = *ops;
	a->ops_arg = ops_arg;
	autoconf_restart(a, now);
	return a;
}

void autoconf_destroy(struct autoconf *a)
{
	free(a);
}

/* --- what is sent ---------------------------------------------------------
 */

static void solicit(struct autoconf *a)
{
	static const uint8_t all_routers[16] = { 0xff, 0x02, [15] = 2 };
	uint8_t frame[RS_LEN] = { 0 }, *ip = frame + ETH_HEADER_LEN,
		*icmp = ip + 40;

	store_be16(frame, ALL_ROUTERS_MAC >> 32);
	store_be32(frame + 2, (uint32_t)ALL_ROUTERS_MAC);
	store_be16(frame + 6, a->mac >> 32);
	store_be32(frame + 8, a->mac);
	store_be16(frame + 12, ETHERTYPE_IP6);
	ip[0] = 0x60;
	store_be16(ip + 4, 16);
	ip[6] = PROTOCOL_ICMP6;
	ip[7] = HOP_LIMIT;
	memcpy(ip + 8, a->link_local, 16);
	memcpy(ip + 24, all_routers, 16);
	icmp[0] = ICMP6_RS;
	icmp[8] = OPTION_SOURCE;
	icmp[9] = 1;
	memcpy(icmp + 10, frame + 6, 6);
	csum_store(icmp + 2, csum_combine(csum_pseudo6(ip, PROTOCOL_ICMP6, 16),
					  csum_add(0, icmp, 16)));
	a->counters.solicitations++;
	a->ops.send(frame, sizeof(frame), a->ops_arg);
}

static void probe(struct autoconf *a, struct prefix *p, uint64_t now)
{
	uint8_t frame[NEIGHBOR_FRAME_MAX];
	size_t len = neighbor_probe(a->mac, p->ip, 16, frame);

	p->state = ADDRESS_PROBING;
	p->probe_until_ms = now + AUTOCONF_PROBE_MS;
	a->ops.send(frame, len, a->ops_arg);
}

/* --- time -----------------------------------------------------------------
 */

static uint64_t until(uint64_t now, uint32_t seconds)
{
	return seconds == UINT32_MAX ? NEVER : now + seconds * 1000ull;
}

static bool has_router(const struct autoconf *a)
{
	for (unsigned i = 0; i < AUTOCONF_ROUTERS_MAX; i++)
		if (a->routers[i].used)
			return true;
	return false;
}

static void schedule(struct autoconf *a)
{
	a->next_ms = a->ask_ms;
	for (unsigned i = 0; i < AUTOCONF_ROUTERS_MAX; i++)
		if (a->routers[i].used)
			a->next_ms = MIN(a->next_ms, a->routers[i].over_ms);
	for (unsigned i = 0; i < AUTOCONF_PREFIXES_MAX; i++) {
		const struct prefix *p = &a->prefixes[i];

		if (p->state == ADDRESS_NONE)
			continue;
		a->next_ms = MIN(a->next_ms, p->over_ms);
		if (p->preferred_until_ms > a->now_ms)
			a->next_ms = MIN(a->next_ms, p->preferred_until_ms);
		if (p->state == ADDRESS_PROBING)
			a->next_ms = MIN(a->next_ms, p->probe_until_ms);
	}
}

static void ask_for_routers(struct autoconf *a, uint64_t now)
{
	/* once at the start, whatever was known before */
	if (has_router(a) && a->asks_left < AUTOCONF_ASKS) {
		a->ask_ms = NEVER;
		return;
	}
	solicit(a);
	if (a->asks_left)
		a->asks_left--;
	a->ask_ms =
		now + (a->asks_left ? AUTOCONF_ASK_MS : AUTOCONF_ASK_AGAIN_MS);
}

static bool run_prefix(struct prefix *p, uint64_t before, uint64_t now)
{
	if (p->state == ADDRESS_NONE)
		return false;
	if (now >= p->over_ms) {
		p->state = ADDRESS_NONE;
		return true;
	}
	if (p->state == ADDRESS_PROBING && now >= p->probe_until_ms) {
		p->state = ADDRESS_FINE;
		return true;
	}
	return before < p->preferred_until_ms && now >= p->preferred_until_ms;
}

void autoconf_run(struct autoconf *a, uint64_t now)
{
	uint64_t before = a->now_ms;
	bool changed = false;

	if (now < a->next_ms)
		return;
	a->now_ms = now;
	for (unsigned i = 0; i < AUTOCONF_ROUTERS_MAX; i++) {
		struct router *r = &a->routers[i];

		if (!r->used || now < r->over_ms)
			continue;
		r->used = false;
		changed = true;
		a->ask_ms = MIN(a->ask_ms, now);
	}
	for (unsigned i = 0; i < AUTOCONF_PREFIXES_MAX; i++)
		changed |= run_prefix(&a->prefixes[i], before, now);
	if (now >= a->ask_ms)
		ask_for_routers(a, now);
	schedule(a);
	if (changed)
		a->ops.changed(a->ops_arg);
}

uint64_t autoconf_next_ms(const struct autoconf *a)
{
	return a->next_ms;
}

void autoconf_restart(struct autoconf *a, uint64_t now)
{
	a->now_ms = now;
	a->asks_left = AUTOCONF_ASKS;
	a->ask_ms = now;
	/* who was found to have an address may be gone, or may be new */
	for (unsigned i = 0; i < AUTOCONF_PREFIXES_MAX; i++)
		if (a->prefixes[i].state == ADDRESS_DUPLICATE)
			probe(a, &a->prefixes[i], now);
	/* routers of before may be gone: they are asked for all the same */
	for (unsigned i = 0; i < AUTOCONF_ROUTERS_MAX; i++)
		a->routers[i].used &= now < a->routers[i].over_ms;
	a->next_ms = now;
}

/* --- advertisements -------------------------------------------------------
 */

static bool take_router(struct autoconf *a, const uint8_t *ip, int preference,
			uint16_t lifetime_s, uint64_t now)
{
	struct router *r = NULL;
	bool changed;

	for (unsigned i = 0; i < AUTOCONF_ROUTERS_MAX && !r; i++)
		if (a->routers[i].used && !memcmp(a->routers[i].ip, ip, 16))
			r = &a->routers[i];
	if (!lifetime_s) {
		if (!r)
			return false;
		r->used = false;
		a->asks_left = AUTOCONF_ASKS;
		a->ask_ms = has_router(a) ? NEVER : now;
		return true;
	}
	for (unsigned i = 0; i < AUTOCONF_ROUTERS_MAX && !r; i++)
		if (!a->routers[i].used)
			r = &a->routers[i];
	if (!r) {
		a->counters.refused++;
		return false;
	}
	changed = !r->used || r->preference != preference;
	memcpy(r->ip, ip, 16);
	r->used = true;
	r->preference = preference;
	r->over_ms = now + lifetime_s * 1000ull;
	a->ask_ms = NEVER;
	return changed;
}

static struct prefix *find_prefix(struct autoconf *a, const uint8_t *prefix)
{
	struct prefix *free_one = NULL;

	for (unsigned i = 0; i < AUTOCONF_PREFIXES_MAX; i++) {
		struct prefix *p = &a->prefixes[i];

		if (p->state == ADDRESS_NONE)
			free_one = free_one ? free_one : p;
		else if (!memcmp(p->ip, prefix, 8))
			return p;
	}
	return free_one;
}

/* RFC 4862 5.5.3 (e): nobody shortens a lifetime to less than two hours. */
static uint64_t valid_until(const struct prefix *p, uint32_t valid_s,
			    uint64_t now)
{
	uint64_t said = until(now, valid_s);

	if (valid_s > TWO_HOURS_S || said > p->over_ms)
		return said;
	return MIN(p->over_ms, now + TWO_HOURS_S * 1000ull);
}

static bool is_global(const uint8_t *prefix)
{
	static const uint8_t zero[8];

	return prefix[0] != 0xff && !is_link_local(prefix) &&
	       memcmp(prefix, zero, 8) != 0;
}

/* RFC 4861 4.6.2, RFC 4862 5.5.3 */
static bool take_prefix(struct autoconf *a, struct reader *r, uint64_t now)
{
	uint8_t len = reader_u8(r), flags = reader_u8(r);
	uint32_t valid_s = reader_be32(r), preferred_s = reader_be32(r);
	const uint8_t *prefix;
	struct prefix *p;
	bool was_preferred;

	reader_skip(r, 4);
	prefix = reader_take(r, 16);
	if (!prefix || len != 64 || !(flags & AUTONOMOUS) ||
	    preferred_s > valid_s || !is_global(prefix))
		return false;
	p = find_prefix(a, prefix);
	if (!p || (p->state == ADDRESS_NONE && !valid_s)) {
		a->counters.refused += !p;
		return false;
	}
	was_preferred = p->preferred_until_ms > now;
	p->preferred_until_ms = until(now, preferred_s);
	if (p->state == ADDRESS_NONE) {
		memcpy(p->ip, prefix, 8);
		set_interface_id(p->ip, a->mac);
		p->on_link = flags & ON_LINK;
		p->over_ms = until(now, valid_s);
		probe(a, p, now);
		return false; /* when it is known to be free */
	}
	p->over_ms = valid_until(p, valid_s, now);
	if (was_preferred == (preferred_s > 0) &&
	    p->on_link == !!(flags & ON_LINK))
		return false;
	p->on_link = flags & ON_LINK;
	return true;
}

static bool take_mtu(struct autoconf *a, struct reader *r)
{
	uint32_t mtu;

	reader_skip(r, 2);
	mtu = reader_be32(r);
	if (r->failed || mtu < MTU_MIN || mtu > MTU_MAX || mtu == a->mtu)
		return false;
	a->mtu = mtu;
	return true;
}

/* False when they cannot be: a length of zero, or past the end. */
static bool check_options(struct reader r)
{
	while (reader_left(&r)) {
		uint8_t units;

		reader_skip(&r, 1);
		units = reader_u8(&r);
		if (!units || !reader_skip(&r, units * 8u - 2))
			return false;
	}
	return true;
}

static bool take_options(struct autoconf *a, struct reader *r, uint64_t now)
{
	bool changed = false;

	while (reader_left(r)) {
		uint8_t type = reader_u8(r), units = reader_u8(r);
		struct reader option = reader_sub(r, units * 8u - 2);

		if (type == OPTION_PREFIX)
			changed |= take_prefix(a, &option, now);
		else if (type == OPTION_MTU)
			changed |= take_mtu(a, &option);
	}
	return changed;
}

/* RFC 4191 2.1: 01, 00, 11; 10 counts as 00. */
static int preference_of(uint8_t flags)
{
	switch (flags >> 3 & 3) {
	case 1:
		return 1;
	case 3:
		return -1;
	default:
		return 0;
	}
}

/* RFC 4861 6.1.2; r behind the first four bytes of ICMPv6. */
static void advertisement(struct autoconf *a, const uint8_t *ip,
			  struct reader *r, uint64_t now)
{
	uint8_t flags;
	uint16_t lifetime_s;
	bool changed;

	reader_skip(r, 1);
	flags = reader_u8(r);
	lifetime_s = reader_be16(r);
	reader_skip(r, 8);
	if (r->failed || ip[7] != HOP_LIMIT || !is_link_local(ip + 8) ||
	    !memcmp(ip + 8, a->link_local, 16) || !check_options(*r)) {
		a->counters.bad++;
		return;
	}
	a->counters.advertisements++;
	a->now_ms = now;
	changed = take_router(a, ip + 8, preference_of(flags), lifetime_s, now);
	changed |= take_options(a, r, now);
	schedule(a);
	if (changed)
		a->ops.changed(a->ops_arg);
}

/* --- somebody else's addresses --------------------------------------------
 */

/* Somebody answers for the target, or looks for it, too (RFC 4862 5.4). */
static void heard_of(struct autoconf *a, const uint8_t *target, uint64_t mac)
{
	if (mac == a->mac)
		return;
	for (unsigned i = 0; i < AUTOCONF_PREFIXES_MAX; i++) {
		struct prefix *p = &a->prefixes[i];

		if (p->state != ADDRESS_PROBING || memcmp(p->ip, target, 16))
			continue;
		p->state = ADDRESS_DUPLICATE;
		a->counters.duplicates++;
		a->ops.duplicate(p->ip, mac, a->ops_arg);
	}
}

static bool is_unspecified(const uint8_t *ip)
{
	static const uint8_t zero[16];

	return !memcmp(ip, zero, 16);
}

bool autoconf_receive(struct autoconf *a, const void *frame, size_t len,
		      uint64_t now)
{
	const uint8_t *ip, *message, *target;
	struct reader r, icmp;
	uint64_t mac;
	uint8_t type;
	size_t n;

	reader_init(&r, frame, len);
	reader_skip(&r, 6);
	mac = reader_mac(&r);
	if (reader_be16(&r) != ETHERTYPE_IP6)
		return false;
	ip = reader_take(&r, 40);
	if (!ip || ip[0] >> 4 != 6 || ip[6] != PROTOCOL_ICMP6)
		return false;
	n = load_be16(ip + 4);
	icmp = reader_sub(&r, n);
	message = icmp.at;
	type = reader_u8(&icmp);
	if (icmp.failed || type < ICMP6_RA || type > ICMP6_NA)
		return false;
	if (reader_u8(&icmp) || ip[7] != HOP_LIMIT ||
	    csum_fold(csum_combine(csum_pseudo6(ip, PROTOCOL_ICMP6, n),
				   csum_add(0, message, n))) != 0xffff) {
		a->counters.bad += type == ICMP6_RA;
		return type == ICMP6_RA;
	}
	reader_skip(&icmp, 2);
	if (type == ICMP6_RA) {
		advertisement(a, ip, &icmp, now);
		return true;
	}
	reader_skip(&icmp, 4);
	target = reader_take(&icmp, 16);
	if (target && (type == ICMP6_NA || is_unspecified(ip + 8)))
		heard_of(a, target, mac);
	return false;
}

/* --- what is known --------------------------------------------------------
 */

unsigned autoconf_get_addresses(
	const struct autoconf *a,
	struct autoconf_address addresses[AUTOCONF_PREFIXES_MAX])
{
	bool some_preferred = false;
	unsigned n = 0;

	for (unsigned i = 0; i < AUTOCONF_PREFIXES_MAX; i++)
		some_preferred |= a->prefixes[i].state == ADDRESS_FINE &&
				  a->prefixes[i].preferred_until_ms > a->now_ms;
	for (unsigned i = 0; i < AUTOCONF_PREFIXES_MAX; i++) {
		const struct prefix *p = &a->prefixes[i];

		if (p->state != ADDRESS_FINE ||
		    (some_preferred && p->preferred_until_ms <= a->now_ms))
			continue;
		memcpy(addresses[n].ip, p->ip, 16);
		addresses[n++].prefix_len = p->on_link ? 64 : 128;
	}
	return n;
}

const uint8_t *autoconf_get_router(const struct autoconf *a)
{
	const struct router *best = NULL;

	for (unsigned i = 0; i < AUTOCONF_ROUTERS_MAX; i++) {
		const struct router *r = &a->routers[i];

		if (r->used && (!best || r->preference > best->preference))
			best = r;
	}
	return best ? best->ip : NULL;
}

uint32_t autoconf_get_mtu(const struct autoconf *a)
{
	return a->mtu;
}

const struct autoconf_counters *autoconf_counters(const struct autoconf *a)
{
	return &a->counters;
}

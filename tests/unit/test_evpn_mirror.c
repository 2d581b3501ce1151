/*
 * The mirror of an overlay against a kernel of a few lines and an FRR that
 * does what the test says, in virtual time; then against both at random, with
 * messages lost and late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "tunnel/evpn_mirror.h"

#define BRIDGE	   10
#define MEMBER	   11
#define VXLAN	   12
#define MACS	   8
#define IPS	   6
#define VTEPS	   4
#define QUEUE	   4096
#define HOLD	   5000
#define MAC(i)	   (0x020000000000 + (i))
#define LOCAL_VTEP 99

enum where { NONE, LOCAL, REMOTE };

/* The kernel: its tables, and the messages that were not read yet. */
struct kernel {
	enum where bridge[MACS];
	int device[MACS]; /* VTEP, 0: none */
	bool flood[VTEPS];
	int ip_mac[IPS]; /* -1: none */
	bool ip_extern[IPS], ip_router[IPS];
	struct evpn_request queue[QUEUE];
	unsigned first, n;
	bool lost;
};

/* What the switch was told. */
struct view {
	int remote[MACS]; /* VTEP, 0: not remote */
	bool local[MACS];
	bool flood[VTEPS];
	int pair[IPS]; /* -1: none */
	bool router[IPS];
	unsigned n;
};

static struct kernel k;
static struct view v;
static struct evpn_mirror *m;
static uint64_t now;

static struct evpn_ip vtep_of(int i)
{
	return (struct evpn_ip){ 4, { 10, 0, 0, i } };
}

static struct evpn_ip ip_of(int i)
{
	if (i % 2)
		return (struct evpn_ip){ 16, { 0xfd, [15] = i } };
	return (struct evpn_ip){ 4, { 192, 0, 2, i } };
}

static int ip_index(const struct evpn_ip *ip)
{
	return ip->len == 16 ? ip->bytes[15] : ip->bytes[3];
}

static void tell(const struct evpn_news *news, void *arg)
{
	int i = news->mac ? (int)(news->mac - MAC(0)) : 0;

	v.n++;
	switch (news->type) {
	case EVPN_REMOTE:
		assert_int_not_equal(news->vtep.bytes[3], LOCAL_VTEP);
		v.remote[i] = news->vtep.bytes[3];
		break;
	case EVPN_REMOTE_GONE:
		assert_int_not_equal(v.remote[i], 0);
		v.remote[i] = 0;
		break;
	case EVPN_DISPLACED:
		assert_true(v.local[i]);
		v.local[i] = false;
		break;
	case EVPN_RECLAIMED:
		assert_int_equal(v.remote[i], 0);
		v.local[i] = true;
		break;
	case EVPN_FLOOD:
	case EVPN_FLOOD_GONE:
		i = news->vtep.bytes[3];
		assert_int_equal(v.flood[i], news->type == EVPN_FLOOD_GONE);
		v.flood[i] = !v.flood[i];
		break;
	case EVPN_PAIR:
		v.pair[ip_index(&news->ip)] = i;
		v.router[ip_index(&news->ip)] = news->router;
		break;
	case EVPN_PAIR_GONE:
		assert_int_equal(v.pair[ip_index(&news->ip)], i);
		v.pair[ip_index(&news->ip)] = -1;
		v.router[ip_index(&news->ip)] = false;
		assert_false(news->router);
		break;
	}
}

/* --- the kernel ---------------------------------------------------------- */

/* By copies: the bytes of a request are of no other type. */
static struct nlmsghdr header(const struct evpn_request *r)
{
	struct nlmsghdr nlh;

	memcpy(&nlh, r->bytes, sizeof(nlh));
	return nlh;
}

static void deliver(struct evpn_request *r, bool dump, uint32_t seq)
{
	struct nlmsghdr nlh = header(r);

	nlh.nlmsg_flags = dump ? NLM_F_MULTI : 0;
	nlh.nlmsg_seq = seq;
	memcpy(r->bytes, &nlh, sizeof(nlh));
	if (k.n == QUEUE) {
		k.lost = true;
		return;
	}
	k.queue[(k.first + k.n++) % QUEUE] = *r;
}

static void tell_bridge(int i, enum where where, bool there, bool dump,
			uint32_t seq)
{
	struct evpn_fdb entry = {
		.mac = MAC(i),
		.ifindex = where == LOCAL ? MEMBER : VXLAN,
		.extern_learn = where == REMOTE,
	};
	struct evpn_request r;

	evpn_put_fdb(&r, 0, there ? EVPN_REPLACE : EVPN_DELETE, &entry);
	deliver(&r, dump, seq);
}

static void tell_device(uint64_t mac, int vtep, bool there, bool dump,
			uint32_t seq)
{
	struct evpn_fdb entry = {
		.mac = mac,
		.ifindex = VXLAN,
		.vtep = vtep_of(vtep),
		.extern_learn = mac != 0,
	};
	struct evpn_request r;

	evpn_put_fdb(&r, 0, there ? EVPN_REPLACE : EVPN_DELETE, &entry);
	deliver(&r, dump, seq);
}

static void tell_ip(int i, bool there, bool dump, uint32_t seq)
{
	struct evpn_ip ip = ip_of(i);
	struct evpn_request r;

	evpn_put_neighbor(&r, 0, there ? EVPN_REPLACE : EVPN_DELETE, BRIDGE,
			  &ip, there ? MAC(k.ip_mac[i]) : 0);
	if (there && k.ip_extern[i])
		r.bytes[NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_flags)] |=
			NTF_EXT_LEARNED | (k.ip_router[i] ? NTF_ROUTER : 0);
	deliver(&r, dump, seq);
}

static void set_bridge(int i, enum where where)
{
	enum where old = k.bridge[i];

	k.bridge[i] = where;
	if (where != old)
		tell_bridge(i, where ? where : old, where != NONE, false, 0);
}

static void set_device(int i, int vtep)
{
	int old = k.device[i];

	k.device[i] = vtep;
	if (vtep != old)
		tell_device(MAC(i), vtep ? vtep : old, vtep != 0, false, 0);
}

static void set_flood(int i, bool there)
{
	if (k.flood[i] != there)
		tell_device(0, i, there, false, 0);
	k.flood[i] = there;
}

static void set_ip(int i, int mac, bool is_extern)
{
	bool same = k.ip_mac[i] == mac && k.ip_extern[i] == is_extern;

	k.ip_mac[i] = mac;
	k.ip_extern[i] = is_extern;
	if (!same)
		tell_ip(i, mac >= 0, false, 0);
}

static void answer(int type, int error, uint32_t seq)
{
	struct evpn_request r = { .len = NLMSG_HDRLEN + 4 };
	struct nlmsghdr nlh = { .nlmsg_len = r.len, .nlmsg_type = type };

	memcpy(r.bytes, &nlh, sizeof(nlh));
	memcpy(r.bytes + NLMSG_HDRLEN, &error, 4);
	deliver(&r, type == NLMSG_DONE, seq);
}

static void dump(int family, uint32_t seq)
{
	for (int i = 0; family == AF_BRIDGE && i < MACS; i++) {
		if (k.bridge[i])
			tell_bridge(i, k.bridge[i], true, true, seq);
		if (k.device[i])
			tell_device(MAC(i), k.device[i], true, true, seq);
	}
	for (int i = 0; family == AF_BRIDGE && i < VTEPS; i++)
		if (k.flood[i])
			tell_device(0, i, true, true, seq);
	for (int i = 0; family != AF_BRIDGE && i < IPS; i++)
		if (k.ip_mac[i] >= 0 &&
		    (ip_of(i).len == 16) == (family == AF_INET6))
			tell_ip(i, true, true, seq);
	answer(NLMSG_DONE, 0, seq);
}

/* A request is of the form of an event, and so can be read as one. */
static void on_request(const struct evpn_event *e, void *arg)
{
	bool put = e->type == EVPN_FDB || e->type == EVPN_NEIGHBOR;
	int i, error = 0;

	if (e->type == EVPN_FDB || e->type == EVPN_FDB_GONE) {
		i = e->fdb.mac - MAC(0);
		assert_int_equal(e->fdb.ifindex, MEMBER);
		assert_false(e->fdb.permanent || e->fdb.own_table);
		if (put)
			set_bridge(i, LOCAL);
		else if (k.bridge[i] == LOCAL)
			set_bridge(i, NONE);
		else
			error = -ENOENT;
	} else {
		i = ip_index(&e->neighbor.ip);
		assert_int_equal(e->neighbor.ifindex, BRIDGE);
		if (!put && k.ip_mac[i] < 0)
			error = -ENOENT;
		else
			set_ip(i, put ? (int)(e->neighbor.mac - MAC(0)) : -1,
			       false);
	}
	answer(NLMSG_ERROR, error, e->seq);
}

static bool request_one(void)
{
	struct evpn_request r;

	if (!evpn_mirror_next_request(m, &r, now))
		return false;
	if (header(&r).nlmsg_type == RTM_GETNEIGH)
		dump(r.bytes[NLMSG_HDRLEN], header(&r).nlmsg_seq);
	else
		assert_int_equal(
			evpn_parse(r.bytes, r.len, on_request, NULL, NULL), 0);
	return true;
}

static bool read_one(void)
{
	struct evpn_request r;

	if (k.lost) {
		k.lost = false;
		evpn_mirror_overrun(m);
		return true;
	}
	if (!k.n)
		return false;
	r = k.queue[k.first];
	k.first = (k.first + 1) % QUEUE;
	k.n--;
	evpn_mirror_take(m, r.bytes, r.len, now);
	return true;
}

/* Until nobody has anything to say. */
static void settle(void)
{
	unsigned n = 0;

	while (request_one() || read_one())
		assert_true(n++ < 100000);
}

static void later(uint64_t ms)
{
	settle();
	now += ms;
	evpn_mirror_run(m, now);
	settle();
}

/* --- FRR ------------------------------------------------------------------ */

static void frr_put(int i, int vtep)
{
	set_bridge(i, REMOTE);
	set_device(i, vtep);
}

static void frr_remove(int i)
{
	if (k.bridge[i] == REMOTE)
		set_bridge(i, NONE);
	set_device(i, 0);
}

static void local(int i)
{
	assert_int_equal(evpn_mirror_local(m, MAC(i)), 0);
	v.local[i] = true;
}

static void local_gone(int i)
{
	evpn_mirror_local_gone(m, MAC(i));
	v.local[i] = false;
}

static int local_ip(int mac, int i)
{
	struct evpn_ip ip = ip_of(i);

	return evpn_mirror_local_ip(m, MAC(mac), &ip);
}

static struct evpn_mirror_config config = {
	.bridge = BRIDGE,
	.member = MEMBER,
	.vxlan = VXLAN,
	.local = { 4, { 10, 0, 0, LOCAL_VTEP } },
	.macs_max = 100,
	.ips_max = 100,
	.vteps_max = 100,
	.ips_a_mac_max = 3,
	.withdraw_ms = 500,
	.hold_ms = HOLD,
	.retry_ms = 200,
	.tell = tell,
};

static void start(void)
{
	memset(&v, 0, sizeof(v));
	memset(v.pair, -1, sizeof(v.pair));
	m = evpn_mirror_create(&config);
}

static int setup(void **state)
{
	memset(&k, 0, sizeof(k));
	memset(k.ip_mac, -1, sizeof(k.ip_mac));
	now = 1000;
	start();
	settle();
	return 0;
}

static int teardown(void **state)
{
	evpn_mirror_destroy(m);
	return 0;
}

/* --- tests ---------------------------------------------------------------- */

static void test_local_is_announced(void **state)
{
	local(1);
	assert_int_equal(local_ip(1, 0), 0);
	assert_int_equal(local_ip(1, 1), 0);
	assert_int_equal(local_ip(2, 2), -ENOENT);
	settle();
	assert_int_equal(k.bridge[1], LOCAL);
	assert_int_equal(k.ip_mac[0], 1);
	assert_int_equal(k.ip_mac[1], 1);
	assert_int_equal(v.n, 0);
	local_gone(1);
	settle();
	assert_int_equal(k.bridge[1], NONE);
	assert_int_equal(k.ip_mac[0], -1);
	assert_int_equal(evpn_mirror_counters(m)->macs, 0);
	assert_int_equal(evpn_mirror_counters(m)->ips, 0);
	assert_int_equal(evpn_mirror_local(m, 0), -EINVAL);
	assert_int_equal(evpn_mirror_local(m, 0x010000000001), -EINVAL);
}

static void test_remote_learned_moved_withdrawn(void **state)
{
	frr_put(1, 2);
	set_flood(2, true);
	set_ip(3, 1, true);
	settle();
	assert_int_equal(v.remote[1], 2);
	assert_true(v.flood[2]);
	assert_int_equal(v.pair[3], 1);
	frr_put(1, 3);
	settle();
	assert_int_equal(v.remote[1], 3);
	assert_int_equal(evpn_mirror_counters(m)->moves, 1);
	frr_remove(1);
	set_flood(2, false);
	set_ip(3, -1, false);
	settle();
	assert_int_equal(v.remote[1], 3);
	later(600);
	assert_int_equal(v.remote[1], 0);
	assert_false(v.flood[2]);
	assert_int_equal(v.pair[3], -1);
	assert_int_equal(evpn_mirror_counters(m)->macs, 0);
	assert_int_equal(evpn_mirror_counters(m)->vteps, 0);
	assert_int_equal(evpn_mirror_counters(m)->ips, 0);
}

static void test_own_entries_are_not_remote(void **state)
{
	tell_device(MAC(1), LOCAL_VTEP, true, false, 0);
	tell_device(0, LOCAL_VTEP, true, false, 0);
	local(2);
	settle();
	assert_int_equal(v.n, 0);
	assert_int_equal(evpn_mirror_counters(m)->own_vtep, 2);
}

static void test_local_then_remote_then_local(void **state)
{
	local(1);
	local_ip(1, 0);
	settle();
	frr_put(1, 2);
	settle();
	assert_false(v.local[1]);
	assert_int_equal(v.remote[1], 2);
	assert_int_equal(k.bridge[1], REMOTE);
	assert_int_equal(k.ip_mac[0], -1);
	local(1);
	assert_int_equal(v.remote[1], 0);
	settle();
	assert_int_equal(k.bridge[1], LOCAL);
	assert_int_equal(k.ip_mac[0], 1);
	/* The VTEP that the device still has is stale, when it leaves, too. */
	assert_int_equal(k.device[1], 2);
	local_gone(1);
	settle();
	assert_int_equal(v.remote[1], 0);
	evpn_mirror_overrun(m);
	settle();
	assert_int_equal(v.remote[1], 0);
	frr_put(1, 2);
	settle();
	assert_int_equal(v.remote[1], 2);
}

/* FRR knows of no entry in the bridge: what it says later still wins. */
static void test_device_entry_alone_displaces(void **state)
{
	local(1);
	settle();
	set_device(1, 2);
	settle();
	assert_int_equal(v.remote[1], 2);
	assert_int_equal(k.bridge[1], NONE);
}

/* FRR's entry was on its way to us when we asked for ours. */
static void test_crossing_messages_end_as_the_kernel_has_it(void **state)
{
	frr_put(1, 2);
	local(1);
	while (request_one())
		;
	settle();
	assert_int_equal(k.bridge[1], LOCAL);
	assert_true(v.local[1]);
	assert_int_equal(v.remote[1], 0);
}

/* FRR's mark of routers (RFC 9047), and that it goes, or comes later. */
static void test_routers(void **state)
{
	frr_put(2, 3);
	k.ip_router[1] = true;
	set_ip(1, 2, true);
	settle();
	assert_int_equal(v.pair[1], 2);
	assert_true(v.router[1]);
	k.ip_router[1] = false;
	tell_ip(1, true, false, 0);
	settle();
	assert_int_equal(v.pair[1], 2);
	assert_false(v.router[1]);
	k.ip_router[1] = true;
	tell_ip(1, true, false, 0);
	settle();
	assert_true(v.router[1]);
	k.ip_router[1] = false;
	evpn_mirror_overrun(m); /* a dump tells it as well */
	settle();
	assert_false(v.router[1]);
}

static void test_ip_moves_to_a_remote_mac(void **state)
{
	local(1);
	local_ip(1, 0);
	settle();
	frr_put(2, 3);
	set_ip(0, 2, true);
	settle();
	assert_int_equal(v.pair[0], 2);
	assert_true(k.ip_extern[0]);
	local_ip(1, 0);
	settle();
	assert_int_equal(v.pair[0], -1);
	assert_int_equal(k.ip_mac[0], 1);
	local(3);
	local_ip(3, 0);
	settle();
	assert_int_equal(k.ip_mac[0], 3);
}

static void test_others_deletion_is_mended(void **state)
{
	local(1);
	local_ip(1, 0);
	settle();
	set_bridge(1, NONE);
	set_ip(0, -1, false);
	settle();
	assert_int_equal(k.bridge[1], LOCAL);
	assert_int_equal(k.ip_mac[0], 1);
}

static void drop_messages(void)
{
	k.n = 0;
	k.lost = true;
}

static void test_resync_finds_what_was_lost(void **state)
{
	local(1);
	frr_put(2, 2);
	set_flood(1, true);
	settle();
	frr_remove(2);
	frr_put(3, 3);
	frr_put(1, 3);
	set_flood(1, false);
	set_ip(4, 3, true);
	local(5);
	while (request_one())
		;
	drop_messages();
	settle();
	later(600);
	assert_int_equal(v.remote[1], 3);
	assert_false(v.local[1]);
	assert_int_equal(v.remote[2], 0);
	assert_int_equal(v.remote[3], 3);
	assert_false(v.flood[1]);
	assert_int_equal(v.pair[4], 3);
	assert_int_equal(k.bridge[5], LOCAL);
}

static void test_restart_removes_what_is_left(void **state)
{
	local(1);
	local(2);
	local_ip(1, 0);
	frr_put(3, 1);
	settle();
	evpn_mirror_destroy(m);
	start();
	local(2);
	settle();
	assert_int_equal(k.bridge[1], NONE);
	assert_int_equal(k.bridge[2], LOCAL);
	assert_int_equal(k.ip_mac[0], -1);
	assert_int_equal(v.remote[3], 1);
}

static void test_hold_when_frr_leaves(void **state)
{
	frr_put(1, 1);
	frr_put(2, 2);
	set_flood(1, true);
	settle();
	/* zebra cleans up as it ends, and then we see that it has ended. */
	frr_remove(1);
	set_flood(1, false);
	settle();
	evpn_mirror_frr_gone(m, now);
	later(HOLD - 1000);
	assert_int_equal(v.remote[1], 1);
	assert_int_equal(v.remote[2], 2);
	assert_true(v.flood[1]);
	later(1200);
	assert_int_equal(v.remote[1], 0);
	assert_int_equal(v.remote[2], 0); /* though the kernel has it */
	assert_false(v.flood[1]);
	evpn_mirror_frr_back(m, now);
	settle();
	assert_int_equal(v.remote[2], 2);
}

static void test_hold_until_frr_has_learned_again(void **state)
{
	frr_put(1, 1);
	frr_put(2, 2);
	settle();
	evpn_mirror_frr_gone(m, now);
	frr_remove(1);
	frr_remove(2);
	later(HOLD - 1000);
	evpn_mirror_frr_back(m, now);
	later(HOLD - 1000);
	frr_put(1, 1);
	settle();
	assert_int_equal(v.n, 2); /* nothing was told of all that */
	later(1200);
	assert_int_equal(v.remote[1], 1);
	assert_int_equal(v.remote[2], 0);
}

/* Another time to hold is no reason to forget, and moves what is held. */
static void test_hold_is_changed(void **state)
{
	frr_put(1, 1);
	set_flood(1, true);
	settle();
	assert_int_equal(evpn_mirror_held_until(m), 0);
	evpn_mirror_frr_gone(m, now);
	frr_remove(1);
	set_flood(1, false);
	settle();
	later(HOLD - 1000);
	assert_true(evpn_mirror_held_until(m) >= now + 1000);
	evpn_mirror_set_hold(m, 3 * HOLD, now);
	assert_true(evpn_mirror_held_until(m) >= now + 2 * HOLD + 1000);
	later(2 * HOLD);
	assert_int_equal(v.remote[1], 1);
	assert_true(v.flood[1]);
	/* A time that is over already. */
	evpn_mirror_set_hold(m, HOLD, now);
	later(200);
	assert_int_equal(v.remote[1], 0);
	assert_false(v.flood[1]);
	assert_int_equal(evpn_mirror_held_until(m), 0);
	/* What has ended does not come back. */
	evpn_mirror_set_hold(m, 10 * HOLD, now);
	settle();
	assert_int_equal(v.remote[1], 0);
}

/* FRR itself withdraws something: not a matter of the time to hold. */
static void test_hold_is_not_a_withdrawal_s(void **state)
{
	frr_put(1, 1);
	settle();
	frr_remove(1);
	settle();
	assert_int_equal(evpn_mirror_held_until(m), 0);
	evpn_mirror_set_hold(m, 10 * HOLD, now);
	later(1000);
	assert_int_equal(v.remote[1], 0);
}

/* The devices were made anew: the former ones' entries went with them. */
static void test_rebind(void **state)
{
	local(0);
	assert_int_equal(local_ip(0, 0), 0);
	frr_put(1, 2);
	set_flood(2, true);
	settle();
	assert_true(evpn_mirror_has_installed(m));
	evpn_mirror_frr_gone(m, now);
	memset(k.bridge, 0, sizeof(k.bridge));
	memset(k.device, 0, sizeof(k.device));
	memset(k.flood, 0, sizeof(k.flood));
	k.ip_mac[0] = -1;
	evpn_mirror_rebind(m, BRIDGE, MEMBER, VXLAN, now);
	assert_false(evpn_mirror_synced(m));
	settle();
	assert_true(evpn_mirror_synced(m));
	assert_false(evpn_mirror_has_installed(m));
	/* Ours is there again, and FRR's is held. */
	assert_int_equal(k.bridge[0], LOCAL);
	assert_int_equal(k.ip_mac[0], 0);
	assert_int_equal(v.remote[1], 2);
	assert_true(v.flood[2]);
	later(HOLD + 200);
	assert_int_equal(v.remote[1], 0);
	assert_false(v.flood[2]);
}

static void test_forget(void **state)
{
	frr_put(1, 2);
	set_flood(2, true);
	set_ip(3, 1, true);
	settle();
	assert_int_equal(v.pair[3], 1);
	evpn_mirror_forget(m);
	assert_int_equal(v.remote[1], 0);
	assert_false(v.flood[2]);
	assert_int_equal(v.pair[3], -1);
}

static void test_local_table_is_read_anew(void **state)
{
	for (int i = 0; i < 3; i++)
		local(i);
	assert_int_equal(local_ip(1, 0), 0);
	settle();
	evpn_mirror_local_begin(m);
	local(0);
	local(3);
	evpn_mirror_local_end(m);
	settle();
	assert_int_equal(k.bridge[0], LOCAL);
	assert_int_equal(k.bridge[1], NONE);
	assert_int_equal(k.bridge[2], NONE);
	assert_int_equal(k.bridge[3], LOCAL);
	assert_int_equal(k.ip_mac[0], -1);
}

/* A MAC that the switch lost from sight for a while need not tell again. */
static void test_addresses_are_remembered(void **state)
{
	config.keep_ms = 10000;
	evpn_mirror_destroy(m);
	start();
	config.keep_ms = 0;
	settle();
	for (int i = 0; i < 3; i++) {
		local(i);
		assert_int_equal(local_ip(i, i), 0);
	}
	settle();
	for (int i = 0; i < 3; i++)
		local_gone(i);
	settle();
	assert_int_equal(k.ip_mac[0], -1);
	local(0);
	settle();
	assert_int_equal(k.ip_mac[0], 0);
	/* Not when it was elsewhere meanwhile, nor for ever. */
	frr_put(1, 2);
	settle();
	local(1);
	later(11000);
	local(2);
	settle();
	assert_int_equal(k.ip_mac[0], 0);
	assert_int_equal(k.ip_mac[1], -1);
	assert_int_equal(k.ip_mac[2], -1);
	for (int i = 0; i < 3; i++)
		local_gone(i);
	frr_remove(1);
	later(11000);
	later(11000);
	assert_int_equal(evpn_mirror_counters(m)->ips, 0);
	assert_int_equal(evpn_mirror_counters(m)->macs, 0);
}

/* What only the device has after a restart, nobody stands for. */
static void test_device_entry_alone_is_stale_after_a_restart(void **state)
{
	set_device(1, 2);
	settle();
	evpn_mirror_destroy(m);
	start();
	settle();
	assert_int_equal(v.remote[1], 0);
	frr_put(1, 2);
	settle();
	assert_int_equal(v.remote[1], 2);
}

static void test_refused_is_asked_again(void **state)
{
	struct evpn_request r;

	local(1);
	assert_true(evpn_mirror_next_request(m, &r, now));
	answer(NLMSG_ERROR, -ENOMEM, header(&r).nlmsg_seq);
	settle();
	assert_int_equal(k.bridge[1], NONE);
	assert_int_equal(evpn_mirror_counters(m)->refused, 1);
	later(300);
	assert_int_equal(k.bridge[1], LOCAL);
}

/* A dump that never ends is given up. */
static void test_lost_dump(void **state)
{
	struct evpn_request r;

	evpn_mirror_overrun(m);
	assert_true(evpn_mirror_next_request(m, &r, now));
	frr_put(1, 1);
	local(2);
	settle();
	assert_int_equal(k.bridge[2], NONE);
	later(11000);
	later(300);
	assert_int_equal(k.bridge[2], LOCAL);
	assert_int_equal(v.remote[1], 1);
}

static void test_deleted_during_the_dump(void **state)
{
	struct evpn_request r;
	uint32_t seq;

	frr_put(1, 1);
	settle();
	evpn_mirror_overrun(m);
	assert_true(evpn_mirror_next_request(m, &r, now));
	seq = header(&r).nlmsg_seq;
	set_device(1, 0);
	set_bridge(1, NONE);
	/* read before that, told after it */
	tell_bridge(1, REMOTE, true, true, seq);
	tell_device(MAC(1), 1, true, true, seq);
	answer(NLMSG_DONE, 0, seq);
	settle();
	later(600);
	assert_int_equal(v.remote[1], 0);
}

static void test_limits(void **state)
{
	const struct evpn_mirror_counters *c;

	evpn_mirror_destroy(m);
	config.macs_max = 3;
	config.ips_max = 4;
	config.vteps_max = 1;
	start();
	config.macs_max = config.ips_max = config.vteps_max = 100;
	c = evpn_mirror_counters(m);
	for (int i = 0; i < 5; i++)
		frr_put(i, 1);
	set_flood(1, true);
	set_flood(2, true);
	settle();
	assert_int_equal(c->macs, 3);
	assert_int_equal(c->vteps, 1);
	assert_true(c->mac_limit >= 2 && c->vtep_limit >= 1);
	assert_int_equal(evpn_mirror_local(m, MAC(6)), -ENOSPC);
	for (int i = 0; i < 3; i++)
		frr_remove(i);
	later(600);
	later(300);
	/* There is room now for those that did not fit. */
	assert_int_equal(v.remote[3], 1);
	assert_int_equal(v.remote[4], 1);
	local(6);
	for (int i = 0; i < 3; i++)
		assert_int_equal(local_ip(6, i), 0);
	assert_int_equal(local_ip(6, 3), -ENOSPC);
	assert_int_equal(local_ip(6, 2), 0);
}

/* --- at random ------------------------------------------------------------ */

static unsigned seed;

static unsigned any(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static bool wanted[MACS];

/* The switch does as it is told, and makes what it can of it. */
static void step(void)
{
	int i = any(MACS), ip = any(IPS);

	switch (any(16)) {
	case 0:
	case 1:
		local(i);
		wanted[i] = true;
		break;
	case 2:
		local_gone(i);
		wanted[i] = false;
		break;
	case 3:
	case 4:
		frr_put(i, 1 + any(VTEPS - 1));
		break;
	case 5:
		frr_remove(i);
		break;
	case 6:
		local_ip(i, ip);
		break;
	case 7:
		set_ip(ip, i, true);
		break;
	case 8:
		if (k.ip_extern[ip])
			set_ip(ip, -1, false);
		break;
	case 9:
		set_flood(any(VTEPS - 1) + 1, any(2));
		break;
	case 10:
		if (any(4) == 0)
			drop_messages();
		break;
	case 11:
		if (any(4) == 0)
			evpn_mirror_frr_gone(m, now);
		else
			evpn_mirror_frr_back(m, now);
		break;
	case 12:
		now += any(700);
		evpn_mirror_run(m, now);
		break;
	default:
		for (int n = any(8); n > 0; n--)
			if (any(2))
				request_one();
			else
				read_one();
	}
}

/* All is said: the switch's view is the kernel's. */
static void check(void)
{
	evpn_mirror_frr_back(m, now);
	evpn_mirror_overrun(m);
	settle();
	for (int i = 0; i < 4; i++)
		later(HOLD);
	for (int i = 0; i < MACS; i++) {
		if (v.local[i])
			assert_int_equal(k.bridge[i], LOCAL);
		else
			assert_int_not_equal(k.bridge[i], LOCAL);
		assert_false(v.local[i] && v.remote[i]);
		assert_true(wanted[i] || !v.local[i]);
		if (k.bridge[i] == REMOTE || v.remote[i])
			assert_int_equal(v.remote[i], k.device[i]);
	}
	for (int i = 0; i < VTEPS; i++)
		assert_int_equal(v.flood[i], k.flood[i]);
	for (int i = 0; i < IPS; i++) {
		bool ext = k.ip_mac[i] >= 0 && k.ip_extern[i];

		assert_int_equal(v.pair[i], ext ? k.ip_mac[i] : -1);
		if (k.ip_mac[i] >= 0 && !ext)
			assert_true(v.local[k.ip_mac[i]]);
	}
}

static void test_random_steps(void **state)
{
	for (unsigned round = 0; round < 300; round++) {
		teardown(NULL);
		setup(NULL);
		memset(wanted, 0, sizeof(wanted));
		seed = round;
		for (int i = 0; i < 300; i++)
			step();
		check();
		/* and nothing is left of it */
		for (int i = 0; i < MACS; i++) {
			local_gone(i);
			frr_remove(i);
		}
		for (int i = 0; i < VTEPS; i++)
			set_flood(i, false);
		for (int i = 0; i < IPS; i++)
			if (k.ip_extern[i])
				set_ip(i, -1, false);
		settle();
		later(HOLD);
		assert_int_equal(evpn_mirror_counters(m)->macs, 0);
		assert_int_equal(evpn_mirror_counters(m)->ips, 0);
		assert_int_equal(evpn_mirror_counters(m)->vteps, 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_local_is_announced),
		TEST(test_remote_learned_moved_withdrawn),
		TEST(test_own_entries_are_not_remote),
		TEST(test_local_then_remote_then_local),
		TEST(test_device_entry_alone_displaces),
		TEST(test_crossing_messages_end_as_the_kernel_has_it),
		TEST(test_ip_moves_to_a_remote_mac),
		TEST(test_routers),
		TEST(test_others_deletion_is_mended),
		TEST(test_resync_finds_what_was_lost),
		TEST(test_restart_removes_what_is_left),
		TEST(test_hold_when_frr_leaves),
		TEST(test_hold_until_frr_has_learned_again),
		TEST(test_hold_is_changed),
		TEST(test_hold_is_not_a_withdrawal_s),
		TEST(test_rebind),
		TEST(test_addresses_are_remembered),
		TEST(test_forget),
		TEST(test_local_table_is_read_anew),
		TEST(test_device_entry_alone_is_stale_after_a_restart),
		TEST(test_refused_is_asked_again),
		TEST(test_lost_dump),
		TEST(test_deleted_during_the_dump),
		TEST(test_limits),
		TEST(test_random_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

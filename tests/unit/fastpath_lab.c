#include "tests/unit/fastpath_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fastpath/decide.h"
#include "forward/fdb_table.h"
#include "packet/parse.h"

#define AGE_S	    10
#define CROWDED_VID 10 /* of stations that all want the same buckets */

static const uint16_t vids[] = { 0, 1, 10, 11, 20, 4094 };

unsigned lab_pick(struct lab *l, unsigned n)
{
	l->seed = l->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(l->seed >> 33) % n;
}

static uint16_t pick_vid(struct lab *l)
{
	return vids[lab_pick(l, ARRAY_SIZE(vids))];
}

/* Once in n. */
static bool rarely(struct lab *l, unsigned n)
{
	return !lab_pick(l, n);
}

/* --- the bridge ------------------------------------------------------------
 */

/* Null ports that pass for devices: nobody looks at what this points to. */
#define SOME_DEVICE ((struct fastpath_port *)(uintptr_t)64)

static void add_port(struct lab *l, unsigned i)
{
	static const enum vlan_mode modes[] = { VLAN_ACCESS, VLAN_ACCESS,
						VLAN_TRUNK, VLAN_NATIVE_TAGGED,
						VLAN_NATIVE_UNTAGGED };
	struct vlan_set trunks = { { 0 } };
	struct vlan_config vlan = {
		.mode = modes[lab_pick(l, ARRAY_SIZE(modes))],
		.tag = pick_vid(l),
		.trunks = rarely(l, 2) ? &trunks : NULL,
		.qinq_tpid = ETH_TYPE_SVLAN,
	};
	struct fwd_port *p;

	for (unsigned k = 0; k < 4; k++)
		vlan_set_add(&trunks, pick_vid(l));
	if (rarely(l, 20))
		vlan.mode = VLAN_DOT1Q_TUNNEL;
	if (rarely(l, 12))
		vlan.priority_tags = lab_pick(l, 3);
	l->ports[i] = fixture_port(l->f, l->bridge, &vlan);
	p = l->ports[i]->fwd;
	p->port->fastpath = rarely(l, 16) ? NULL : SOME_DEVICE;
	p->learns = !rarely(l, 16);
	p->apart = rarely(l, 12) ? 1 + lab_pick(l, 3) : 0;
	p->floods = !rarely(l, 16);
}

static void make_private(struct lab *l)
{
	fwd_bridge_add_secondary(l->bridge, 10, 11);
	for (unsigned i = 0; i < LAB_PORTS; i++) {
		struct fwd_port *p = l->ports[i]->fwd;

		if (p->native_vid == 10 && rarely(l, 2))
			fwd_port_make_host(p, 11, rarely(l, 2));
		else if (rarely(l, 2))
			fwd_port_make_promiscuous(p);
	}
}

static void know(struct lab *l, uint64_t mac, uint16_t vid)
{
	fdb_key key = fdb_make_key(mac, vid);
	uint16_t number = 1 + lab_pick(l, LAB_PORTS);

	switch (lab_pick(l, 8)) {
	case 0:
		(void)fdb_add_static(l->fdb, key, number);
		break;
	case 1:
		(void)fdb_add_controlled(l->fdb, key, number, rarely(l, 2));
		break;
	default:
		fdb_learn(l->fdb, key, number);
	}
}

static void set_state(struct lab *l, unsigned i)
{
	static const uint32_t mtus[] = { 100, 300, 500, 600, 600, 600 };
	struct port *port = l->ports[i]->port;

	atomic_store(&port->mtu, mtus[lab_pick(l, ARRAY_SIZE(mtus))]);
	atomic_store(&port->tx_enabled, !rarely(l, 12));
	l->states[i + 1].frame_max = port->mtu + ETH_HEADER_LEN;
	l->states[i + 1].up = port->tx_enabled;
}

/* As vswd does with a snapshot. */
static void fill_in(struct lab *l, unsigned i)
{
	struct fp_port *fp = &l->fp[i + 1];

	set_state(l, i);
	l->bypass[i] = fwd_port_bypass(l->ports[i]->fwd, fp);
	if (!fp->flags)
		return;
	fp->ifindex = LAB_IFINDEX + i + 1;
	fp->slot = LAB_SLOT + i + 1;
	if (rarely(l, 4))
		fp->flags |= FP_TO_HOST;
}

/* As the inline functions see it. */
static const struct fdb_table *table_of(const struct lab *l)
{
	return (const struct fdb_table *)(const void *)l->fdb;
}

/* One whose first two buckets are the table's first two. */
static bool crowds(const struct lab *l, uint64_t mac)
{
	const struct fdb_table *t = table_of(l);
	uint64_t hash = fdb_hash(t, fdb_make_key(mac, CROWDED_VID));

	return fdb_probe(t, hash, 0) == t->buckets &&
	       fdb_probe(t, hash, 1) == t->buckets + 1;
}

static uint64_t pick_mac(struct lab *l, bool to_crowd)
{
	uint64_t mac;

	do
		mac = 0x020000000000ull | lab_pick(l, 1u << 31);
	while (to_crowd && !crowds(l, mac));
	return mac;
}

struct lab *lab_create(uint64_t seed)
{
	const struct fdb_config config = { .max_entries = 72,
					   .age_s = AGE_S,
					   .seed = seed + 1,
					   .max_controlled = 24 };
	struct lab *l = xcalloc(1, sizeof(*l));

	l->seed = seed;
	l->f = fixture_create();
	l->fdb = fdb_create(&config);
	l->bridge = fwd_snapshot_add_bridge(l->f->snapshot, "br0", l->fdb);
	fdb_tick(l->fdb, 0);
	for (unsigned i = 0; i < LAB_PORTS; i++)
		add_port(l, i);
	if (rarely(l, 6))
		make_private(l);
	if (rarely(l, 6)) {
		l->bridge->no_learn_vlans = true;
		vlan_set_add(&l->bridge->flood_vlans, pick_vid(l));
	}
	l->bridge->forward_bpdu = rarely(l, 2);
	for (unsigned i = 0; i < LAB_PORTS; i++)
		fill_in(l, i);
	for (unsigned i = 0; i < LAB_STATIONS; i++) {
		bool to_crowd = i < LAB_STATIONS / 2;

		l->macs[i] = pick_mac(l, to_crowd);
		know(l, l->macs[i], to_crowd ? CROWDED_VID : pick_vid(l));
	}
	l->n_buckets = table_of(l)->offset_mask / sizeof(struct fdb_bucket) + 1;
	l->buckets = xcalloc(l->n_buckets, sizeof(*l->buckets));
	return l;
}

void lab_destroy(struct lab *l)
{
	for (unsigned i = 0; i < LAB_PORTS; i++)
		l->ports[i]->port->fastpath = NULL;
	fixture_destroy(l->f);
	free(l->buckets);
	free(l);
}

void lab_stir(struct lab *l)
{
	if (rarely(l, 8))
		fdb_tick(l->fdb, ++l->now_s);
	if (rarely(l, 32))
		set_state(l, lab_pick(l, LAB_PORTS));
	if (rarely(l, 16))
		know(l, l->macs[lab_pick(l, LAB_STATIONS)], pick_vid(l));
	if (rarely(l, 16))
		(void)fdb_delete(
			l->fdb, fdb_make_key(l->macs[lab_pick(l, LAB_STATIONS)],
					     pick_vid(l)));
}

/* --- frames ---------------------------------------------------------------
 */

static void store_mac(uint8_t *to, uint64_t mac)
{
	store_be16(to, mac >> 32);
	store_be32(to + 2, mac);
}

static uint64_t pick_address(struct lab *l)
{
	switch (lab_pick(l, 24)) {
	case 0:
		return 0x01005e000000ull | lab_pick(l, 256);
	case 1:
		return 0x0180c2000000ull | lab_pick(l, 32);
	case 2:
		return rarely(l, 2) ? 0 : MAC_BROADCAST;
	case 3:
		return 0x020000000000ull | lab_pick(l, 1u << 31);
	default:
		return l->macs[lab_pick(l, LAB_STATIONS)];
	}
}

/* An entry of the FDB, so that what is to be forwarded is not rare. */
struct choice {
	struct lab *l;
	unsigned n;
	struct fdb_entry entry;
	int fid, not_port; /* that it has to have, or must not; -1: any */
};

static bool choose(const struct fdb_entry *entry, void *choice_)
{
	struct choice *c = choice_;

	if ((c->fid >= 0 && entry->fid != c->fid) || entry->port == c->not_port)
		return true;
	if (!lab_pick(c->l, ++c->n))
		c->entry = *entry;
	return true;
}

static bool choose_entry(struct lab *l, int fid, int not_port,
			 struct fdb_entry *entry)
{
	struct choice c = { .l = l, .fid = fid, .not_port = not_port };

	fdb_for_each(l->fdb, choose, &c);
	*entry = c.entry;
	return c.n;
}

/* From one known station to another, with the tag that this takes. */
static unsigned address_known(struct lab *l, struct lab_frame *f)
{
	const struct fwd_port *in;
	struct fdb_entry src, dst;

	if (!choose_entry(l, -1, -1, &src) ||
	    !choose_entry(l, src.fid, src.port, &dst))
		return lab_pick(l, LAB_PORTS);
	store_mac(f->data, dst.mac);
	store_mac(f->data + 6, src.mac);
	in = l->ports[src.port - 1]->fwd;
	f->has_tag = src.fid && in->native_vid != src.fid;
	f->tag_type = rarely(l, 32) ? ETH_TYPE_SVLAN : ETH_TYPE_VLAN;
	f->tci = src.fid | lab_pick(l, 16) << 12;
	return src.port - 1;
}

/* Of any kind; where its payload ends is not what this is about. */
static void put_tcp(struct lab *l, struct lab_frame *f, uint32_t at, bool is_4,
		    bool is_udp)
{
	uint8_t *ip = f->data + at, *l4 = ip + (is_4 ? 20 : 40);

	if (is_4 && !rarely(l, 4))
		l4 += 4 * lab_pick(l, 3);
	if (is_4) {
		ip[0] = 0x40 | (l4 - ip) / 4;
		store_be16(ip + 2, f->len - at);
		store_be16(ip + 6, rarely(l, 8) ? lab_pick(l, 0x10000) : 0);
		ip[9] = is_udp ? 17 : 6;
	} else {
		ip[0] = 0x60;
		store_be16(ip + 4, f->len - at - 40);
		ip[6] = is_udp ? 17 : 6;
	}
	l4[12] = (5 + lab_pick(l, 4)) << 4;
	f->gso = is_udp ? PACKET_GSO_UDP
			: (is_4 ? PACKET_GSO_TCP4 : PACKET_GSO_TCP6);
	f->csum_start = l4 - f->data;
	f->csum_offset = is_udp ? 6 : 16;
}

static void fill_payload(struct lab *l, struct lab_frame *f)
{
	static const uint16_t types[] = { ETH_TYPE_IPV4,
					  ETH_TYPE_IPV4,
					  ETH_TYPE_IPV4,
					  ETH_TYPE_IPV6,
					  0x0806,
					  0x88b5,
					  60,
					  0 };
	uint16_t type = types[lab_pick(l, ARRAY_SIZE(types))];
	uint32_t at = 12;

	for (unsigned i = rarely(l, 12) ? 1 + lab_pick(l, 3) : 0; i; i--) {
		store_be16(f->data + at,
			   rarely(l, 2) ? ETH_TYPE_VLAN : ETH_TYPE_SVLAN);
		store_be16(f->data + at + 2, pick_vid(l) | lab_pick(l, 16)
								   << 12);
		at += VLAN_TAG_LEN;
	}
	store_be16(f->data + at, type);
	at += 2;
	if ((type != ETH_TYPE_IPV4 && type != ETH_TYPE_IPV6) || f->len < 200)
		return;
	put_tcp(l, f, at, type == ETH_TYPE_IPV4, rarely(l, 6));
	if (!rarely(l, 3))
		return;
	f->gso_size = 40 + lab_pick(l, 600);
}

unsigned lab_make_frame(struct lab *l, struct lab_frame *f)
{
	unsigned in;

	memset(f, 0, sizeof(*f));
	f->len = rarely(l, 2) ? 60 + lab_pick(l, 60)
			      : 60 + lab_pick(l, LAB_FRAME_MAX - 59);
	if (rarely(l, 32))
		f->len = ETH_HEADER_LEN + lab_pick(l, 8);
	for (uint32_t i = 0; i < f->len; i++)
		f->data[i] = i;
	store_mac(f->data, pick_address(l));
	store_mac(f->data + 6, pick_address(l));
	f->has_tag = rarely(l, 2);
	f->tag_type = rarely(l, 12) ? ETH_TYPE_SVLAN : ETH_TYPE_VLAN;
	f->tci = (rarely(l, 12) ? 0xfff : pick_vid(l)) | lab_pick(l, 16) << 12;
	in = lab_pick(l, LAB_PORTS);
	if (!rarely(l, 3))
		in = address_known(l, f);
	fill_payload(l, f);
	return in;
}

/* --- both ways --------------------------------------------------------------
 */

void lab_run(struct lab *l, unsigned in, const struct lab_frame *f)
{
	struct packet *p = xcalloc_aligned(1, sizeof(*p));
	uint8_t *copy = xmalloc(f->len);

	memcpy(copy, f->data, f->len);
	packet_init(p, copy, f->len);
	if (f->has_tag) {
		p->vlan_beside = true;
		p->vlan_beside_tci = f->tci;
		p->vlan_beside_tpid = f->tag_type;
	}
	if (f->gso_size) {
		p->offload.csum_needed = true;
		p->offload.gso = f->gso;
		p->offload.gso_size = f->gso_size;
		p->offload.csum_start = f->csum_start;
		p->offload.csum_offset = f->csum_offset;
	}
	pipeline_run(l->f->pipeline, l->ports[in]->fwd, p, 1);
	free(copy);
	free(p);
}

void lab_copy_fdb(struct lab *l)
{
	const struct fdb_table *t = table_of(l);

	l->header.fresh = atomic_load(&t->fresh);
	memcpy(l->header.seed, t->seed, sizeof(t->seed));
	l->header.bucket_mask = l->n_buckets - 1;
	memcpy(l->buckets, t->buckets, l->n_buckets * sizeof(*l->buckets));
}

struct fp_env {
	struct lab *lab;
	const struct lab_frame *frame;
	uint32_t ifindex; /* that it came in by */
};

FP_INLINE const struct fp_port *fp_env_port(const struct fp_env *env,
					    __u32 number)
{
	return number < ARRAY_SIZE(env->lab->fp) ? &env->lab->fp[number] : NULL;
}

FP_INLINE const struct fp_state *fp_env_state(const struct fp_env *env,
					      __u32 slot)
{
	assert_in_range(slot, LAB_SLOT + 1, LAB_SLOT + LAB_PORTS);
	return &env->lab->states[slot - LAB_SLOT];
}

FP_INLINE const struct fp_fdb_header *fp_env_fdb(const struct fp_env *env)
{
	return &env->lab->header;
}

FP_INLINE struct fp_bucket *fp_env_bucket(const struct fp_env *env, __u32 index)
{
	assert_in_range(index, 1, env->lab->n_buckets);
	return &env->lab->buckets[index - 1];
}

FP_INLINE __u32 fp_env_ifindex(const struct fp_env *env)
{
	return env->ifindex;
}

FP_INLINE _Bool fp_env_load(const struct fp_env *env, __u32 offset, void *to,
			    __u32 n)
{
	if (offset + n > env->frame->len)
		return false;
	memcpy(to, env->frame->data + offset, n);
	return true;
}

enum fp_verdict lab_decide(struct lab *l, unsigned in,
			   const struct lab_frame *frame,
			   struct fp_decision *decision)
{
	const struct fp_env env = { l, frame, LAB_IFINDEX + in + 1 };
	const struct fp_frame f = {
		.dst = load_mac(frame->data),
		.src = load_mac(frame->data + 6),
		.len = frame->len,
		.gso_size = frame->gso_size,
		.type = load_be16(frame->data + 12),
		.has_tag = frame->has_tag,
		.tag_type = frame->tag_type,
		.tci = frame->tci,
	};

	memset(decision, 0, sizeof(*decision));
	return fp_decide(&env, in + 1, &f, decision);
}

uint32_t lab_shape(const struct lab_frame *f, const struct fp_decision *d,
		   uint8_t out[LAB_FRAME_MAX + VLAN_TAG_LEN])
{
	bool tagged = d->tag_op == FP_TAG_PUSH ||
		      (d->tag_op == FP_TAG_KEEP && f->has_tag);
	unsigned at = 12;

	memcpy(out, f->data, at);
	if (tagged) {
		store_be16(out + at, d->tag_op == FP_TAG_PUSH ? ETH_TYPE_VLAN
							      : f->tag_type);
		store_be16(out + at + 2,
			   d->tag_op == FP_TAG_PUSH ? d->tci : f->tci);
		at += VLAN_TAG_LEN;
	}
	memcpy(out + at, f->data + 12, f->len - 12);
	return f->len - 12 + at;
}

/*
 * Whose MAC an IP address behind the overlay is, for the workers' answers to
 * ARP and neighbor discovery (tunnel/suppress.h). Rows and a control plane say
 * so, and stations themselves where the overlay learns: what they said counts
 * as long as the FDB knows them behind a remote VTEP, and never against what
 * rows or a control plane say. Bounded; strangers may have the half.
 */
#include <stdlib.h>

#include "ovsdb-lite/hash.h"
#include "vswd/net_text.h"
#include "vswd/overlay.h"

#define PAIRS_MAX  65536
#define HEARD_MAX  4096
#define LOOK_AGAIN 10 /* seconds between looks at the FDB */

struct pair {
	struct hmap_node node;
	struct ip_address ip;
	uint16_t vid;
	uint64_t told;	/* by a row or a control plane, perhaps with
			   SUPPRESS_ROUTER; 0: by none */
	uint64_t heard; /* from a station; 0: from none */
};

static uint32_t hash_of(uint16_t vid, const struct ip_address *ip)
{
	return hash_bytes(ip->bytes, ip->len, vid);
}

static struct pair *find(const struct overlay *o, uint16_t vid,
			 const struct ip_address *ip)
{
	uint32_t hash = hash_of(vid, ip);
	struct hmap_node *node = hmap_first(&o->pairs, hash);

	for (; node; node = hmap_same(node->next, hash)) {
		struct pair *p = CONTAINER_OF(node, struct pair, node);

		if (p->vid == vid && ip_address_equal(&p->ip, ip))
			return p;
	}
	return NULL;
}

static struct pair *get(struct overlay *o, uint16_t vid,
			const struct ip_address *ip)
{
	struct pair *p = find(o, vid, ip);

	if (p || o->pairs.n >= PAIRS_MAX)
		return p;
	p = xcalloc(1, sizeof(*p));
	p->vid = vid;
	p->ip = *ip;
	hmap_insert(&o->pairs, &p->node, hash_of(vid, ip));
	return p;
}

/*
 * What the workers know of it; it goes when there is nothing to know. VLAN 0 is
 * any VLAN to them: not what it is in a map.
 */
static void apply(struct overlay *o, struct pair *p)
{
	if (p->vid || !o->config->map)
		suppress_set(o->suppress, p->vid, p->ip.bytes, p->ip.len,
			     p->told ? p->told : p->heard);
	if (p->told || p->heard)
		return;
	hmap_remove(&o->pairs, &p->node);
	free(p);
}

void overlay_pair_set(struct overlay *o, uint16_t vid,
		      const struct ip_address *ip, uint64_t mac)
{
	struct pair *p;

	if (!o->suppress)
		return;
	p = mac ? get(o, vid, ip) : find(o, vid, ip);
	if (!p)
		return;
	p->told = mac;
	apply(o, p);
}

static void set_heard(struct overlay *o, struct pair *p, uint64_t mac)
{
	if (p->heard == mac)
		return;
	o->n_pairs_heard += !!mac - !!p->heard;
	p->heard = mac;
	apply(o, p);
}

void overlay_pair_heard(struct overlay *o, uint16_t vid,
			const struct ip_address *ip, uint64_t mac, bool local)
{
	struct pair *p;

	if (!o->suppress || !o->config->learning)
		return;
	p = find(o, vid, ip);
	if (!p && !local && o->n_pairs_heard < HEARD_MAX)
		p = get(o, vid, ip);
	if (p)
		set_heard(o, p, local ? 0 : mac);
}

static bool is_behind(const struct overlay *o, const struct pair *p)
{
	const struct bridge *b = o->v->bridge;
	int fid = overlay_fid(o, p->vid);
	const struct overlay_remote *r;

	if (fid < 0)
		return false;
	r = bridge_remote_by_number(
		b, fdb_lookup(b->fdb, fdb_make_key(p->heard, fid)));
	return r && r->overlay == o;
}

void overlay_pairs_look(struct overlay *o)
{
	struct hmap_node *node, *next;

	o->look_at_pairs = false;
	if (!o->n_pairs_heard)
		return;
	for (node = hmap_next(&o->pairs, NULL); node; node = next) {
		struct pair *p = CONTAINER_OF(node, struct pair, node);

		next = hmap_next(&o->pairs, node);
		if (p->heard && !is_behind(o, p))
			set_heard(o, p, 0);
	}
}

void overlay_pairs_tick(struct overlay *o)
{
	if (o->look_at_pairs || o->vs->now_s % LOOK_AGAIN == 0)
		overlay_pairs_look(o);
}

static json_t *pair_json(const struct pair *p)
{
	uint64_t mac = p->told ? p->told : p->heard;
	char text[MAC_STRING_SIZE];

	/* Without SUPPRESS_ROUTER. */
	return json_pack("{s:s, s:s, s:i, s:s}", "address",
			 ip_text(&p->ip).text, "mac",
			 mac_format(mac & (SUPPRESS_ROUTER - 1), text), "vlan",
			 (int)p->vid, "origin", p->told ? "told" : "learned");
}

json_t *overlay_pairs_to_json(const struct overlay *o)
{
	json_t *json = json_array();
	const struct hmap_node *node;

	for (node = hmap_next(&o->pairs, NULL);
	     node && json_array_size(json) < OVERLAY_PAIRS_SHOWN;
	     node = hmap_next(&o->pairs, node))
		json_array_append_new(
			json, pair_json(CONTAINER_OF(node, struct pair, node)));
	return json;
}

/* The workers have the table until the next snapshot. */
void overlay_pairs_clear(struct overlay *o)
{
	struct hmap_node *node, *next;

	for (node = hmap_next(&o->pairs, NULL); node; node = next) {
		next = hmap_next(&o->pairs, node);
		hmap_remove(&o->pairs, node);
		free(CONTAINER_OF(node, struct pair, node));
	}
	o->n_pairs_heard = 0;
	if (o->suppress)
		vswitch_doom(o->vs, o->v->bridge)->suppress = o->suppress;
	o->suppress = NULL;
}

void overlay_pairs_configure(struct overlay *o)
{
	if (!o->config->suppress)
		overlay_pairs_clear(o);
	else if (!o->suppress)
		o->suppress = suppress_create(PAIRS_MAX, o->seed);
}

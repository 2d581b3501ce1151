#include "tests/unit/segment_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/csum.h"
#include "packet/parse.h"
#include "port/null.h"
#include "vswd/frames.h"

/* --- configuration ---------------------------------------------------------
 */

static struct cfg_port *make_port(const char *name, const char *type,
				  uint64_t mac, uint8_t id)
{
	struct cfg_port *p = xcalloc(1, sizeof(*p));

	p->refs = 1;
	p->name = xstrdup(name);
	p->made_up = mac;
	p->uuid.lo = id;
	p->n_interfaces = 1;
	p->interfaces = xcalloc(1, sizeof(*p->interfaces));
	p->interfaces->name = xstrdup(name);
	p->interfaces->type = xstrdup(type);
	p->interfaces->mac = mac;
	p->interfaces->uuid.lo = id;
	p->vlan.mode = VLAN_ACCESS;
	return p;
}

struct cfg_segment *lab_config(void)
{
	struct cfg_segment *c = xcalloc(1, sizeof(*c));

	c->refs = 1;
	c->name = xstrdup("lab");
	c->type = SEGMENT_INTERNAL;
	c->mac = LAB_MAC;
	c->ip4 = LAB_IP;
	c->prefix4_len = 24;
	c->ip6.ip[0] = 0xfd;
	c->ip6.ip[1] = 0x20;
	c->ip6.ip[15] = 1;
	c->ip6.prefix_len = 64;
	c->mtu = 1500;
	return c;
}

static struct cfg_bridge *make_bridge(struct cfg_segment *segment)
{
	struct cfg_bridge *b = xcalloc(1, sizeof(*b));

	b->name = xstrdup("lab");
	b->uuid.lo = 9;
	b->mac_age_s = FDB_AGE_DEFAULT;
	b->mac_table_size = FDB_SIZE_DEFAULT;
	b->ports = xcalloc(3, sizeof(*b->ports));
	b->ports[b->n_ports++] = make_port("vm1", "null", 0, 1);
	b->ports[b->n_ports++] = make_port("vm2", "null", 0, 2);
	if (segment)
		b->ports[b->n_ports++] =
			make_port("lab.gw", "gateway", segment->mac, 0);
	b->segment = segment;
	return b;
}

static bool remember(struct packet *p, unsigned thread, void *port_)
{
	struct lab_port *port = port_;
	unsigned i = port->n++ % LAB_FRAMES;

	port->frames[i].len = MIN(p->len, sizeof(port->frames[i].data));
	packet_read(p, 0, port->frames[i].data, port->frames[i].len);
	return true;
}

void lab_configure(struct lab *lab, struct cfg_segment *segment)
{
	struct cfg_switch *c = xcalloc(1, sizeof(*c));

	c->n_workers = 1;
	c->bridges = xcalloc(1, sizeof(*c->bridges));
	c->bridges[c->n_bridges++] = make_bridge(segment);
	vswitch_reconcile(lab->vs, c);
	lab->seg = segment_find(lab->vs, "lab");
	for (int i = 0; i < 2; i++) {
		lab->vm[i].v = vswitch_find_vport(lab->vs, i ? "vm2" : "vm1");
		null_set_sink(lab->vm[i].v->port, remember, &lab->vm[i]);
	}
}

void lab_setup(struct lab *lab)
{
	memset(lab, 0, sizeof(*lab));
	lab->base = event_base_new();
	lab->vs = vswitch_create(lab->base);
	lab->vs->run_dir = "/nonexistent";
	lab_configure(lab, lab_config());
	assert_non_null(lab->seg);
	assert_non_null(lab->seg->router);
	lab_run(lab);
}

void lab_teardown(struct lab *lab)
{
	vswitch_destroy(lab->vs);
	event_base_free(lab->base);
}

/* --- frames in and out -----------------------------------------------------
 */

void lab_run(struct lab *lab)
{
	/* What one event has to follow is another. */
	for (int i = 0; i < 8; i++)
		event_base_loop(lab->base, EVLOOP_NONBLOCK);
}

void lab_send(struct lab *lab, unsigned i, const void *frame, size_t len)
{
	lab->vm[0].n = lab->vm[1].n = 0;
	frames_inject(lab->vs, lab->vm[i].v, frame, len);
	lab_run(lab);
}

uint64_t lab_drops(const struct lab *lab, const char *port,
		   enum drop_reason reason)
{
	struct vport *v = vswitch_find_vport(lab->vs, port);
	struct port_counters c;

	assert_non_null(v);
	assert_non_null(v->port);
	port_get_counters(v->port, &c);
	return c.drops[reason];
}

const uint8_t *lab_sent(const struct lab *lab, unsigned i, uint16_t type,
			size_t *len)
{
	const struct lab_port *port = &lab->vm[i];

	for (unsigned k = port->n; k > 0 && k + LAB_FRAMES > port->n; k--) {
		unsigned at = (k - 1) % LAB_FRAMES;

		if (load_be16(port->frames[at].data + 12) != type)
			continue;
		*len = port->frames[at].len;
		return port->frames[at].data;
	}
	return NULL;
}

static void put_mac(uint8_t *to, uint64_t mac)
{
	store_be16(to, mac >> 32);
	store_be32(to + 2, mac);
}

size_t lab_arp(uint8_t *frame, unsigned n, uint16_t operation, uint32_t from,
	       uint32_t target)
{
	memset(frame, 0, 60);
	put_mac(frame, operation == 1 ? MAC_BROADCAST : LAB_MAC);
	put_mac(frame + 6, VM_MAC(n));
	store_be16(frame + 12, ETH_TYPE_ARP);
	store_be32(frame + 14, 0x00010800);
	store_be32(frame + 18, 0x06040000 | operation);
	put_mac(frame + 22, VM_MAC(n));
	store_be32(frame + 28, from);
	put_mac(frame + 32, operation == 1 ? 0 : LAB_MAC);
	store_be32(frame + 38, target);
	return 60;
}

size_t lab_ip4(uint8_t *frame, uint64_t mac, uint32_t from, uint32_t to,
	       uint8_t ttl, uint8_t proto, const void *payload, size_t len)
{
	uint8_t *ip = frame + ETH_HEADER_LEN;

	put_mac(frame, LAB_MAC);
	put_mac(frame + 6, mac);
	store_be16(frame + 12, ETH_TYPE_IPV4);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	store_be16(ip + 2, 20 + len);
	ip[8] = ttl;
	ip[9] = proto;
	store_be32(ip + 12, from);
	store_be32(ip + 16, to);
	csum_ipv4_header(ip, 20);
	memcpy(ip + 20, payload, len);
	return ETH_HEADER_LEN + 20 + len;
}

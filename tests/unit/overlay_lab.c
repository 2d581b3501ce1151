#include "tests/unit/overlay_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/parse.h"
#include "port/null.h"
#include "vswd/config_read_overlay.h"
#include "vswd/config_segment.h"
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

static void set_options(struct cfg_interface *interface, const char *text)
{
	char *words = xstrdup(text), *rest, *word, *value;

	for (word = strtok_r(words, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		struct port_option *option;

		interface->options =
			xrealloc(interface->options,
				 (interface->n_options + 1) * sizeof(*option));
		option = &interface->options[interface->n_options++];
		value = strchr(word, '=');
		*value = '\0';
		option->key = xstrdup(word);
		option->value = xstrdup(value + 1);
	}
	free(words);
}

static struct cfg_port *make_vxlan(const char *options)
{
	struct cfg_port *p = make_port("vx0", "vxlan", 0, 3);

	set_options(p->interfaces, options);
	p->interfaces->overlay = config_read_overlay(p->interfaces);
	if (p->interfaces->overlay->error)
		fail_msg("%s", p->interfaces->overlay->error);
	return p;
}

static struct cfg_bridge *make_bridge(const char *name, uint8_t id)
{
	struct cfg_bridge *b = xcalloc(1, sizeof(*b));

	b->name = xstrdup(name);
	b->uuid.lo = id;
	b->mac_age_s = FDB_AGE_DEFAULT;
	b->mac_table_size = FDB_SIZE_DEFAULT;
	b->ports = xcalloc(4, sizeof(*b->ports));
	return b;
}

static bool remember(struct packet *p, unsigned thread, void *port_)
{
	struct olab_port *port = port_;
	unsigned i = port->n++ % OLAB_FRAMES;

	port->frames[i].len = MIN(p->len, sizeof(port->frames[i].data));
	packet_read(p, 0, port->frames[i].data, port->frames[i].len);
	return true;
}

static void watch(struct overlay_lab *lab, struct olab_port *port,
		  const char *name)
{
	port->v = vswitch_find_vport(lab->vs, name);
	assert_non_null(port->v->port);
	null_set_sink(port->v->port, remember, port);
}

void olab_configure(struct overlay_lab *lab, const char *options, uint32_t mtu,
		    struct cfg_segment *segment)
{
	struct cfg_bridge *up = make_bridge("up", 8),
			  *b = make_bridge("lab", 9);
	struct cfg_switch *c = xcalloc(1, sizeof(*c));
	struct cfg_port *vxlan = options ? make_vxlan(options) : NULL;

	c->n_workers = 1;
	c->bridges = xcalloc(2, sizeof(*c->bridges));
	c->bridges[c->n_bridges++] = b;
	c->bridges[c->n_bridges++] = up;
	up->ports[up->n_ports++] = make_port("eth0", "null", 0, 1);
	up->ports[0]->interfaces->mtu_request = mtu;
	b->ports[b->n_ports++] = make_port("vm1", "null", 0, 2);
	b->ports[0]->interfaces->mtu_request = 9000;
	if (vxlan) {
		const char *name = vxlan->interfaces->overlay->underlay_port;

		b->ports[b->n_ports++] = vxlan;
		up->ports[up->n_ports++] =
			make_port(name, "vxlan-station", OLAB_MAC, 0);
	}
	for (size_t i = 0; lab->trunk && i < b->n_ports; i++)
		b->ports[i]->vlan.mode = VLAN_TRUNK;
	if (segment)
		b->ports[b->n_ports++] =
			make_port("lab.gw", "gateway", segment->mac, 0);
	b->segment = segment;
	vswitch_reconcile(lab->vs, c);
	lab->o = lab->vs->overlays;
	watch(lab, &lab->eth0, "eth0");
	watch(lab, &lab->vm1, "vm1");
	olab_run(lab);
}

void olab_setup(struct overlay_lab *lab, const char *options, uint32_t mtu)
{
	memset(lab, 0, sizeof(*lab));
	lab->base = event_base_new();
	lab->vs = vswitch_create(lab->base);
	lab->vs->run_dir = "/nonexistent";
	olab_configure(lab, options, mtu, NULL);
}

void olab_teardown(struct overlay_lab *lab)
{
	vswitch_destroy(lab->vs);
	event_base_free(lab->base);
}

/* --- frames in and out -----------------------------------------------------
 */

void olab_run(struct overlay_lab *lab)
{
	/* What one event has to follow is another. */
	for (int i = 0; i < 8; i++) {
		event_base_loop(lab->base, lab->vs->commit_soon
						   ? EVLOOP_ONCE
						   : EVLOOP_NONBLOCK);
		vswitch_commit(lab->vs);
	}
}

void olab_send(struct overlay_lab *lab, struct olab_port *port,
	       const void *frame, size_t len)
{
	lab->eth0.n = lab->vm1.n = 0;
	frames_inject(lab->vs, port->v, frame, len);
	olab_run(lab);
}

const uint8_t *olab_sent(const struct olab_port *port, uint16_t type,
			 unsigned i, size_t *len)
{
	for (unsigned k = port->n; k > 0 && k + OLAB_FRAMES > port->n; k--) {
		unsigned at = (k - 1) % OLAB_FRAMES;

		if (load_be16(port->frames[at].data + 12) != type || i--)
			continue;
		*len = port->frames[at].len;
		return port->frames[at].data;
	}
	return NULL;
}

struct overlay_remote *olab_remote(struct overlay_lab *lab, const char *text)
{
	struct overlay_remote *r = lab->o->remotes;

	while (r && strcmp(ip_text(&r->ip).text, text) != 0)
		r = r->next;
	assert_non_null(r);
	return r;
}

void olab_put_mac(uint8_t *to, uint64_t mac)
{
	store_be16(to, mac >> 32);
	store_be32(to + 2, mac);
}

size_t olab_arp(uint8_t *frame, uint16_t operation, uint64_t mac, uint32_t from,
		uint32_t target)
{
	memset(frame, 0, 60);
	olab_put_mac(frame, operation == 1 ? MAC_BROADCAST : OLAB_MAC);
	olab_put_mac(frame + 6, mac);
	store_be16(frame + 12, ETH_TYPE_ARP);
	store_be32(frame + 14, 0x00010800);
	store_be32(frame + 18, 0x06040000 | operation);
	olab_put_mac(frame + 22, mac);
	store_be32(frame + 28, from);
	olab_put_mac(frame + 32, operation == 1 ? 0 : OLAB_MAC);
	store_be32(frame + 38, target);
	return 60;
}

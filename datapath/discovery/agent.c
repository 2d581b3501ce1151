#include "discovery/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "discovery/cdp_pdu.h"
#include "discovery/lldp_pdu.h"
#include "discovery/text.h"
#include "discovery/transmit.h"
#include "packet/reader.h"

LOG_MODULE(lldp);

#define FRAME_MAX MAX(LLDP_FRAME_MAX, CDP_FRAME_MAX)

struct discovery_port {
	struct discovery *d;
	struct discovery_port *next;
	char *name;
	void *owner;
	unsigned mode;
	bool link_up;
	struct neighbor_table neighbors;
	struct discovery_counters counters[N_DISCOVERY_PROTOCOLS];
	struct transmit tx[N_DISCOVERY_PROTOCOLS];
	uint64_t said[N_DISCOVERY_PROTOCOLS]; /* hash of what was last sent */
};

struct discovery {
	const struct discovery_ops *ops;
	void *ops_arg;
	struct discovery_port *ports;
	struct neighbor_pool pool;
};

static const unsigned rx_bit[] = { DISCOVERY_LLDP_RX, DISCOVERY_CDP_RX };
static const unsigned tx_bit[] = { DISCOVERY_LLDP_TX, DISCOVERY_CDP_TX };
/*
 * The last words. By CDP's 0 a receiver is to forget us at once, too; but lldpd
 * keeps us then, and by 1 everybody forgets us in a second.
 */
static const uint16_t last_ttl_s[] = { 0, 1 };

const char *discovery_protocol_name(enum discovery_protocol protocol)
{
	return protocol == DISCOVERY_LLDP ? "LLDP" : "CDP";
}

/* --- sending -------------------------------------------------------------- */

static bool make_frame(struct discovery_port *port,
		       enum discovery_protocol protocol, uint16_t ttl_s,
		       uint8_t frame[FRAME_MAX], size_t *len, bool *too_long)
{
	struct discovery_info info = { .protocol = protocol, .ttl_s = ttl_s };
	uint64_t source = 0;

	if (!port->d->ops->describe(port->owner, &info, &source,
				    port->d->ops_arg))
		return false;
	if (protocol == DISCOVERY_LLDP)
		*len = lldp_encode(&info, source, frame, too_long);
	else
		*len = cdp_encode(&info, source, frame, too_long);
	return true;
}

/* FNV-1a: to see that something has changed; nobody gains by a collision. */
static uint64_t hash_frame(const uint8_t *frame, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ frame[i]) * 0x100000001b3;
	return hash;
}

static void send_frame(struct discovery_port *port,
		       enum discovery_protocol protocol, uint16_t ttl_s)
{
	struct discovery_counters *c = &port->counters[protocol];
	uint8_t frame[FRAME_MAX];
	bool too_long;
	size_t len;

	if (!make_frame(port, protocol, ttl_s, frame, &len, &too_long))
		return;
	c->length_errors += too_long;
	c->frames_out++;
	port->said[protocol] = hash_frame(frame, len);
	port->d->ops->send(port->owner, frame, len, port->d->ops_arg);
}

static void shut_down(struct discovery_port *port,
		      enum discovery_protocol protocol, uint64_t now_ms)
{
	struct transmit *tx = &port->tx[protocol];

	/* Who was never told that we are there need not be told this. */
	if (tx->running && port->said[protocol])
		send_frame(port, protocol, last_ttl_s[protocol]);
	port->said[protocol] = 0;
	transmit_shut_down(tx, now_ms);
}

static void run_port(struct discovery_port *port, uint64_t now_ms)
{
	for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++)
		if (transmit_run(&port->tx[p], now_ms))
			send_frame(port, p, TX_TTL_S);
}

void discovery_port_refresh(struct discovery_port *port, uint64_t now_ms)
{
	uint8_t frame[FRAME_MAX];
	size_t len;

	for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++) {
		if (!port->tx[p].running || !port->said[p] ||
		    !make_frame(port, p, TX_TTL_S, frame, &len, NULL))
			continue;
		if (hash_frame(frame, len) != port->said[p])
			transmit_local_change(&port->tx[p], now_ms);
	}
}

/* --- receiving ------------------------------------------------------------ */

static void log_neighbor(const struct discovery_port *port,
			 const struct discovery_info *info, const char *what)
{
	char chassis[DISCOVERY_NAME_SIZE], id[DISCOVERY_NAME_SIZE];

	log_info_limited("interface %s: %s neighbor %s%s%s, port %s%s",
			 port->name, discovery_protocol_name(info->protocol),
			 chassis_format(&info->chassis, chassis),
			 info->system_name[0] ? " " : "", info->system_name,
			 port_id_format(&info->port, id), what);
}

static void on_aged(const struct neighbor_entry *entry, void *arg)
{
	struct discovery_info info;

	neighbor_decode(entry, &info);
	log_neighbor(arg, &info, " is not heard any more");
}

static void take(struct discovery_port *port, const struct discovery_info *info,
		 uint64_t source, const uint8_t *pdu, size_t len,
		 uint64_t now_ms)
{
	struct discovery_counters *c = &port->counters[info->protocol];

	neighbor_table_age(&port->neighbors, now_ms, on_aged, port);
	switch (neighbor_heard(&port->neighbors, info, source, pdu, len,
			       now_ms)) {
	case NEIGHBOR_NEW:
		log_neighbor(port, info, "");
		for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++)
			transmit_new_neighbor(&port->tx[p], now_ms);
		break;
	case NEIGHBOR_GONE:
		log_neighbor(port, info, " says that it goes");
		break;
	case NEIGHBOR_TOO_MANY:
		c->frames_discarded++;
		log_warn_limited("interface %s: more than %d neighbors, or %d "
				 "of all interfaces; others are ignored",
				 port->name, NEIGHBORS_PER_PORT, NEIGHBORS_MAX);
		break;
	case NEIGHBOR_SAME:
	case NEIGHBOR_CHANGED:
	case NEIGHBOR_UNKNOWN:
		break;
	}
}

/* To what the protocol's decoder takes: the rest of r. */
static bool open_frame(struct reader *r, enum discovery_protocol protocol,
		       uint64_t *source)
{
	reader_mac(r);
	*source = reader_mac(r);
	if (protocol == DISCOVERY_CDP)
		return !r->failed;
	return reader_be16(r) == ETH_TYPE_LLDP && !r->failed;
}

static void count(struct discovery_counters *c, int error,
		  const struct discovery_parse_notes *notes)
{
	if (error) {
		c->frames_discarded++;
		c->frames_in_errors += error == -EBADMSG;
	} else if (notes->tlvs_discarded) {
		c->frames_in_errors++;
	}
	c->tlvs_discarded += notes->tlvs_discarded;
	c->tlvs_unrecognized += notes->tlvs_unrecognized;
}

void discovery_receive(struct discovery_port *port,
		       enum discovery_protocol protocol, const void *frame,
		       size_t len, uint64_t now_ms)
{
	struct discovery_counters *c = &port->counters[protocol];
	struct discovery_parse_notes notes = { 0 };
	struct discovery_info info;
	int error = -EBADMSG;
	struct reader r;
	uint64_t source;

	if (!(port->mode & rx_bit[protocol]) || !port->link_up)
		return;
	c->frames_in++;
	reader_init(&r, frame, len);
	if (!open_frame(&r, protocol, &source))
		;
	else if (protocol == DISCOVERY_LLDP)
		error = lldp_decode(r.at, reader_left(&r), &info, &notes);
	else
		error = cdp_decode(r.at, reader_left(&r), &info, &notes);
	count(c, error, &notes);
	if (error)
		return;
	take(port, &info, source, r.at, reader_left(&r), now_ms);
}

/* --- ports ---------------------------------------------------------------- */

struct discovery_port *discovery_add_port(struct discovery *d, const char *name,
					  void *owner)
{
	struct discovery_port *port = xcalloc(1, sizeof(*port));

	port->d = d;
	port->name = xstrdup(name);
	port->owner = owner;
	neighbor_table_init(&port->neighbors, &d->pool);
	port->next = d->ports;
	d->ports = port;
	return port;
}

static void free_port(struct discovery_port *port)
{
	neighbor_table_clear(&port->neighbors);
	free(port->name);
	free(port);
}

void discovery_remove_port(struct discovery_port *port, uint64_t now_ms)
{
	struct discovery_port **p = &port->d->ports;

	for (int i = 0; i < N_DISCOVERY_PROTOCOLS; i++)
		shut_down(port, i, now_ms);
	while (*p != port)
		p = &(*p)->next;
	*p = port->next;
	free_port(port);
}

void discovery_port_configure(struct discovery_port *port, unsigned mode,
			      uint64_t now_ms)
{
	for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++) {
		bool sent = port->mode & tx_bit[p], sends = mode & tx_bit[p];

		if (sent && !sends)
			shut_down(port, p, now_ms);
		else if (!sent && sends && port->link_up)
			transmit_start(&port->tx[p], now_ms);
		if (!(mode & rx_bit[p]))
			neighbor_table_clear_protocol(&port->neighbors, p);
	}
	port->mode = mode;
}

unsigned discovery_port_mode(const struct discovery_port *port)
{
	return port->mode;
}

void discovery_port_set_link(struct discovery_port *port, bool up,
			     uint64_t now_ms)
{
	if (port->link_up == up)
		return;
	port->link_up = up;
	for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++) {
		if (!up) {
			transmit_stop(&port->tx[p]);
			port->said[p] = 0;
		} else if (port->mode & tx_bit[p]) {
			transmit_start(&port->tx[p], now_ms);
		}
	}
	if (!up)
		neighbor_table_clear(&port->neighbors);
}

const struct neighbor_table *discovery_port_neighbors(
	const struct discovery_port *port)
{
	return &port->neighbors;
}

const struct discovery_counters *discovery_port_counters(
	const struct discovery_port *port, enum discovery_protocol protocol)
{
	return &port->counters[protocol];
}

/* --- all ------------------------------------------------------------------ */

struct discovery *discovery_create(const struct discovery_ops *ops,
				   void *ops_arg)
{
	struct discovery *d = xcalloc(1, sizeof(*d));

	d->ops = ops;
	d->ops_arg = ops_arg;
	return d;
}

void discovery_destroy(struct discovery *d)
{
	struct discovery_port *port;

	if (!d)
		return;
	while ((port = d->ports)) {
		d->ports = port->next;
		free_port(port);
	}
	free(d);
}

void discovery_run(struct discovery *d, uint64_t now_ms)
{
	for (struct discovery_port *port = d->ports; port; port = port->next) {
		neighbor_table_age(&port->neighbors, now_ms, on_aged, port);
		run_port(port, now_ms);
	}
}

uint64_t discovery_next_ms(const struct discovery *d)
{
	uint64_t next = UINT64_MAX;

	for (const struct discovery_port *port = d->ports; port;
	     port = port->next) {
		next = MIN(next, neighbor_table_next_ms(&port->neighbors));
		for (int p = 0; p < N_DISCOVERY_PROTOCOLS; p++)
			next = MIN(next, transmit_next_ms(&port->tx[p]));
	}
	return next;
}

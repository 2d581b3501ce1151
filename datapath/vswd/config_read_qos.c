/*
 * Tables QoS and Queue, and the keys egress-* of a port. The first are Open
 * vSwitch's for linux-htb, with a way to choose queues that needs no flows:
 * QoS:other_config:select and Queue:other_config:match.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "shape/rate.h"
#include "vswd/config_qos.h"
#include "vswd/config_read.h"

LOG_MODULE(config);

#define KBPS_MAX     (RATE_BPS_MAX / 1000)
#define BURST_KB_MAX (RATE_BURST_MAX / 1000)
#define BITS_MAX     ((int64_t)RATE_BURST_MAX * 8)

static bool has(const struct ovsdb_datum *map, const char *key)
{
	return ovsdb_datum_get_string(map, key) != NULL;
}

/* --- keys of a port --------------------------------------------------------
 */

static bool has_keys(const struct db_columns *columns,
		     const struct ovsdb_client_row *row, enum db_column column)
{
	const struct ovsdb_datum *other = db_get(columns, row, column);

	return has(other, "egress-average-kbps") ||
	       has(other, "egress-peak-kbps") || has(other, "egress-burst-kb");
}

static void make_default(struct shaper_config *c)
{
	c->n_queues = 1;
	c->queues[0] = (struct shaper_queue_config){
		.dscp = SHAPER_DSCP_KEPT,
	};
}

static struct cfg_qos *read_keys(struct cfg_port *port,
				 const struct ovsdb_datum *other)
{
	char *where = xasprintf("port %s: other_config", port->name);
	struct cfg_qos *qos = xcalloc(1, sizeof(*qos));
	struct shaper_config *c = &qos->shaper;

	make_default(c);
	c->average_bps = config_map_integer(other, where, "egress-average-kbps",
					    1, KBPS_MAX, 0) *
			 1000ull;
	c->peak_bps = config_map_integer(other, where, "egress-peak-kbps", 1,
					 KBPS_MAX, 0) *
		      1000ull;
	c->burst_bytes = config_map_integer(other, where, "egress-burst-kb", 1,
					    BURST_KB_MAX, 0) *
			 1000ull;
	free(where);
	if (c->average_bps && (!c->peak_bps || c->peak_bps >= c->average_bps))
		return qos;
	if (c->average_bps) {
		cfg_port_refuse(
			port,
			xasprintf("egress-peak-kbps=%" PRIu64 " is less than "
				  "egress-average-kbps=%" PRIu64
				  "; the average is kept, without a peak",
				  c->peak_bps / 1000, c->average_bps / 1000));
		c->peak_bps = 0;
		return qos;
	}
	if (!has(other, "egress-average-kbps"))
		cfg_port_refuse(
			port,
			xasprintf("%s is set, but egress-average-kbps is not; "
				  "nothing is shaped",
				  c->peak_bps ? "egress-peak-kbps"
					      : "egress-burst-kb"));
	free(qos);
	return NULL;
}

/* --- rows ------------------------------------------------------------------
 */

struct reading {
	struct cfg_port *port;
	const struct db_columns *columns;
	const struct db_port_rows *rows;
	struct shaper_config *config;
	char *where; /* of what is read now, for the log */
};

static enum shaper_select read_select(struct reading *r,
				      const struct ovsdb_datum *other)
{
	const char *text = ovsdb_datum_get_string(other, "select");

	if (!text)
		return SHAPER_BY_NOTHING;
	if (!strcmp(text, "pcp"))
		return SHAPER_BY_PCP;
	if (!strcmp(text, "dscp"))
		return SHAPER_BY_DSCP;
	log_warn("%s:select is \"%s\"; it must be pcp or dscp; all packets are "
		 "in the default queue",
		 r->where, text);
	return SHAPER_BY_NOTHING;
}

/* Numbers from 0 to max with commas or spaces between them; false: others. */
static bool parse_values(const char *text, unsigned max, uint64_t *values)
{
	*values = 0;
	while (*(text += strspn(text, ", "))) {
		unsigned long n;
		char *end;

		if (!isdigit((unsigned char)*text))
			return false;
		n = strtoul(text, &end, 10);
		if (n > max || (*end && *end != ',' && *end != ' '))
			return false;
		*values |= 1ull << n;
		text = end;
	}
	return *values;
}

/* What an earlier queue has is not for this one as well. */
static void check_match(struct reading *r, struct shaper_queue_config *q)
{
	for (unsigned i = 0; i < r->config->n_queues; i++) {
		const struct shaper_queue_config *other = &r->config->queues[i];
		uint64_t both = other->match & q->match;

		if (other == q || !both)
			continue;
		cfg_port_refuse(
			r->port,
			xasprintf("queues %u and %u of its QoS both match %s "
				  "%d; it goes to queue %u",
				  other->id, q->id,
				  r->config->select == SHAPER_BY_PCP ? "pcp"
								     : "dscp",
				  __builtin_ctzll(both), other->id));
		q->match &= ~both;
	}
}

static void read_match(struct reading *r, struct shaper_queue_config *q,
		       const struct ovsdb_datum *other)
{
	unsigned max = r->config->select == SHAPER_BY_PCP ? 7 : 63;
	const char *text = ovsdb_datum_get_string(other, "match");

	if (!text)
		return;
	if (r->config->select == SHAPER_BY_NOTHING) {
		cfg_port_refuse(
			r->port,
			xasprintf("queue %u of its QoS has match=%s, but the "
				  "QoS has no select=pcp or select=dscp",
				  q->id, text));
		return;
	}
	if (!parse_values(text, max, &q->match)) {
		q->match = 0;
		cfg_port_refuse(
			r->port,
			xasprintf(
				"queue %u of its QoS has match=%s; for "
				"select=%s it must be numbers from 0 to %u "
				"with commas between them; nothing is matched",
				q->id, text, max == 7 ? "pcp" : "dscp", max));
		return;
	}
	check_match(r, q);
}

static void read_queue(struct reading *r, struct shaper_queue_config *q,
		       const struct ovsdb_client_row *row)
{
	const struct ovsdb_datum *other =
		db_get(r->columns, row, DB_QUEUE_OTHER_CONFIG);
	int64_t dscp = db_get_integer(r->columns, row, DB_QUEUE_DSCP, -1);

	free(r->where);
	r->where = xasprintf("port %s: queue %u: other_config", r->port->name,
			     q->id);
	q->min_bps = config_map_integer(other, r->where, "min-rate", 1,
					RATE_BPS_MAX, 0);
	q->max_bps = config_map_integer(other, r->where, "max-rate", 1,
					RATE_BPS_MAX, 0);
	q->burst_bytes =
		config_map_integer(other, r->where, "burst", 1, BITS_MAX, 0) /
		8;
	q->priority = config_map_integer(other, r->where, "priority", 0,
					 UINT32_MAX, 0);
	if (dscp >= 0 && dscp < 64)
		q->dscp = dscp;
	if (q->max_bps && q->min_bps > q->max_bps) {
		cfg_port_refuse(
			r->port,
			xasprintf("queue %u of its QoS: min-rate=%" PRIu64
				  " is more than max-rate=%" PRIu64
				  "; the max-rate is kept",
				  q->id, q->min_bps, q->max_bps));
		q->min_bps = q->max_bps;
	}
	if (r->config->average_bps && q->max_bps > r->config->average_bps)
		cfg_port_refuse(
			r->port,
			xasprintf("queue %u of its QoS: max-rate=%" PRIu64
				  " is more than the QoS's max-rate=%" PRIu64
				  ", which is not exceeded",
				  q->id, q->max_bps, r->config->average_bps));
	read_match(r, q, other);
}

/* Its place; queue 0 is the first, whatever the rows say. */
static void read_queues(struct reading *r)
{
	const struct ovsdb_datum *refs =
		db_get(r->columns, r->rows->qos, DB_QOS_QUEUES);
	struct shaper_config *c = r->config;

	make_default(c);
	for (size_t i = 0; i < r->rows->n_queues; i++) {
		uint32_t id = refs->keys[i].integer;
		struct shaper_queue_config *q = &c->queues[0];

		if (!r->rows->queues[i])
			continue;
		if (id && c->n_queues == SHAPER_QUEUES_MAX) {
			cfg_port_refuse(
				r->port,
				xasprintf("its QoS has more than %u queues; "
					  "those from %u on are left out",
					  SHAPER_QUEUES_MAX, id));
			break;
		}
		if (id) {
			q = &c->queues[c->n_queues++];
			q->id = id;
			q->dscp = SHAPER_DSCP_KEPT;
		}
		read_queue(r, q, r->rows->queues[i]);
	}
}

static void check_minimums(struct reading *r)
{
	const struct shaper_config *c = r->config;
	uint64_t sum = 0;

	for (unsigned i = 0; i < c->n_queues; i++)
		sum += c->queues[i].min_bps;
	if (c->average_bps && sum > c->average_bps)
		cfg_port_refuse(
			r->port,
			xasprintf(
				"min-rate of its QoS's queues is %" PRIu64
				" together, more than the QoS's max-rate=%" PRIu64
				"; not all can be kept",
				sum, c->average_bps));
}

/* Whether any queue limits or marks anything: without, it does nothing. */
static bool has_effect(const struct shaper_config *c)
{
	for (unsigned i = 0; i < c->n_queues; i++)
		if (c->queues[i].max_bps ||
		    c->queues[i].dscp != SHAPER_DSCP_KEPT)
			return true;
	return c->average_bps;
}

static bool is_known(struct reading *r)
{
	const char *type =
		db_get_string(r->columns, r->rows->qos, DB_QOS_TYPE, "");

	if (!strcmp(type, "linux-htb") || !strcmp(type, "linux-hfsc"))
		return true;
	if (type[0] && strcmp(type, "linux-noop"))
		cfg_port_refuse(
			r->port,
			xasprintf("its QoS is of type %s, which is not known; "
				  "it must be linux-htb (or linux-hfsc, "
				  "linux-noop); nothing is shaped",
				  type));
	return false;
}

static struct cfg_qos *read_rows(struct reading *r)
{
	const struct ovsdb_datum *other =
		db_get(r->columns, r->rows->qos, DB_QOS_OTHER_CONFIG);
	struct cfg_qos *qos;

	if (!is_known(r))
		return NULL;
	qos = xcalloc(1, sizeof(*qos));
	r->config = &qos->shaper;
	r->where = xasprintf("port %s: qos: other_config", r->port->name);
	r->config->average_bps = config_map_integer(other, r->where, "max-rate",
						    1, RATE_BPS_MAX, 0);
	r->config->select = read_select(r, other);
	read_queues(r);
	check_minimums(r);
	free(r->where);
	if (has_effect(&qos->shaper))
		return qos;
	cfg_port_refuse(r->port,
			xstrdup("its QoS is without effect: neither it nor a "
				"queue of it has a max-rate, and no queue has "
				"a dscp"));
	free(qos);
	return NULL;
}

void config_read_qos(struct cfg_port *port, const struct db_columns *columns,
		     const struct ovsdb_client_row *merged,
		     const struct db_port_rows *rows)
{
	struct reading r = { .port = port, .columns = columns, .rows = rows };
	bool own_qos = db_get(columns, rows->port, DB_PORT_QOS)->n;
	bool own_keys = has_keys(columns, rows->port, DB_PORT_OTHER_CONFIG);
	bool keys = has_keys(columns, merged, DB_PORT_OTHER_CONFIG);

	/* A port's own setting wins over its group's, of either kind. */
	if (rows->qos && keys && own_qos == own_keys)
		cfg_port_refuse(
			port, xasprintf("%s both a qos and other_config:"
					"egress-average-kbps; the qos is used",
					own_qos ? "it has" : "its group has"));
	if (rows->qos && (own_qos || !own_keys))
		port->qos = read_rows(&r);
	else if (keys)
		port->qos = read_keys(
			port, db_get(columns, merged, DB_PORT_OTHER_CONFIG));
}

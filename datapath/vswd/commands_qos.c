/* qos/show: shapers of ports, their queues, and what these do. */
#include <stdlib.h>

#include "vswd/commands.h"
#include "vswd/json_field.h"
#include "vswd/port_policy.h"
#include "vswd/port_rows.h"
#include "vswd/port_shaper.h"
#include "vswd/switch.h"

/* NULL: the port has none. A bond's is the bond's own. */
static const struct port_shaper *shaper_of(const struct port_row *row)
{
	const struct port_policy *policy;

	if (row->vport)
		policy = row->bond ? NULL : row->vport->policy;
	else
		policy = row->bond->policy;
	if (!policy || !port_shaper_get(policy->shaper))
		return NULL;
	return policy->shaper;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *queue_json(const struct shaper_queue_config *c,
			  const struct shaper_stats *s)
{
	json_t *json = json_object();

	json_object_set_new(json, "queue", number(s->id));
	json_object_set_new(json, "min_rate", number(c->min_bps));
	json_object_set_new(json, "max_rate", number(c->max_bps));
	json_object_set_new(json, "priority", number(c->priority));
	json_object_set_new(json, "tx_packets", number(s->packets));
	json_object_set_new(json, "tx_bytes", number(s->bytes));
	json_object_set_new(json, "backlog_packets",
			    number(s->backlog_packets));
	json_object_set_new(json, "backlog_bytes", number(s->backlog_bytes));
	json_object_set_new(json, "delay_us", number(s->delay_ns / 1000));
	json_object_set_new(json, "delay_max_us",
			    number(s->delay_max_ns / 1000));
	json_object_set_new(json, "dropped_codel", number(s->codel));
	json_object_set_new(json, "dropped_full", number(s->full));
	json_object_set_new(json, "marked", number(s->marked));
	return json;
}

static json_t *shaper_json(const struct port_row *row,
			   const struct port_shaper *ps)
{
	const struct shaper_config *c = port_shaper_config(ps);
	struct shaper_stats stats[SHAPER_QUEUES_MAX];
	unsigned n =
		shaper_get_stats(port_shaper_get(ps), stats, SHAPER_QUEUES_MAX);
	json_t *queues = json_array(), *json = json_object();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(queues,
				      queue_json(&c->queues[i], &stats[i]));
	json_object_set_new(json, "port", json_string(port_row_name(row)));
	json_object_set_new(json, "bridge",
			    json_string(port_row_bridge(row)->name));
	json_object_set_new(json, "average", number(c->average_bps));
	json_object_set_new(json, "peak", number(c->peak_bps));
	json_object_set_new(json, "burst", number(c->burst_bytes));
	json_object_set_new(json, "select",
			    json_string(c->select == SHAPER_BY_PCP ? "pcp"
					: c->select == SHAPER_BY_DSCP
						? "dscp"
						: "none"));
	json_object_set_new(json, "dropped_full",
			    number(shaper_refused(port_shaper_get(ps))));
	json_object_set_new(json, "queues", queues);
	return json;
}

/* --- as text ---------------------------------------------------------------
 */

static void rate_text(struct text *text, const char *title, const json_t *json,
		      const char *field)
{
	if (field_number(json, field))
		text_add(text, "  %s: %llu bit/s\n", title,
			 field_number(json, field));
}

static void queue_text(struct text *text, const json_t *q)
{
	unsigned long long delay_us = field_number(q, "delay_us"),
			   max_us = field_number(q, "delay_max_us");

	text_add(text, "  queue %llu: priority %llu", field_number(q, "queue"),
		 field_number(q, "priority"));
	if (field_number(q, "min_rate"))
		text_add(text, ", at least %llu bit/s",
			 field_number(q, "min_rate"));
	if (field_number(q, "max_rate"))
		text_add(text, ", at most %llu bit/s",
			 field_number(q, "max_rate"));
	text_add(
		text,
		"\n    sent: %llu packets, %llu bytes\n"
		"    waiting: %llu packets, %llu bytes; delay lately %llu.%03llu"
		" ms, at most %llu.%03llu ms\n"
		"    dropped: %llu by CoDel, %llu as it was full; %llu marked "
		"instead\n",
		field_number(q, "tx_packets"), field_number(q, "tx_bytes"),
		field_number(q, "backlog_packets"),
		field_number(q, "backlog_bytes"), delay_us / 1000,
		delay_us % 1000, max_us / 1000, max_us % 1000,
		field_number(q, "dropped_codel"),
		field_number(q, "dropped_full"), field_number(q, "marked"));
}

static void shaper_text(struct text *text, const json_t *json)
{
	const json_t *queue;
	size_t i;

	text_add(text, "%s (bridge %s)\n", field_text(json, "port"),
		 field_text(json, "bridge"));
	rate_text(text, "average", json, "average");
	rate_text(text, "peak", json, "peak");
	if (field_number(json, "burst"))
		text_add(text, "  burst: %llu bytes\n",
			 field_number(json, "burst"));
	if (json_array_size(json_object_get(json, "queues")) > 1)
		text_add(text, "  queues by: %s\n", field_text(json, "select"));
	if (field_number(json, "dropped_full"))
		text_add(text, "  dropped before any queue: %llu\n",
			 field_number(json, "dropped_full"));
	json_array_foreach(json_object_get(json, "queues"), i, queue)
		queue_text(text, queue);
}

static void fail_unshaped(struct control_request *request,
			  const struct port_row *row, const char *name)
{
	const struct cfg_port *config =
		row->vport ? row->vport->config : row->bond->config;

	if (config && config->error)
		command_fail(request, "%s is not shaped: %s", name,
			     config->error);
	else
		command_fail(request,
			     "%s is not shaped: neither it nor its port group "
			     "has a qos of type linux-htb or linux-hfsc, or "
			     "other_config:egress-average-kbps",
			     name);
}

static void cmd_qos_show(struct control_request *request, int argc,
			 const char *const argv[], void *aux)
{
	struct port_row *rows;
	json_t *all;
	size_t n;

	rows = port_rows_named(request, aux, argc, argv, &n);
	if (!rows)
		return;
	all = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct port_shaper *ps = shaper_of(&rows[i]);

		if (ps)
			json_array_append_new(all, shaper_json(&rows[i], ps));
	}
	if (argc > 1 && !json_array_size(all)) {
		fail_unshaped(request, &rows[0], argv[1]);
		json_decref(all);
	} else {
		command_reply_each(request, all, shaper_text);
	}
	free(rows);
}

void commands_register_qos(struct control_server *server, struct vswitch *vs)
{
	control_register(server, "qos/show", "[port]", 0, 1, cmd_qos_show, vs);
}

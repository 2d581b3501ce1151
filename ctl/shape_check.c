#include "ctl/shape_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/effective.h"
#include "ctl/view.h"

static bool is_touched(const struct view_row *row, const char *table,
		       const char *column)
{
	return !strcmp(row->table, table) && !row->deleted &&
	       (view_is_changed(row, "other_config") ||
		view_is_changed(row, column));
}

/* 0: not set. Each alone was looked at when it was set (settings.h). */
static unsigned long long number(struct view_row *row, const char *key)
{
	const char *text = view_get_key(row, "other_config", key);

	return text ? strtoull(text, NULL, 10) : 0;
}

static const char *const egress_keys[] = { "egress-average-kbps",
					   "egress-peak-kbps",
					   "egress-burst-kb" };

/* 0: not set, or said to be none. */
static unsigned long long effective(struct ctl *ctl, struct view_row *row,
				    const char *key)
{
	const char *text = effective_get(ctl, row, key);

	return text ? strtoull(text, NULL, 10) : 0;
}

static bool has_qos(struct view_row *row)
{
	json_t *qos = view_get_set(row, "qos");
	bool has = json_array_size(qos);

	json_decref(qos);
	return has;
}

static bool has_own_keys(struct view_row *row)
{
	for (size_t i = 0; i < ARRAY_SIZE(egress_keys); i++)
		if (view_get_key(row, "other_config", egress_keys[i]))
			return true;
	return false;
}

/* Of a port its group's count, too, but not beside the other kind of its own.
 */
static void check_egress(struct ctl *ctl, struct view_row *row)
{
	const char *what = strcmp(row->table, "Port") ? "port group" : "port";
	const char *name = view_get_string(row, "name");
	unsigned long long average = effective(ctl, row, egress_keys[0]);
	unsigned long long peak = effective(ctl, row, egress_keys[1]);
	unsigned long long burst = effective(ctl, row, egress_keys[2]);
	const char *key = egress_keys[average ? 0 : peak ? 1 : 2];
	bool own_qos = has_qos(row), own_keys = has_own_keys(row);

	if ((!average && !peak && !burst) || (own_qos && !own_keys))
		return;
	if (!average && !effective_get(ctl, row, egress_keys[0]))
		ctl_fatal("%s %s: other_config:%s%s is set, but "
			  "other_config:egress-average-kbps is not; nothing "
			  "would be shaped",
			  what, name, key, effective_origin(row, key));
	if (peak && average && peak < average)
		ctl_fatal("%s %s: other_config:egress-peak-kbps=%llu%s is less "
			  "than other_config:egress-average-kbps=%llu%s",
			  what, name, peak,
			  effective_origin(row, egress_keys[1]), average,
			  effective_origin(row, egress_keys[0]));
	if (own_qos)
		ctl_fatal("%s %s: qos and other_config:%s contradict each "
			  "other; a port has one of them",
			  what, name, key);
}

static void check_queue(struct view_row *row)
{
	unsigned long long min = number(row, "min-rate");
	unsigned long long max = number(row, "max-rate");

	if (max && min > max)
		ctl_fatal("queue: other_config:min-rate=%llu is more than "
			  "other_config:max-rate=%llu",
			  min, max);
}

#define QUEUES_MAX 64 /* shape/shaper.h */

struct qos {
	const char *select;
	unsigned long long max;	  /* bit/s, or 0 */
	unsigned long long sum;	  /* of the queues' minimums */
	unsigned char owners[64]; /* by value: place of the queue, from 1 */
	long long ids[QUEUES_MAX + 1]; /* by place */
	unsigned n;
};

static void check_type(struct view_row *row)
{
	static const char *const types[] = { "", "linux-htb", "linux-hfsc",
					     "linux-noop" };
	const char *type = view_get_string(row, "type");

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(type, types[i]))
			return;
	ctl_fatal("a QoS cannot be of type %s; it is one of: linux-htb "
		  "linux-hfsc linux-noop",
		  type);
}

static void check_match(struct qos *qos, const char *match)
{
	unsigned max;

	if (!qos->select)
		ctl_fatal("queue %lld has other_config:match=%s, but its QoS "
			  "has no other_config:select=pcp or select=dscp",
			  qos->ids[qos->n], match);
	max = strcmp(qos->select, "pcp") ? 63 : 7;
	for (const char *at = match; *(at += strcspn(at, "0123456789"));
	     at += strspn(at, "0123456789")) {
		unsigned long value = strtoul(at, NULL, 10);

		if (value > max)
			ctl_fatal("queue %lld has other_config:match=%s, but "
				  "other_config:select=%s of its QoS goes from "
				  "0 to %u",
				  qos->ids[qos->n], match, qos->select, max);
		if (qos->owners[value] && qos->owners[value] != qos->n)
			ctl_fatal("queues %lld and %lld of a QoS both have %lu "
				  "in other_config:match",
				  qos->ids[qos->owners[value]],
				  qos->ids[qos->n], value);
		qos->owners[value] = qos->n;
	}
}

static void check_queue_of(struct qos *qos, struct view_row *queue)
{
	unsigned long long max = number(queue, "max-rate");
	const char *match = view_get_key(queue, "other_config", "match");

	qos->sum += number(queue, "min-rate");
	if (qos->max && max > qos->max)
		ctl_fatal("queue %lld: other_config:max-rate=%llu is more than "
			  "other_config:max-rate=%llu of its QoS",
			  qos->ids[qos->n], max, qos->max);
	if (match)
		check_match(qos, match);
}

/* By numbers and the queues' UUIDs: what the rows of the line itself say. */
static void check_qos(struct ctl *ctl, struct view_row *row)
{
	static const char *const columns[] = { "other_config", NULL };
	struct qos qos = {
		.select = view_get_key(row, "other_config", "select"),
		.max = number(row, "max-rate"),
	};
	json_t *map = view_get(row, "queues"), *pair;
	bool has_default = false;
	size_t i;

	check_type(row);
	json_array_foreach(json_array_get(map, 1), i, pair) {
		long long id = json_integer_value(json_array_get(pair, 0));
		struct view_row *queue =
			view_by_uuid(ctl->view, "Queue",
				     json_string_value(json_array_get(
					     json_array_get(pair, 1), 1)),
				     columns);

		has_default |= !id;
		if (i + !has_default >= QUEUES_MAX)
			ctl_fatal("a QoS has at most %d queues, with queue 0, "
				  "which need not be named; this one would "
				  "have %zu",
				  QUEUES_MAX,
				  json_array_size(json_array_get(map, 1)) +
					  !has_default);
		if (!queue)
			continue;
		qos.ids[++qos.n] = id;
		check_queue_of(&qos, queue);
	}
	if (qos.max && qos.sum > qos.max)
		ctl_fatal("other_config:min-rate of the queues is %llu "
			  "together, more than other_config:max-rate=%llu of "
			  "their QoS",
			  qos.sum, qos.max);
}

static void check_qos_of(struct ctl *ctl, struct view_row *queue)
{
	static const char *const columns[] = { "type", "other_config", "queues",
					       NULL };
	struct view_row *qos =
		view_referrer(ctl->view, "QoS", "queues", queue->uuid, columns);

	if (qos)
		check_qos(ctl, qos);
}

void shape_check(struct ctl *ctl)
{
	effective_each_port(ctl, "qos", check_egress);
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (is_touched(row, "Port_Group", "qos"))
			check_egress(ctl, row);
		if (is_touched(row, "Queue", "dscp")) {
			check_queue(row);
			if (!row->inserted)
				check_qos_of(ctl, row);
		}
		if (is_touched(row, "QoS", "queues") ||
		    is_touched(row, "QoS", "type"))
			check_qos(ctl, row);
	}
}

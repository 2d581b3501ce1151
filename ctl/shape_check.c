#include "ctl/shape_check.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/value.h"
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

/* What a port's group may say is not looked at. */
static void check_port(struct view_row *row)
{
	const char *name = view_get_string(row, "name");
	unsigned long long average = number(row, "egress-average-kbps");
	unsigned long long peak = number(row, "egress-peak-kbps");
	unsigned long long burst = number(row, "egress-burst-kb");
	bool alone = !view_get_key(row, "other_config", "port-group");
	json_t *qos;
	size_t n;

	if (!average && !peak && !burst)
		return;
	if (alone && !average)
		ctl_fatal("port %s: other_config:%s is set, but "
			  "other_config:egress-average-kbps is not; nothing "
			  "would be shaped",
			  name, peak ? "egress-peak-kbps" : "egress-burst-kb");
	if (peak && average && peak < average)
		ctl_fatal("port %s: other_config:egress-peak-kbps=%llu is less "
			  "than other_config:egress-average-kbps=%llu",
			  name, peak, average);
	qos = view_get_set(row, "qos");
	n = json_array_size(qos);
	json_decref(qos);
	if (n)
		ctl_fatal("port %s: qos and other_config:%s contradict each "
			  "other; a port has one of them",
			  name,
			  average ? "egress-average-kbps"
			  : peak  ? "egress-peak-kbps"
				  : "egress-burst-kb");
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

/* By numbers and the queues' UUIDs: what the rows of the line itself say. */
static void check_qos(struct ctl *ctl, struct view_row *row)
{
	static const char *const columns[] = { "other_config", NULL };
	unsigned long long max = number(row, "max-rate"), sum = 0;
	const char *select = view_get_key(row, "other_config", "select");
	json_t *map = view_get(row, "queues"), *pair;
	size_t i;

	json_array_foreach(json_array_get(map, 1), i, pair) {
		const json_t *ref = json_array_get(pair, 1);
		const char *match;
		struct view_row *queue = view_by_uuid(
			ctl->view, "Queue",
			json_string_value(json_array_get(ref, 1)), columns);

		if (!queue)
			continue;
		sum += number(queue, "min-rate");
		match = view_get_key(queue, "other_config", "match");
		if (match && !select)
			ctl_fatal("queue %lld has other_config:match=%s, but "
				  "its QoS has no other_config:select=pcp or "
				  "select=dscp",
				  (long long)json_integer_value(
					  json_array_get(pair, 0)),
				  match);
	}
	if (max && sum > max)
		ctl_fatal("other_config:min-rate of the queues is %llu "
			  "together, more than other_config:max-rate=%llu of "
			  "their QoS",
			  sum, max);
}

void shape_check(struct ctl *ctl)
{
	static const char *const port_columns[] = { "name", "other_config",
						    "qos", NULL };

	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (is_touched(row, "Port", "qos")) {
			if (!row->inserted)
				view_fetch(ctl->view, "Port",
					   view_where("_uuid", "==",
						      value_uuid(row->uuid)),
					   port_columns);
			check_port(row);
		} else if (is_touched(row, "Queue", "dscp")) {
			check_queue(row);
		} else if (is_touched(row, "QoS", "queues")) {
			check_qos(ctl, row);
		}
	}
}

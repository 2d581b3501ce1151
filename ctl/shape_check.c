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
	effective_each_port(ctl, "qos", check_egress);
	/* Fetching adds rows at the end, which nobody has changed. */
	for (struct view_row *row = view_first(ctl->view); row;
	     row = row->next) {
		if (is_touched(row, "Port_Group", "qos"))
			check_egress(ctl, row);
		else if (is_touched(row, "Queue", "dscp"))
			check_queue(row);
		else if (is_touched(row, "QoS", "queues"))
			check_qos(ctl, row);
	}
}

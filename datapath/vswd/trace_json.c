#include "vswd/trace_json.h"

#include <stdlib.h>
#include <string.h>

#include "packet/parse.h"

/* Bytes of a frame that text shows; JSON has all. */
#define SHOWN_BYTES 128

static const char *kind_name(enum trace_kind kind)
{
	static const char *const names[] = {
		[TRACE_ENTERS] = "enters",   [TRACE_STEP] = "step",
		[TRACE_FLOODED] = "flooded", [TRACE_LEFT_OUT] = "left-out",
		[TRACE_PUNT] = "control",    [TRACE_OUTPUT] = "output",
		[TRACE_DROP] = "drop",
	};

	return names[kind];
}

static json_t *hex(const uint8_t *data, uint32_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *text = xmalloc(2 * (size_t)n + 1);
	json_t *json;

	for (uint32_t i = 0; i < n; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	text[2 * (size_t)n] = '\0';
	json = json_string(text);
	free(text);
	return json;
}

static void set_string(json_t *object, const char *key, const char *value)
{
	if (value)
		json_object_set_new(object, key, json_string(value));
}

/* The tag that the frame has, or null. */
static json_t *tag_json(const struct trace_step *step)
{
	struct flow_key key;

	if (!flow_parse(step->frame, step->frame_len, &key) || !key.n_tags)
		return json_null();
	return json_integer(VLAN_VID(key.tci[0]));
}

static json_t *where_json(const struct trace_step *step)
{
	json_t *json = json_object();

	set_string(json, "bridge", step->bridge);
	set_string(json, "port", step->port);
	set_string(json, "bond", step->bond);
	return json;
}

static void set_frame(json_t *json, const struct trace_step *step)
{
	json_object_set_new(json, "length", json_integer(step->frame_len));
	json_object_set_new(json, "vlan_tag", tag_json(step));
	json_object_set_new(json, "frame", hex(step->frame, step->frame_len));
}

static void set_drop(json_t *json, const struct trace_step *step)
{
	set_string(json, "reason", drop_reason_name(step->reason));
	json_object_set_new(json, "packets", json_integer(step->n));
}

static json_t *step_json(const struct trace_step *step)
{
	json_t *json = where_json(step);

	json_object_set_new(json, "level", json_integer(step->level));
	set_string(json, "kind", kind_name(step->kind));
	set_string(json, "stage", step->stage);
	set_string(json, "text", step->text);
	if (step->frame)
		set_frame(json, step);
	if (step->kind == TRACE_DROP)
		set_drop(json, step);
	return json;
}

json_t *trace_to_json(const struct trace *trace)
{
	json_t *steps = json_array(), *outputs = json_array();
	json_t *drops = json_array(), *one;
	const struct trace_step *step;
	unsigned n;

	step = trace_steps(trace, &n);
	for (; n--; step++) {
		json_array_append_new(steps, step_json(step));
		if (step->kind == TRACE_OUTPUT) {
			one = where_json(step);
			set_frame(one, step);
			json_array_append_new(outputs, one);
		} else if (step->kind == TRACE_DROP) {
			one = where_json(step);
			set_drop(one, step);
			json_array_append_new(drops, one);
		}
	}
	return json_pack("{s:o, s:o, s:o}", "steps", steps, "outputs", outputs,
			 "drops", drops);
}

/* --- text ------------------------------------------------------------------
 */

static const char *get(const json_t *json, const char *key)
{
	const char *s = json_string_value(json_object_get(json, key));

	return s ? s : "";
}

static bool is_kind(const json_t *json, const char *kind)
{
	return !strcmp(get(json, "kind"), kind);
}

static int level_of(const json_t *json)
{
	return (int)json_integer_value(json_object_get(json, "level"));
}

static void begin_line(struct text *text, const json_t *step, const char *word)
{
	text_add(text, "%*s%-9s ", 2 * level_of(step) + 2, "", word);
}

static void add_tag(struct text *text, const json_t *step)
{
	const json_t *tag = json_object_get(step, "vlan_tag");

	if (json_is_integer(tag))
		text_add(text, ", tag %d", (int)json_integer_value(tag));
	else
		text_add(text, ", untagged");
}

static void add_port(struct text *text, const json_t *step)
{
	text_add(text, "%s", get(step, "port"));
	if (*get(step, "bond"))
		text_add(text, " of %s", get(step, "bond"));
}

static void enters_text(struct text *text, const json_t *step)
{
	text_add(text, "%*sbridge %s: in by ", 2 * level_of(step), "",
		 get(step, "bridge"));
	add_port(text, step);
	text_add(
		text, ": %lld bytes",
		(long long)json_integer_value(json_object_get(step, "length")));
	add_tag(text, step);
	text_add(text, "\n");
}

/* All that get a copy in one line. */
static size_t flooded_text(struct text *text, const json_t *steps, size_t i)
{
	const json_t *step = json_array_get(steps, i);
	const char *separator = "";

	begin_line(text, step, "flood");
	for (; is_kind(step, "flooded"); step = json_array_get(steps, ++i)) {
		text_add(text, "%s%s", separator, get(step, "port"));
		separator = ", ";
	}
	text_add(text, "\n");
	return i;
}

static void output_text(struct text *text, const json_t *step)
{
	begin_line(text, step, "output");
	add_port(text, step);
	text_add(
		text, ": %lld bytes",
		(long long)json_integer_value(json_object_get(step, "length")));
	add_tag(text, step);
	text_add(text, "\n");
}

static void step_text(struct text *text, const json_t *step)
{
	if (is_kind(step, "left-out")) {
		begin_line(text, step, "left out");
		text_add(text, "%s: %s\n", get(step, "port"),
			 get(step, "text"));
	} else if (is_kind(step, "drop")) {
		begin_line(text, step, "DROP");
		add_port(text, step);
		text_add(text, ": %s (%s)\n", get(step, "reason"),
			 get(step, "text"));
	} else {
		begin_line(text, step, get(step, "stage"));
		text_add(text, "%s\n", get(step, "text"));
	}
}

static void frames_text(struct text *text, const json_t *outputs)
{
	const json_t *output;
	size_t i;

	text_add(text,
		 json_array_size(outputs) ? "outputs:\n" : "outputs: none\n");
	json_array_foreach((json_t *)outputs, i, output) {
		const char *frame = get(output, "frame");

		text_add(text, "  ");
		add_port(text, output);
		text_add(text, " %.*s%s\n", 2 * SHOWN_BYTES, frame,
			 strlen(frame) > 2 * SHOWN_BYTES ? "..." : "");
	}
}

void trace_json_to_text(struct text *text, const json_t *json)
{
	const json_t *steps = json_object_get(json, "steps");
	size_t i = 0;

	while (i < json_array_size(steps)) {
		const json_t *step = json_array_get(steps, i);

		if (is_kind(step, "flooded")) {
			i = flooded_text(text, steps, i);
			continue;
		}
		if (is_kind(step, "enters"))
			enters_text(text, step);
		else if (is_kind(step, "output"))
			output_text(text, step);
		else
			step_text(text, step);
		i++;
	}
	frames_text(text, json_object_get(json, "outputs"));
	if (json_is_true(json_object_get(json, "committed")))
		text_add(text, "committed: the frame has taken its way\n");
}
